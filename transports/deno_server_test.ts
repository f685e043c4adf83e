import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { serveDeno } from "./deno_server.ts";

const hostname = "127.0.0.1";
const options = {
  hostname,
  port: 0,
  handler: () => new Response("hello"),
  onFailure: (error: Error) => {
    throw error;
  },
};

/** A connection on which requests are sent by hand. */
class Client implements Disposable {
  readonly connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.connection = connection;
  }

  static async connect(port: number): Promise<Client> {
    return new Client(await Deno.connect({ hostname, port }));
  }

  /** Sends GET / and returns what comes back first; "" where the connection ends or nothing comes in time. */
  async get(limitMs = 2_000): Promise<string> {
    const timer = setTimeout(() => this[Symbol.dispose](), limitMs);
    try {
      await this.connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: test\r\n\r\n"));
      const buffer = new Uint8Array(4_096);
      const length = await this.connection.read(buffer);
      return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
    } catch {
      return "";
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    try {
      this.connection.close();
    } catch {
      // It is closed.
    }
  }
}

Deno.test("port 0 is a free port, which the server tells", async () => {
  const server = serveDeno(options);
  assertGreaterOrEqual(server.port, 1_024);
  assertEquals(await (await fetch(`http://${hostname}:${server.port}/`)).text(), "hello");
  assertEquals(await server.shutdown(1_000), true);
});

Deno.test("a port that is taken is an error at once, which names it", async () => {
  const server = serveDeno(options);
  assertThrows(
    () => serveDeno({ ...options, port: server.port }),
    Deno.errors.AddrInUse,
    `cannot listen on ${hostname}:${server.port}: `,
  );
  await server.shutdown(1_000);
});

Deno.test("shutdown answers what is in flight, takes nothing new, and says that it was in time", async () => {
  const arrived = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const server = serveDeno({
    ...options,
    handler: () => {
      arrived.resolve();
      return answer.promise;
    },
  });
  const inFlight = fetch(`http://${hostname}:${server.port}/`);
  await arrived.promise;
  const closing = server.shutdown(10_000);
  await assertRejects(() => Deno.connect({ hostname, port: server.port }));
  answer.resolve(new Response("at last"));
  assertEquals(await (await inFlight).text(), "at last");
  assertEquals(await closing, true);
});

Deno.test("shutdown closes connections on which nothing is asked", async () => {
  const server = serveDeno(options);
  using silent = await Client.connect(server.port);
  using idle = await Client.connect(server.port);
  assert((await idle.get()).startsWith("HTTP/1.1 200"));
  assertEquals(await server.shutdown(10_000), true);
  for (const { connection } of [silent, idle]) {
    assertEquals(await connection.read(new Uint8Array(1)).catch(() => null), null);
  }
});

Deno.test("shutdown waits no longer than its deadline, and says that it was not enough", async () => {
  const arrived = Promise.withResolvers<void>();
  const never = Promise.withResolvers<Response>();
  const server = serveDeno({
    ...options,
    handler: () => {
      arrived.resolve();
      return never.promise;
    },
  });
  using client = await Client.connect(server.port);
  const asking = client.get(60_000);
  await arrived.promise;
  const started = performance.now();
  assertEquals(await server.shutdown(100), false);
  assertLess(performance.now() - started, 10_000);
  never.resolve(new Response("too late"));
  await asking;
});

Deno.test({
  name:
    "out of descriptors, the connections that are open are answered, and new ones as soon as there is room",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    // A process of its own, for the limit is one of the process.
    const program = `
      import { serveDeno } from ${JSON.stringify(import.meta.resolve("./deno_server.ts"))};
      const server = serveDeno({
        hostname: "${hostname}",
        port: 0,
        handler: () => new Response("hello"),
        onFailure: (error) => console.log("failure " + error.message),
      });
      console.log("port " + server.port);
    `;
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(file, program);
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n 80 && exec "$0" run --no-config --no-lock --no-prompt --allow-net "$1"',
        Deno.execPath(),
        file,
      ],
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let printed = "";
    const reading = (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) printed += text;
    })();
    const until = async (what: string, condition: () => unknown) => {
      for (const end = performance.now() + 15_000; !await condition();) {
        if (performance.now() > end) throw new Error(`not within 15 s: ${what}\n${printed}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const clients: Client[] = [];
    try {
      await until("the server listens", () => /port \d+\n/.test(printed));
      const port = Number(/port (\d+)/.exec(printed)![1]);
      const first = await Client.connect(port);
      clients.push(first);
      assert((await first.get()).startsWith("HTTP/1.1 200"));
      // Until the listener gives up; then connections are refused.
      await until("descriptors run out", async () => {
        for (let n = 0; n < 20 && !printed.includes("failure"); n++) {
          const client = await Client.connect(port).catch(() => null);
          if (client !== null) clients.push(client);
        }
        return printed.includes("failure");
      });
      assert(/Too many open files/.test(printed), printed);
      assert((await first.get()).startsWith("HTTP/1.1 200"), "an open connection is not answered");
      for (const client of clients.slice(1)) client[Symbol.dispose]();
      assert((await first.get()).startsWith("HTTP/1.1 200"));
      await until("new connections are answered again", async () => {
        const client = await Client.connect(port).catch(() => null);
        if (client === null) return false;
        clients.push(client);
        return (await client.get()).startsWith("HTTP/1.1 200");
      });
      // And again, since it is another listener that serves now.
      const failures = printed.split("failure").length;
      await until("descriptors run out once more", async () => {
        for (let n = 0; n < 20 && printed.split("failure").length === failures; n++) {
          const client = await Client.connect(port).catch(() => null);
          if (client !== null) clients.push(client);
        }
        return printed.split("failure").length > failures;
      });
      for (const client of clients) client[Symbol.dispose]();
      await until("it serves for a third time", async () => {
        using client = await Client.connect(port).catch(() => null);
        return client !== null && (await client.get()).startsWith("HTTP/1.1 200");
      });
    } finally {
      for (const client of clients) client[Symbol.dispose]();
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
      await reading;
      await Deno.remove(file);
    }
  },
});
