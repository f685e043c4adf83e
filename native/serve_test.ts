import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Listener, serve } from "./serve.ts";
import { fieldValues, RawClient } from "./testing/raw_client.ts";
import { NATIVE_TRANSPORTS } from "./testing/tested_listener.ts";

const module = new URL("testing/serve_thread.ts", import.meta.url);

for (const { transport, problem } of NATIVE_TRANSPORTS) {
  const ignore = problem !== null;
  const options = { hostname: "127.0.0.1", port: 0, transport };

  Deno.test({
    name: `${transport}: an answer of more pieces than a system call takes comes whole`,
    ignore,
    async fn() {
      const data = { failures: new SharedArrayBuffer(4) };
      const listener = await serve({ ...options, module, data }, () => new Response());
      for (const pieces of [1, 95, 97, 1_024, 5_000, 40_000]) {
        const response = await fetch(`http://127.0.0.1:${listener.addr.port}/pieces?${pieces}`);
        assertEquals(await response.text(), "a".repeat(pieces * 20));
      }
      await listener.shutdown();
      assertEquals(listener.statistics().answersInFlight, 0);
    },
  });

  Deno.test({
    name:
      `${transport}: what a fast route fails to answer its handler answers, and the failure is told`,
    ignore,
    async fn() {
      const data = { failures: new SharedArrayBuffer(4) };
      const errors: string[] = [];
      const listener = await serve({
        ...options,
        module,
        data,
        onError: ({ message }) => errors.push(message),
      }, () => new Response("by the handler"));
      const response = await fetch(`http://127.0.0.1:${listener.addr.port}/throws`);
      assertEquals(await response.text(), "by the handler");
      await listener.shutdown();
      assertEquals(errors, ["fast route /throws: made to throw"]);
      assertEquals(listener.statistics().answersInFlight, 0);
    },
  });

  Deno.test({
    name: `${transport}: empty pieces of a stream end nothing`,
    ignore,
    async fn() {
      const listener = await serve(options, () => {
        const pieces = ["", "hel", "", "lo", ""].map((text) => new TextEncoder().encode(text));
        return new Response(
          new ReadableStream({
            async pull(controller) {
              await new Promise((resolve) => setTimeout(resolve, 5));
              const piece = pieces.shift();
              if (piece === undefined) controller.close();
              else controller.enqueue(piece);
            },
          }),
        );
      });
      await using client = await RawClient.open(listener.addr.port, 5_000);
      for (let n = 0; n < 2; n++) {
        await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        const { body } = await client.answer("GET");
        assertEquals(new TextDecoder().decode(body), "hello");
      }
      await client[Symbol.asyncDispose]();
      await listener.shutdown();
    },
  });

  Deno.test({
    name:
      `${transport}: a handler that answers before it reads a body that is expected is understood`,
    ignore,
    async fn() {
      const listener = await serve(options, (request) => {
        request.text().catch(() => {});
        return new Response("answered");
      });
      for (let n = 0; n < 20; n++) {
        await using client = await RawClient.open(listener.addr.port, 5_000);
        await client.write(
          new TextEncoder().encode(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
          ),
        );
        const { status, body } = await client.answer("POST");
        assertEquals([status, new TextDecoder().decode(body)], [200, "answered"]);
      }
      await listener.shutdown();
      assertEquals(listener.statistics().answersInFlight, 0);
    },
  });

  Deno.test({
    name: `${transport}: a body of very many chunks comes to its handler in few pieces`,
    ignore,
    async fn() {
      const chunks = 20_000;
      const listener = await serve(options, async (request) => {
        let pieces = 0, text = "";
        for await (const piece of request.body!.pipeThrough(new TextDecoderStream())) {
          pieces++;
          text += piece;
        }
        return Response.json({ pieces, text });
      });
      await using client = await RawClient.open(listener.addr.port, 5_000);
      let body = "", text = "";
      for (let i = 0; i < chunks; i++) {
        const character = String.fromCharCode(97 + i % 26);
        body += `1\r\n${character}\r\n`;
        text += character;
      }
      await client.write(new TextEncoder().encode(
        `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`,
      ));
      const answer = await client.answer("POST");
      const received = JSON.parse(new TextDecoder().decode(answer.body));
      assertEquals(received.text, text);
      assert(received.pieces < chunks / 20, `${received.pieces} pieces`);
      await client[Symbol.asyncDispose]();
      await listener.shutdown();
    },
  });

  Deno.test({
    name: `${transport}: the Content-Length of an answer without a body is that of what is sent`,
    ignore,
    async fn() {
      const errors: string[] = [];
      const onError = ({ message }: Error) => void errors.push(message);
      const listener = await serve({ ...options, onError }, ({ url }) => {
        const [status, length] = new URL(url).pathname.slice(1).split("/");
        return new Response(null, {
          status: Number(status),
          headers: { "content-length": decodeURIComponent(length) },
        });
      });
      await using client = await RawClient.open(listener.addr.port, 5_000);
      // On one connection: bytes that are announced and do not come would be taken from the next answer.
      for (
        const [method, path, status, lengths] of [
          ["GET", "/200/5", 200, ["0"]],
          ["POST", "/404/5", 404, ["0"]],
          ["HEAD", "/200/5", 200, ["5"]],
          ["GET", "/204/5", 204, []],
          ["HEAD", "/204/5", 204, []],
          ["GET", "/304/5", 304, ["5"]],
          ["GET", "/200/five", 500, ["21"]],
          ["GET", "/200/5,%205", 500, ["21"]],
          ["GET", "/200/0", 200, ["0"]],
        ] as const
      ) {
        await client.write(
          new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`),
        );
        const answer = await client.answer(method);
        const { status: answered } = answer;
        assertEquals(
          [answered, fieldValues(answer, "content-length")],
          [status, [...lengths]],
          `${method} ${path}`,
        );
      }
      assertEquals(errors, [
        'the Content-Length "five" is no length',
        'the Content-Length "5, 5" is no length',
      ]);
      await client[Symbol.asyncDispose]();
      await listener.shutdown();
    },
  });

  const unreadBodies = [
    { what: "that is waited for", fields: "Content-Length: 5\r\nExpect: 100-continue", sent: "" },
    { what: "that is long", fields: "Content-Length: 1000000", sent: "hello" },
    { what: "that is short", fields: "Content-Length: 5", sent: "hello", isKept: true },
    {
      what: "that comes unasked",
      fields: "Content-Length: 5\r\nExpect: 100-continue",
      sent: "hello",
      isKept: true,
    },
    {
      what: "that is chunked, empty and comes unasked",
      fields: "Transfer-Encoding: chunked\r\nExpect: 100-continue",
      sent: "0\r\n\r\n",
      isKept: true,
    },
  ];
  for (const { what, fields, sent, isKept = false } of unreadBodies) {
    for (const isStream of [false, true]) {
      const answered = isStream ? "a stream" : "an answer";
      Deno.test({
        name: `${transport}: ${answered} without reading a body ${what} says ${
          isKept ? "nothing of an" : "that it is the"
        } end`,
        ignore,
        async fn() {
          const listener = await serve(options, async () => {
            // The body that comes at once is there.
            await new Promise((resolve) => setTimeout(resolve, 100));
            if (!isStream) return new Response("answered");
            const pieces = ["answ", "ered"].map((text) => new TextEncoder().encode(text));
            return new Response(
              new ReadableStream({
                async pull(controller) {
                  await new Promise((resolve) => setTimeout(resolve, 20));
                  const piece = pieces.shift();
                  if (piece === undefined) controller.close();
                  else controller.enqueue(piece);
                },
              }),
            );
          });
          await using client = await RawClient.open(listener.addr.port, 5_000);
          const head = `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`;
          for (let n = 0; n < (isKept ? 2 : 1); n++) {
            await client.write(new TextEncoder().encode(head + sent));
            const answer = await client.answer("POST");
            assertEquals(new TextDecoder().decode(answer.body), "answered");
            assertEquals(fieldValues(answer, "connection"), isKept ? [] : ["close"]);
          }
          if (!isKept) assertEquals(await client.ending(), "closed");
          await client[Symbol.asyncDispose]();
          await listener.shutdown();
        },
      });
    }
  }

  const brokenBodies = [
    { what: "100 Continue", path: "/read", interim: [100], status: 400, bytes: 0 },
    { what: "an answer", path: "/unread", interim: [], status: 200, bytes: 8_000_000 },
  ];
  for (const { what, path, interim, status, bytes } of brokenBodies) {
    Deno.test({
      name: `${transport}: a body that turns out wrong while ${what} is being sent costs no answer`,
      ignore,
      async fn() {
        const data = { failures: new SharedArrayBuffer(4), gate: new SharedArrayBuffer(4) };
        const gate = new Int32Array(data.gate);
        const begun = Promise.withResolvers<void>(), go = Promise.withResolvers<void>();
        const listener = await serve({ ...options, module, data }, async (request) => {
          if (request.method === "GET") return new Response("held");
          begun.resolve();
          await go.promise;
          return new Response(path === "/read" ? await request.bytes() : new Uint8Array(bytes));
        });
        const { port } = listener.addr;
        await using client = await RawClient.open(port, 5_000);
        const encoder = new TextEncoder();
        const expect = path === "/read" ? "Expect: 100-continue\r\n" : "";
        await client.write(encoder.encode(
          `PUT ${path} HTTP/1.1\r\nHost: a\r\n${expect}Transfer-Encoding: chunked\r\n\r\n`,
        ));
        await begun.promise;
        // While its thread is held up, what is to be sent is asked for first, then the body comes: both are met at once.
        const held = fetch(`http://127.0.0.1:${port}/held`);
        await Atomics.waitAsync(gate, 0, 0).value;
        go.resolve();
        await new Promise((resolve) => setTimeout(resolve, 50));
        await client.write(encoder.encode("3\r\nlonger than that"));
        Atomics.store(gate, 0, 0);
        Atomics.notify(gate, 0);
        const answer = await client.answer("PUT");
        assertEquals([answer.interim, answer.status], [interim, status]);
        if (bytes > 0) assertEquals(answer.body.length, bytes);
        assertEquals(await client.ending(), "closed");
        await (await held).text();
        await listener.shutdown();
        const { answersInFlight, exchangesActive, buffersLent } = listener.statistics();
        assertEquals([answersInFlight, exchangesActive, buffersLent], [0, 0, 0]);
      },
    });
  }

  Deno.test({
    name: `${transport}: a stream whose client left before its handler gave it is cancelled`,
    ignore,
    async fn() {
      const cancelled = Promise.withResolvers<unknown>();
      const listener = await serve(options, async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(1)),
            cancel: cancelled.resolve,
          }),
        );
      });
      const client = await RawClient.open(listener.addr.port, 5_000);
      await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
      await client[Symbol.asyncDispose]();
      const timer = setTimeout(() => cancelled.reject(new Error("it goes on")), 5_000);
      await cancelled.promise;
      clearTimeout(timer);
      await listener.shutdown();
    },
  });

  Deno.test({
    name: `${transport}: a stream of something else than bytes is an error, not an answer`,
    ignore,
    async fn() {
      const errors: string[] = [];
      const onError = ({ message }: Error) => void errors.push(message);
      const listener = await serve({ ...options, onError }, () => {
        const text = "123" as unknown as Uint8Array<ArrayBuffer>;
        return new Response(ReadableStream.from([text]));
      });
      await assertRejects(() => fetch(`http://127.0.0.1:${listener.addr.port}/`), TypeError);
      assertEquals(errors, ["a body consists of Uint8Arrays"]);
      await listener.shutdown();
    },
  });

  Deno.test({
    name:
      `${transport}: an answer that comes while the listener stops says that its connection ends`,
    ignore,
    async fn() {
      const begun = Promise.withResolvers<void>(), go = Promise.withResolvers<void>();
      const listener = await serve(options, async () => {
        begun.resolve();
        await go.promise;
        return new Response("answered");
      });
      const asked = fetch(`http://127.0.0.1:${listener.addr.port}/`);
      await begun.promise;
      const stopped = listener.shutdown();
      go.resolve();
      const response = await asked;
      assertEquals([await response.text(), response.headers.get("connection")], [
        "answered",
        "close",
      ]);
      await stopped;
    },
  });

  Deno.test({
    name: `${transport}: a thread that does not start again at once is tried again`,
    ignore,
    async fn() {
      const failures = new SharedArrayBuffer(4);
      const errors: string[] = [];
      const listener = await serve({
        ...options,
        module,
        data: { failures },
        onError: ({ message }) => errors.push(message),
      }, () => new Response("answered"));
      Atomics.store(new Int32Array(failures), 0, 2);
      listener.unsafeFailThread(0);
      const response = await fetch(`http://127.0.0.1:${listener.addr.port}/`, {
        signal: AbortSignal.timeout(10_000),
      }).catch(() => fetch(`http://127.0.0.1:${listener.addr.port}/`));
      assertEquals(await response.text(), "answered");
      assert(errors.some((message) => message.includes("died and is replaced")), errors.join());
      await listener.shutdown();
    },
  });

  Deno.test({
    name: `${transport}: threads that die as soon as they serve are replaced ever more slowly`,
    ignore,
    async fn() {
      const deaths: number[] = [];
      const enough = Promise.withResolvers<void>();
      let listener: Listener | null = null;
      listener = await serve({
        ...options,
        module,
        data: { failures: new SharedArrayBuffer(4) },
        onError({ message }) {
          if (message.includes("died and is replaced")) deaths.push(performance.now());
          if (deaths.length === 5) enough.resolve();
        },
        onThread: (thread) => void listener?.postTo(thread, "poison"),
      }, () => new Response());
      listener.postTo(0, "poison");
      await enough.promise;
      // 100 ms, twice that, and so on.
      const pauseMs = deaths[4] - deaths[3];
      assert(pauseMs >= 750, `${pauseMs} ms`);
      listener.abort();
      await listener.finished;
    },
  });

  Deno.test({
    name: `${transport}: threads that cannot start are an error, and nothing listens any more`,
    ignore,
    async fn() {
      const failures = new SharedArrayBuffer(4);
      Atomics.store(new Int32Array(failures), 0, 1);
      const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = free.addr;
      free.close();
      await assertRejects(
        () =>
          serve({ ...options, port, threads: 2, module, data: { failures } }, () => new Response()),
        Error,
        "made to fail",
      );
      await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
    },
  });

  Deno.test({
    name: `${transport}: a port that is taken is an error that names it`,
    ignore,
    async fn() {
      using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = taken.addr;
      await assertRejects(
        () => serve({ ...options, port }, () => new Response()),
        Deno.errors.AddrInUse,
        `127.0.0.1:${port}`,
      );
    },
  });
}

Deno.test({
  name: "a thread that hangs is replaced by one that new connections get to",
  ignore: NATIVE_TRANSPORTS.every(({ problem }) => problem !== null),
  async fn() {
    // At once, since it takes a while to notice.
    const working = NATIVE_TRANSPORTS.filter(({ problem }) => problem === null);
    await Promise.all(working.map(({ transport }) => replacesHanging(transport)));
  },
});

async function replacesHanging(transport: "uring" | "epoll"): Promise<void> {
  const data = { failures: new SharedArrayBuffer(4), gate: new SharedArrayBuffer(4) };
  const gate = new Int32Array(data.gate);
  const replaced = Promise.withResolvers<void>();
  let starts = 0;
  const listener = await serve({
    hostname: "127.0.0.1",
    port: 0,
    transport,
    module,
    data,
    heartbeatMs: 2_000,
    onThread: () => ++starts === 2 && replaced.resolve(),
  }, () => new Response("answered"));
  const { port } = listener.addr;
  const answers = async () => {
    for (let n = 0; n < 5; n++) {
      await using client = await RawClient.open(port, 5_000);
      await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
      assertEquals((await client.answer()).status, 200);
    }
  };
  await using hanging = await RawClient.open(port, 5_000);
  await hanging.write(new TextEncoder().encode("GET /held HTTP/1.1\r\nHost: a\r\n\r\n"));
  await replaced.promise;
  await new Promise((resolve) => setTimeout(resolve, 500));
  await answers();
  // The thread goes on, and ends.
  Atomics.store(gate, 0, 0);
  Atomics.notify(gate, 0);
  assertEquals(hanging.hasBytes, false);
  await answers();
  await hanging[Symbol.asyncDispose]();
  await listener.shutdown();
}
