import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { NetworkNamespace, networkNamespaceProblem } from "./testing/network_namespaces.ts";

const problem = await networkNamespaceProblem();
const program = new URL("./main.ts", import.meta.url).pathname;

/** The arguments that run the command with no more than it is granted. */
function args(permissions: string[], ...rest: string[]): string[] {
  return ["run", "--no-prompt", ...permissions, program, ...rest];
}

async function limiter(...rest: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: args(["--allow-env"], ...rest),
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("print shows the rules without any privilege", async () => {
  const { code, stdout } = await limiter("--", "print", "--port=9", "--connection-limit=7");
  assertEquals(code, 0);
  assertStringIncludes(stdout, "table inet marquee_9 {");
  assertStringIncludes(stdout, "ct count over 7 jump");
});

Deno.test("settings that cannot be are named, with what could", async () => {
  for (
    const [argument, message] of [
      ["--port=0", "PORT: 0 is no port: 1 to 65535."],
      ["--connection-limit=many", 'CONNECTION_LIMIT: "many" is no whole number.'],
      ["--connection-limit=0", "a connection limit of 0: give a whole number from 1"],
      ["--limit-period=5", 'LIMIT_PERIOD: "5": give a duration from 10 ms to 3600 s'],
      ["--log-level=loud", 'LOG_LEVEL: "loud": give debug or info or warning or error.'],
      ["--ports=1", "--ports"],
      ["prnit", "prnit: there is no such command."],
    ]
  ) {
    const { code, stderr } = await limiter(argument, ...argument === "prnit" ? [] : ["print"]);
    assertEquals(code, 2, argument);
    assertStringIncludes(stderr, message);
  }
});

Deno.test("durations and log levels are those that the service takes", async () => {
  for (const argument of ["--limit-period=1m", "--limit-period=0.5h", "--log-level=warn"]) {
    const { code, stderr } = await limiter(argument, "print");
    assertEquals([code, stderr], [0, ""], argument);
  }
});

Deno.test("help names every command and setting", async () => {
  const { code, stdout } = await limiter("--help");
  assertEquals(code, 0);
  assertMatch(stdout, /run[^]+print[^]+install[^]+remove[^]+status[^]+CONNECTION_LIMIT_MAXIMUM/);
});

Deno.test({
  name: `rules are printed, installed, told of and removed${
    problem === null ? "" : ` (ignored: ${problem})`
  }`,
  ignore: problem !== null,
  async fn() {
    await using namespace = await NetworkNamespace.make();
    const run = (...rest: string[]) =>
      namespace.run(
        Deno.execPath(),
        args(["--allow-env", "--allow-run=nft,/usr/sbin/nft"], "--", ...rest, "--port=8080"),
      );
    const printed = await run("print", "--connection-limit=auto");
    await namespace.run("nft", ["--check", printed]);
    assertStringIncludes(await run("status"), "no limit");
    assertEquals(
      await run("install", "--connection-limit=auto"),
      "Port 8080 is limited to 720 connections.\n",
    );
    assertStringIncludes(await run("install", "--connection-limit=auto"), "were there already");
    assertStringIncludes(await run("install", "--connection-limit=30"), "were replaced");
    assertEquals(
      await run("status"),
      "Port 8080 is limited to 30 connections.\ntiers: 30\nrefused: 0\n",
    );
    await run("remove");
    assertEquals(await namespace.run("nft", ["list ruleset"]), "");
  },
});

Deno.test({
  name: `beside a service the limiter moves its limit, says why, and takes the rules with it${
    problem === null ? "" : ` (ignored: ${problem})`
  }`,
  ignore: problem !== null,
  async fn() {
    await using namespace = await NetworkNamespace.make();
    const service = namespace.spawn(Deno.execPath(), [
      ...["run", "--no-prompt", "--allow-net", "--allow-env", "--allow-read", "--allow-write"],
      ...["--allow-sys", "--allow-ffi", new URL("../main.ts", import.meta.url).pathname],
      ...["--port=8080", "--admin-port=9090", "--kv-path=:memory:", "--log-format=json"],
    ]);
    const sidecar = namespace.spawn(
      Deno.execPath(),
      args(
        ["--allow-env", "--allow-net", "--allow-run=nft,/usr/sbin/nft"],
        ...["run", "--limit-period=500ms", "--log-format=json", "--log-level=debug"],
      ),
    );
    try {
      const lines = new Lines(sidecar.stdout);
      await lines.find(/Port 8080 is limited to 720 connections/);
      await lines.find(/Metrics: http:\/\/127\.0\.0\.1:9091\/metrics/);
      // Whether or not the service is there yet.
      await lines.find(/The connection limit stays 720, unused: nothing was answered/);
      const metrics = await namespace.run("curl", ["-s", "http://127.0.0.1:9091/metrics"]);
      assertMatch(metrics, /^http_scaling_connection_limit 720$/m);
      assertMatch(metrics, /^http_scaling_saturation_ratio 0$/m);
      assertMatch(metrics, /^connection_limiter_decisions_total\{state="unused"\} [1-9]/m);
      sidecar.kill("SIGTERM");
      assertEquals((await sidecar.status).code, 0);
      assertEquals(await namespace.run("nft", ["list ruleset"]), "");
      await lines.close();
    } finally {
      for (const process of [service, sidecar]) {
        try {
          process.kill("SIGKILL");
        } catch {
          // It has ended.
        }
        await process.status;
      }
      await service.stdout.cancel();
    }
  },
});

for (const limit of ["30", "auto"]) {
  Deno.test({
    name: `rules that somebody has removed are put back with a connection limit of ${limit}${
      problem === null ? "" : ` (ignored: ${problem})`
    }`,
    ignore: problem !== null,
    async fn() {
      await using namespace = await NetworkNamespace.make();
      // No service answers here.
      const sidecar = namespace.spawn(
        Deno.execPath(),
        args(
          ["--allow-env", "--allow-net", "--allow-run=nft,/usr/sbin/nft"],
          ...["run", `--connection-limit=${limit}`, "--log-format=json"],
        ),
      );
      const lines = new Lines(sidecar.stdout);
      try {
        await lines.find(/Metrics: http/);
        const before = await namespace.run("nft", ["list ruleset"]);
        await namespace.run("nft", ["flush ruleset"]);
        let after = "";
        for (let tries = 0; tries < 100 && after !== before; tries++) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          after = await namespace.run("nft", ["list ruleset"]);
        }
        assertEquals(after, before);
      } finally {
        sidecar.kill("SIGTERM");
        await sidecar.status;
        await lines.close();
      }
    },
  });
}

Deno.test({
  name: `a service that cannot start leaves no rules behind${
    problem === null ? "" : ` (ignored: ${problem})`
  }`,
  ignore: problem !== null,
  async fn() {
    await using namespace = await NetworkNamespace.make();
    const service = namespace.spawn(Deno.execPath(), [
      ...["run", "--no-prompt", "--allow-net", "--allow-env", "--allow-read", "--allow-write"],
      ...["--allow-sys", "--allow-ffi", "--allow-run=nft,/usr/sbin/nft"],
      new URL("../main.ts", import.meta.url).pathname,
      ...["--host=127.0.0.1", "--port=8080", "--admin-port=8080", "--kv-path=:memory:"],
      "--shed=kernel",
    ]);
    await service.stdout.cancel();
    assertEquals((await service.status).code, 1);
    assertEquals(await namespace.run("nft", ["list ruleset"]), "");
  },
});

/** Waits for lines of a process. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  async find(pattern: RegExp): Promise<void> {
    const deadline = setTimeout(() => this.#reader.cancel(), 20_000);
    while (!pattern.test(this.#text)) {
      const { value, done } = await this.#reader.read();
      if (done) {
        throw new Error(`no ${pattern} within 20 s, or before it ended, in:\n${this.#text}`);
      }
      this.#text += value;
    }
    clearTimeout(deadline);
  }

  async close(): Promise<void> {
    await this.#reader.cancel();
  }
}
