import { assert, assertEquals } from "@std/assert";
import { type Listener, serve, type ServeOptions, transportProblem } from "./mod.ts";
import {
  CutOff,
  eachOf,
  FaultClient,
  get,
  pause,
  postHead,
  until,
  withinLimit,
} from "./testing/fault_clients.ts";
import { descriptorsAdded, openDescriptors, residentBytes } from "./testing/open_descriptors.ts";

type Handler = Parameters<typeof serve>[1];
type Transport = "uring" | "epoll";

const MEGABYTE = 1_048_576;
const LARGE_BYTES = 20_000_000;
const UPLOAD_BYTES = 100_000_000;
const PIECE_BYTES = 65_536;
/** What a test may add to the memory of this process, with what the clients and the handlers leave to the collector. */
const GROWTH_BYTES_MAX = 512 * MEGABYTE;
/** The same where answers are large: each is a copy of its own until it is collected. */
const LARGE_GROWTH_BYTES_MAX = 1_024 * MEGABYTE;
/** Answers of 1 MB of which more than that would be left if one in three were kept. */
const ANSWERS_CUT_OFF = 3_000;
/** How long connections, buffers and descriptors may take to be given back. */
const QUIET_MS_MAX = 10_000;
/** What sockets hold of a body that is not read, as much as the kernel lets them grow, and the listener's window. */
const IN_FLIGHT_BYTES_MAX = 32 * MEGABYTE;
/** Half heads that drip: `FAULTS_SLOW_HEADS=9000` for more; with epoll each takes two of this process's descriptors. */
const SLOW_HEADS = Number(Deno.env.get("FAULTS_SLOW_HEADS") ?? 2_000);

/** Bytes that show where in a body they belong. */
const pattern = new Uint8Array(LARGE_BYTES);
for (let i = 0; i < LARGE_BYTES; i++) pattern[i] = (i * 31 + (i >> 8) * 7 + (i >> 16)) & 255;
const small = () => new Response("small");

for (const transport of ["uring", "epoll"] as const) {
  const problem = transportProblem(transport);
  if (problem !== null) console.warn(`The faults of ${transport} are left out: ${problem}`);
  addTests(transport, problem !== null);
}

function addTests(transport: Transport, ignore: boolean): void {
  const test = (
    sentence: string,
    options: ServeOptions,
    handler: Handler,
    body: (port: number, listener: Listener) => Promise<void>,
    growthBytesMax = GROWTH_BYTES_MAX,
  ) =>
    Deno.test({
      name: `${transport}: ${sentence}`,
      ignore,
      fn: () => listening({ transport, ...options }, handler, body, growthBytesMax),
    });

  for (const leaving of ["close", "reset"] as const) {
    const way = leaving === "close" ? "vanish" : "reset";

    test(`clients that ${way} when idle are forgotten`, {}, small, async (port, listener) => {
      await eachOf(200, 50, async () => {
        using client = await FaultClient.open(port);
        assertEquals((await client.request("/")).status, 200);
        if (leaving === "reset") await client.send(get("/"));
        await client.leave(leaving);
      });
      await answersOn(port, listener);
    });

    test(`clients that ${way} in a head are forgotten`, {}, small, async (port, listener) => {
      await eachOf(200, 50, async () => {
        using client = await FaultClient.open(port);
        await client.send(leaving === "reset" ? get("/") + "GET /half HT" : "GET /half HT");
        await client.leave(leaving);
      });
      await answersOn(port, listener);
    });

    const broken = { begun: 0, refused: 0, whole: 0 };
    test(`a handler learns of clients that ${way} in a body`, {}, async (request) => {
      if (request.method === "GET") return new Response("small");
      broken.begun++;
      await request.arrayBuffer().then(() => broken.whole++, () => broken.refused++);
      return new Response("read");
    }, async (port, listener) => {
      const count = 100;
      await eachOf(count, 50, async () => {
        using client = await FaultClient.open(port);
        const before = leaving === "reset" ? get("/") : "";
        await client.send(before + postHead("/", 100_000) + "x".repeat(20_000));
        await client.leave(leaving);
      });
      // A head that came together with the reset may never have been seen.
      await until(
        () => broken.refused === broken.begun && (leaving === "reset" || broken.begun === count),
        () => JSON.stringify(broken),
      );
      await answersOn(port, listener);
      assertEquals(broken.whole, 0);
    });

    const waiting = { begun: 0, aborted: 0 };
    test(`request.signal aborts for clients that ${way} meanwhile`, {}, async (request) => {
      if (!request.url.endsWith("/wait")) return new Response("small");
      waiting.begun++;
      await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      waiting.aborted++;
      return new Response("for nobody");
    }, async (port, listener) => {
      const clients = await FaultClient.openMany(port, 100);
      for (const client of clients) {
        // The answer to the first is what is left unread when the second is being handled.
        if (leaving === "reset") await client.send(get("/"));
        await client.send(get("/wait"));
      }
      await until(() => waiting.begun === clients.length, () => JSON.stringify(waiting));
      await Promise.all(clients.map((client) => client.leave(leaving)));
      await until(() => waiting.aborted === clients.length, () => JSON.stringify(waiting));
      await answersOn(port, listener);
    });

    test(
      `clients that ${way} in a large answer cost nothing after`,
      {},
      (request) => new Response(request.url.endsWith("/large") ? pattern : "small"),
      async (port, listener) => {
        await eachOf(20, 10, async (index) => {
          using client = await FaultClient.open(port);
          await client.send(get("/large"));
          await client.head();
          for (let i = 0; i < 4 * index; i++) await client.read();
          if (leaving === "close") client[Symbol.dispose]();
          else await client.leave(leaving);
        });
        await answersOn(port, listener);
      },
      LARGE_GROWTH_BYTES_MAX,
    );

    const endless = { started: 0, cancelled: 0 };
    test(`a stream is cancelled when its client ${leaving}s`, {}, (request) => {
      if (!request.url.endsWith("/endless")) return new Response("small");
      endless.started++;
      return new Response(
        new ReadableStream({
          async pull(controller) {
            await pause(5);
            controller.enqueue(pattern.subarray(0, PIECE_BYTES));
          },
          cancel() {
            endless.cancelled++;
          },
        }),
      );
    }, async (port, listener) => {
      const clients = await FaultClient.openMany(port, 30);
      await Promise.all(clients.map(async (client) => {
        await client.send(get("/endless"));
        await client.head();
        await client.leave(leaving);
      }));
      await until(() => endless.cancelled === clients.length, () => JSON.stringify(endless));
      assertEquals(endless.started, clients.length);
      await answersOn(port, listener);
    });
  }

  test(
    "who reads a large answer slowly gets all of it, and who does not read is cut off",
    { writeTimeoutMs: 6_000 },
    (request) =>
      new Response(
        request.url.endsWith("/stream")
          ? streamOf(pattern)
          : request.url.endsWith("/large")
          ? pattern
          : "small",
      ),
    async (port, listener) => {
      const deaf = await FaultClient.openMany(port, 8);
      const slow = await FaultClient.openMany(port, 8);
      for (const [i, client] of deaf.entries()) {
        await client.send(get(i % 2 ? "/stream" : "/large"));
      }
      await Promise.all(slow.map(async (client, i) => {
        await client.send(get(i % 2 ? "/stream" : "/large"));
        assertEquals(await readSlowly(client, i % 2 === 1), LARGE_BYTES);
        client[Symbol.dispose]();
      }));
      await until(
        () => listener.statistics().connectionsActive === 0,
        () => `deaf clients are still served: ${JSON.stringify(listener.statistics())}`,
        20_000,
      );
      for (const client of deaf) {
        const { length } = await client.rest();
        assert(length < LARGE_BYTES, `one who did not read was sent ${length} bytes`);
        client[Symbol.dispose]();
      }
      await answersOn(port, listener);
    },
    LARGE_GROWTH_BYTES_MAX,
  );

  test(
    "answers that are cut off do not add up in memory",
    {},
    (request) => new Response(request.url.endsWith("/1") ? pattern.subarray(0, MEGABYTE) : "small"),
    async (port, listener) => {
      await eachOf(ANSWERS_CUT_OFF, 20, async (index) => {
        using client = await FaultClient.open(port);
        await client.send(get("/1"));
        await client.head();
        if (index % 2 === 0) await client.leave("reset");
      });
      await answersOn(port, listener);
    },
    LARGE_GROWTH_BYTES_MAX,
  );

  test(
    `${SLOW_HEADS} heads that drip are cut off, and others are answered meanwhile`,
    { headerTimeoutMs: 3_000, connectionsMax: SLOW_HEADS + 1_000 },
    small,
    async (port, listener) => {
      const slow: FaultClient[] = [];
      while (slow.length < SLOW_HEADS) slow.push(...await FaultClient.openMany(port, 500));
      let ended = 0;
      const ends = handled(Promise.all(slow.map(async (client) => {
        const text = new TextDecoder().decode(await client.rest(1_024));
        ended++;
        return text;
      })));
      const dripping = handled((async () => {
        await Promise.allSettled(slow.map((client) => client.send("GET / HTTP/1.1\r\nHost: a")));
        while (ended < slow.length) {
          await Promise.allSettled(slow.map((client) => client.send("a")));
          await pause(400);
        }
      })());
      await eachOf(20, 20, async () => {
        using client = await FaultClient.open(port);
        for (let i = 0; i < 50; i++) {
          assertEquals((await client.request("/")).status, 200);
          await pause(5);
        }
      });
      for (const text of await ends) {
        assert(text === "" || text.startsWith("HTTP/1.1 408 "), text);
      }
      await dripping;
      for (const client of slow) client[Symbol.dispose]();
      await answersOn(port, listener);
    },
  );

  test(
    "bodies that drip are cut off",
    { bodyTimeoutMs: 2_000 },
    async (request) => {
      await request.arrayBuffer();
      return new Response("small");
    },
    async (port, listener) => {
      const clients = await FaultClient.openMany(port, 50);
      const ends = clients.map(async (client) => {
        await client.send(postHead("/", 1_000) + "x".repeat(500));
        return new TextDecoder().decode(await client.rest());
      });
      for (const text of await Promise.all(ends)) {
        assert(text === "" || /^HTTP\/1.1 (408|5\d\d) /.test(text), text);
      }
      for (const client of clients) client[Symbol.dispose]();
      await answersOn(port, listener);
    },
  );

  test(
    "idle connections are closed",
    { idleTimeoutMs: 1_000, headerTimeoutMs: 1_000 },
    small,
    async (port, listener) => {
      const clients = await FaultClient.openMany(port, 200);
      await Promise.all(clients.map(async (client, i) => {
        if (i % 2 === 0) assertEquals((await client.request("/")).status, 200);
        const rest = new TextDecoder().decode(await client.rest());
        assert(rest === "" || rest.startsWith("HTTP/1.1 408 "), rest);
        client[Symbol.dispose]();
      }));
      await answersOn(port, listener);
    },
  );

  test("a storm of resets leaves nothing behind", {}, small, async (port, listener) => {
    await eachOf(4_000, 200, async () => {
      using client = await FaultClient.open(port);
      await client.send(get("/").repeat(3));
      await client.leave("reset");
    });
    await answersOn(port, listener);
  });

  test("thousands of connections come and go at once", {}, small, async (port, listener) => {
    for (let round = 0; round < 3; round++) {
      const clients = await FaultClient.openMany(port, 2_000);
      for (const client of clients) client[Symbol.dispose]();
    }
    await answersOn(port, listener);
  });

  test(
    "a thousand half heads at once are all answered when they are whole",
    { threads: 2 },
    (request) => new Response(request.headers.get("x-last")),
    async (port, listener) => {
      const clients = await FaultClient.openMany(port, 1_000);
      const text = get("/", { "x-filler": "f".repeat(24_000), "x-last": "here" });
      await Promise.all(clients.map((client) => client.send(text.slice(0, 20_000))));
      await pause(200);
      await Promise.all(clients.map((client) => client.send(text.slice(20_000))));
      await Promise.all(clients.map(async (client) => {
        const { status, body } = await client.answer();
        assertEquals([status, new TextDecoder().decode(body)], [200, "here"]);
        client[Symbol.dispose]();
      }));
      await answersOn(port, listener);
    },
  );

  test(
    "connections past the limit are served when there is room",
    { connectionsMax: 50 },
    small,
    async (port, listener) => {
      const clients = await FaultClient.openMany(port, 150);
      let answered = 0;
      const served = clients.map(async (client) => {
        assertEquals((await client.request("/")).status, 200);
        answered++;
        await pause(100);
        client[Symbol.dispose]();
      });
      await Promise.all(served);
      assertEquals(answered, clients.length);
      await answersOn(port, listener);
    },
  );

  test(
    "bodies that the handler does not read harm nobody",
    {},
    small,
    async (port, listener) => {
      await eachOf(60, 20, async () => {
        using client = await FaultClient.open(port);
        await client.send(postHead("/", MEGABYTE)).catch(() => {});
        const sent = client.send("x".repeat(MEGABYTE)).then(() => true, () => false);
        // Who is answered before the body is sent may be reset on the way.
        await client.answer().then(({ status }) => assertEquals(status, 200), async (error) => {
          if (!(error instanceof CutOff) || await sent) throw error;
        });
        await sent;
      });
      await answersOn(port, listener);
    },
  );

  test(
    "pipelined requests with streams are answered in order",
    {},
    async (request) => {
      const { pathname } = new URL(request.url);
      const [, kind, index] = pathname.split("/");
      const bytes = pattern.subarray(0, 1_000 * Number(index) + 1);
      if (kind === "stream") return new Response(streamOf(bytes, 777));
      if (kind === "echo") return new Response(request.body);
      if (kind === "slow") await pause(20);
      return new Response(bytes);
    },
    async (port, listener) => {
      const kinds = ["stream", "bytes", "head", "echo", "slow", "echo-chunked"];
      await eachOf(20, 20, async (offset) => {
        using client = await FaultClient.open(port);
        const asked = Array.from({ length: 30 }, (_, i) => kinds[(i + offset) % kinds.length]);
        const requests = asked.map((kind, i) => {
          if (kind === "head") return get(`/bytes/${i}`).replace("GET", "HEAD");
          if (kind === "echo") return postHead(`/echo/${i}`, 3 * i) + "abc".repeat(i);
          if (kind !== "echo-chunked") return get(`/${kind}/${i}`);
          return get(`/echo/${i}`, { "transfer-encoding": "chunked" }).replace("GET", "POST") +
            "3;x=1\r\nabc\r\n".repeat(i) + "0\r\nTrailer: dropped\r\n\r\n";
        }).join("");
        const sending = handled((async () => {
          const step = 700 + offset * 13;
          for (let i = 0; i < requests.length; i += step) {
            await client.send(requests.slice(i, i + step));
            if (offset % 3 === 0) await pause(1);
          }
        })());
        for (const [i, kind] of asked.entries()) {
          const { status, body } = await client.answer(kind === "head" ? "HEAD" : "GET");
          assertEquals([i, kind, status], [i, kind, 200]);
          if (kind === "head") assertEquals(body.length, 0);
          else if (kind.startsWith("echo")) {
            assertEquals(new TextDecoder().decode(body), "abc".repeat(i));
          } else assertEquals(body, pattern.slice(0, 1_000 * i + 1));
        }
        await sending;
      });
      await answersOn(port, listener);
    },
  );

  const upload = { gate: Promise.withResolvers<void>(), begun: false, received: 0, wrong: 0 };
  test(
    "a body of 100 MB is read as slowly as its handler reads",
    { bodyBytesMax: 2 * UPLOAD_BYTES, bodyTimeoutMs: 120_000 },
    async (request) => {
      if (request.body === null) return new Response("small");
      for await (const chunk of request.body) {
        if (!isPatternAt(chunk, upload.received)) upload.wrong++;
        upload.received += chunk.length;
        if (upload.begun) continue;
        upload.begun = true;
        await upload.gate.promise;
      }
      return new Response(String(upload.received));
    },
    async (port, listener) => {
      using client = await FaultClient.open(port);
      await client.send(postHead("/", UPLOAD_BYTES));
      let sent = 0;
      const sending = handled((async () => {
        while (sent < UPLOAD_BYTES) {
          const start = sent % LARGE_BYTES;
          const piece = pattern.subarray(start, Math.min(start + PIECE_BYTES, LARGE_BYTES));
          await client.send(piece);
          sent += piece.length;
        }
      })());
      await until(() => upload.begun, () => "the handler has not read anything");
      let before = -1;
      await until(async () => {
        if (sent === before) return true;
        before = sent;
        await pause(500);
        return false;
      }, () => `a handler that does not read was sent ${sent} bytes`);
      assert(sent < IN_FLIGHT_BYTES_MAX, `${sent} bytes were taken before they were asked for`);
      upload.gate.resolve();
      await sending;
      const { status, body } = await client.answer();
      assertEquals([status, new TextDecoder().decode(body)], [200, String(UPLOAD_BYTES)]);
      assertEquals(upload.wrong, 0);
      client[Symbol.dispose]();
      await answersOn(port, listener);
    },
  );

  const gate = Promise.withResolvers<void>();
  test("shutdown under load cuts no answer", { threads: 2 }, async (request) => {
    if (request.url.endsWith("/gate")) await gate.promise;
    if (request.url.endsWith("/slow")) await pause(5);
    const body = pattern.subarray(0, 300_000);
    return new Response(request.url.endsWith("/stream") ? streamOf(body) : body);
  }, async (port, listener) => {
    const counts = { whole: 0, cut: 0, ended: 0 };
    const paths = ["/bytes", "/stream", "/slow"];
    const clients = await FaultClient.openMany(port, 60);
    const load = handled(Promise.all(clients.map(async (client, i) => {
      try {
        for (;;) {
          const { status, body } = await client.request(paths[i % paths.length]);
          assertEquals([status, body.length], [200, 300_000]);
          counts.whole++;
        }
      } catch (error) {
        if (error instanceof CutOff) counts[error.hasBegun ? "cut" : "ended"]++;
        else if (isSocketError(error)) counts.ended++;
        else throw error;
      } finally {
        client[Symbol.dispose]();
      }
    })));
    using last = await FaultClient.open(port);
    await last.send(get("/gate"));
    await until(() => counts.whole >= 200, () => JSON.stringify(counts));
    const stopping = listener.shutdown();
    await load;
    assertEquals([counts.cut, counts.ended], [0, clients.length], JSON.stringify(counts));
    // Who is left waiting is cut off at the end; a refusal comes before.
    const late = reach(port).then(() => "it is answered", ({ name }: Error) => name);
    gate.resolve();
    const { status, body } = await last.answer();
    assertEquals([status, body.length], [200, 300_000]);
    await withinLimit(stopping, QUIET_MS_MAX);
    assertEquals(await late, "ConnectionRefused");
    assertEquals(await reach(port).catch(({ name }: Error) => name), "ConnectionRefused");
    await withinLimit(listener.finished, QUIET_MS_MAX);
  });

  let begun = 0;
  test("abort under load cuts everything off", { threads: 2 }, async (request) => {
    begun++;
    if (request.url.endsWith("/never")) await new Promise(() => {});
    return new Response(streamOf(pattern));
  }, async (port, listener) => {
    const clients = await FaultClient.openMany(port, 60);
    const ends = handled(Promise.all(clients.map(async (client, i) => {
      await client.send(get(i % 3 === 0 ? "/never" : "/stream"));
      // Which may not have come yet when all ends.
      if (i % 3 === 1) await client.head().catch(() => {});
      if (i % 3 === 2) await client.rest();
    })));
    await until(() => begun === clients.length, () => `${begun} of ${clients.length} came`);
    listener.abort();
    await withinLimit(listener.finished, QUIET_MS_MAX);
    await ends;
    for (const client of clients) {
      await client.rest();
      client[Symbol.dispose]();
    }
  });

  const errors: string[] = [];
  test(
    "a listener thread that dies under load is replaced while the others serve",
    { threads: 3, onError: (error) => errors.push(error.message) },
    (request) => new Response(request.url.endsWith("/stream") ? streamOf(pattern) : "small"),
    async (port, listener) => {
      const counts = { answered: 0, lost: 0, refused: 0 };
      let isOver = false;
      const load = handled(Promise.all(Array.from({ length: 30 }, async (_, i) => {
        while (!isOver) {
          try {
            using client = await FaultClient.open(port);
            for (let k = 0; k < 20 && !isOver; k++) {
              await client.request(i % 10 === 0 ? "/stream" : "/");
              counts.answered++;
            }
          } catch (error) {
            if (error instanceof CutOff) counts.lost++;
            else if (isSocketError(error)) counts.refused++;
            else throw error;
            await pause(20);
          }
        }
      })));
      await until(() => counts.answered > 500, () => JSON.stringify(counts));
      listener.unsafeFailThread(0);
      const before = counts.answered;
      await until(() => counts.answered > before + 500, () => JSON.stringify(counts));
      await until(
        () => listener.statistics().threadsReplaced === 1 && errors.length > 0,
        () => `nothing tells of it: ${JSON.stringify(errors)}`,
        5_000,
      );
      isOver = true;
      await load;
      // The kernel spreads connections over the threads: one that took them and did not answer would be met.
      await eachOf(300, 30, async () => {
        using client = await FaultClient.open(port);
        assertEquals((await client.request("/")).status, 200);
      });
      await answersOn(port, listener);
    },
  );

  Deno.test({
    name: `${transport}: a process at its limit of descriptors serves on`,
    ignore,
    fn: () => servesAtLimitOfDescriptors(transport),
  });
}

/** Listens for a test on all addresses, and looks afterwards that everything was given back. */
async function listening(
  options: ServeOptions,
  handler: Handler,
  body: (port: number, listener: Listener) => Promise<void>,
  growthBytesMax: number,
): Promise<void> {
  // The first listener, and the first look, open what stays open.
  const first = await serve({ ...options, port: 0 }, handler);
  await first.shutdown();
  await openDescriptors();
  const before = await openDescriptors();
  const residentBefore = await residentBytes();
  const listener = await serve({ ...options, hostname: "0.0.0.0", port: 0 }, handler);
  let isRunning = true;
  listener.finished.finally(() => isRunning = false);
  try {
    await body(listener.addr.port, listener);
    if (isRunning) {
      await quiet(listener);
      const growth = await residentBytes() - residentBefore;
      assert(growth < growthBytesMax, `${growth / MEGABYTE} MB of memory were added`);
      await withinLimit(listener.shutdown(), QUIET_MS_MAX);
    }
  } finally {
    if (isRunning) listener.abort();
    await withinLimit(listener.finished, QUIET_MS_MAX);
  }
  let added = new Map<string, number>();
  await until(
    async () => (added = descriptorsAdded(before, await openDescriptors())).size === 0,
    () => `descriptors are left open: ${JSON.stringify([...added])}`,
    QUIET_MS_MAX,
  );
}

/** Waits until all clients are forgotten and all buffers are back. */
async function quiet(listener: Listener): Promise<void> {
  await until(
    () => {
      const { connectionsActive, buffersLent, answersInFlight } = listener.statistics();
      return connectionsActive === 0 && buffersLent === 0 && answersInFlight === 0;
    },
    () => JSON.stringify(listener.statistics()),
    QUIET_MS_MAX,
  );
}

/** Checks that the listener is itself again: it answers, and holds nothing for those who left. */
async function answersOn(port: number, listener: Listener): Promise<void> {
  for (let i = 0; i < 20; i++) {
    using client = await FaultClient.open(port);
    const { status } = await client.request("/");
    assertEquals(status, 200);
  }
  await quiet(listener);
}

/** A promise that is awaited later, or not at all when the test fails before. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** A new connection, answered. */
async function reach(port: number): Promise<void> {
  using client = await FaultClient.open(port);
  await client.request("/bytes");
}

function streamOf(bytes: Uint8Array<ArrayBuffer>, pieceBytes = PIECE_BYTES): ReadableStream {
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if ((sent / pieceBytes & 3) === 3) await pause(0);
      if (sent < bytes.length) controller.enqueue(bytes.slice(sent, sent += pieceBytes));
      if (sent >= bytes.length) controller.close();
    },
  });
}

/** Reads the large answer with pauses and checks each byte. */
async function readSlowly(client: FaultClient, isStream: boolean): Promise<number> {
  if (isStream) {
    // The framing has to be taken off; what is slow is the time before.
    await pause(1_000);
    const { body } = await client.answer();
    assert(isPatternAt(body, 0), "bytes are wrong");
    return body.length;
  }
  await client.head();
  let length = 0;
  for (let reads = 0; length < LARGE_BYTES; reads++) {
    const piece = await client.read();
    assert(piece !== null, `cut off after ${length} bytes`);
    assert(isPatternAt(piece, length), `bytes are wrong from ${length}`);
    length += piece.length;
    if (reads % 4 === 0) await pause(20);
  }
  return length;
}

/** Whether bytes are those of the pattern, which is repeated without end, from an offset on. */
function isPatternAt(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== pattern[(offset + i) % LARGE_BYTES]) return false;
  }
  return true;
}

function isSocketError(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted;
}

/** A process with few descriptors gets more connections than it can take. */
async function servesAtLimitOfDescriptors(transport: Transport): Promise<void> {
  const limit = 128;
  const program = `
    // Deno opens sockets for signals some time after its start, and panics when it can not.
    Deno.addSignalListener("SIGUSR2", () => {});
    const { serve } = await import(${JSON.stringify(import.meta.resolve("./mod.ts"))});
    const options = { transport: "${transport}", hostname: "0.0.0.0", port: 0 };
    const listener = await serve(options, () => Response.json(listener.statistics()));
    console.log(listener.addr.port);`;
  await using stack = new AsyncDisposableStack();
  const child = new Deno.Command("sh", {
    args: ["-c", `ulimit -n ${limit}; exec "$0" eval "$1"`, Deno.execPath(), program],
    stdout: "piped",
  }).spawn();
  stack.defer(async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.status;
  });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  stack.defer(() => reader.cancel());
  const port = Number((await withinLimit(reader.read(), 30_000)).value);
  assert(port > 0, "the process did not start");
  await openDescriptors(child.pid);
  const before = await openDescriptors(child.pid);

  using early = await FaultClient.open(port);
  assertEquals((await early.request("/")).status, 200);
  for (let round = 0; round < 2; round++) {
    const clients = await FaultClient.openMany(port, 3 * limit);
    let answered = 0;
    const answers = handled(Promise.all(clients.map(async (client) => {
      const { status } = await client.request("/");
      assertEquals(status, 200);
      answered++;
      // Room for those who wait.
      await pause(50);
      client[Symbol.dispose]();
    })));
    for (let i = 0; i < 10; i++) assertEquals((await early.request("/")).status, 200);
    await answers;
    assertEquals(answered, clients.length);
  }
  await until(async () => {
    const { body } = await early.request("/");
    return JSON.parse(new TextDecoder().decode(body)).connectionsActive === 1;
  }, () => "connections are held that are closed");
  early[Symbol.dispose]();
  let added = new Map<string, number>();
  await until(
    async () => (added = descriptorsAdded(before, await openDescriptors(child.pid))).size === 0,
    () => `descriptors are left open: ${JSON.stringify([...added])}`,
    QUIET_MS_MAX,
  );
}
