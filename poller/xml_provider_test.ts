import { assert, assertEquals, assertRejects } from "@std/assert";
import { serveDemoProvider } from "../demo/mod.ts";
import { openFeedPool } from "../feed_pool.ts";
import type { EncodedPlans, FeedValidators } from "../store/port.ts";
import { decodePlan, encodePlan, type Plan, planKey, type Rejection } from "../domain/mod.ts";
import { hashLine } from "../store/plan_encoder.ts";
import { PoolFullError, WorkerPool, type WorkerStartError } from "../workers/mod.ts";
import type { FeedPool } from "./feed_task.ts";
import { FeedError, ProviderError, type ProviderSink } from "./provider.ts";
import { XmlProvider, type XmlProviderOptions } from "./xml_provider.ts";

const FEED = '<planList><output><base_plan base_plan_id="1" sell_mode="online" title="t">' +
  '<plan plan_id="2" plan_start_date="2021-06-30T21:00:00"/></base_plan></output></planList>';
const none: FeedValidators = { etag: null, lastModified: null };
const sink: ProviderSink = { observe: () => {}, observeEncoded: () => {}, reject: () => {} };
const neverAborted = new AbortController().signal;

/** Where the feeds of a test are read; in this thread without it. */
let pool: FeedPool | undefined;

function openProvider(options: XmlProviderOptions): XmlProvider {
  return new XmlProvider({ pool, threadBytesMin: 0, ...options });
}

/** Tests what must not depend on which thread reads the feed. */
function eitherWay(name: string, test: () => Promise<void>): void {
  Deno.test(`${name} (in this thread)`, test);
  Deno.test(`${name} (in another)`, async () => {
    await using opened = openFeedPool(1, 5_000);
    pool = opened;
    try {
      await test();
      assertEquals([opened.active, opened.queueDepth], [0, 0]);
    } finally {
      pool = undefined;
    }
  });
}

/** Reads once from a server that answers with `handler`. */
async function readFrom(
  handler: (request: Request) => Response | Promise<Response>,
  options: Partial<XmlProviderOptions> & {
    validators?: FeedValidators;
    signal?: AbortSignal;
  } = {},
) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const { validators = none, signal = neverAborted, ...rest } = options;
  const provider = openProvider({
    url: `http://127.0.0.1:${server.addr.port}/feed`,
    timeoutMs: 5_000,
    bytesMax: 1e9,
    ...rest,
  });
  let plans = 0;
  const counting: ProviderSink = {
    observe: () => plans++,
    observeEncoded: ({ keys }) => plans += keys.length,
    reject: () => {},
  };
  try {
    return { result: await provider.read(validators, counting, signal), plans };
  } finally {
    await server.shutdown();
  }
}

eitherWay("a feed is read, and what it can be asked for again with is kept", async () => {
  const headers = { etag: '"7"', "last-modified": "Fri, 20 Nov 2026 19:00:00 GMT" };
  const { result, plans } = await readFrom(() => new Response(FEED, { headers }));
  assertEquals(plans, 1);
  assertEquals(result, {
    kind: "feed",
    bytes: FEED.length,
    validators: { etag: '"7"', lastModified: "Fri, 20 Nov 2026 19:00:00 GMT" },
  });
});

eitherWay("a feed that has not changed since is not sent again", async () => {
  const { result } = await readFrom(
    (request) =>
      request.headers.get("if-none-match") === '"7"'
        ? new Response(null, { status: 304 })
        : new Response(FEED),
    { validators: { etag: '"7"', lastModified: null } },
  );
  assertEquals(result, { kind: "not_modified" });
  const error = await assertRejects(
    () => readFrom(() => new Response(null, { status: 304 })),
    ProviderError,
    "answered 304",
  );
  assertEquals(error.isTransient, false);
});

eitherWay("a feed with a date and no tag is asked for by its date", async () => {
  const lastModified = "Fri, 20 Nov 2026 19:00:00 GMT";
  const asked: (string | null)[] = [];
  const handler = ({ headers }: Request) => {
    asked.push(headers.get("if-none-match"), headers.get("if-modified-since"));
    return new Response(null, { status: 304 });
  };
  const { result } = await readFrom(handler, { validators: { etag: null, lastModified } });
  assertEquals(result, { kind: "not_modified" });
  assertEquals(asked, [null, lastModified]);
});

eitherWay(
  "the demo provider's own 304 is understood, and its feed when it has changed",
  async () => {
    await using demo = serveDemoProvider({ plans: 40, changeShare: 0.5, seasonSpeed: 0 });
    const provider = openProvider({ url: demo.url, timeoutMs: 5_000, bytesMax: 1e7 });
    const first = await provider.read(none, sink, neverAborted);
    assert(first.kind === "feed");
    const { etag, lastModified } = first.validators;
    assert(etag !== null && lastModified !== null);
    for (
      const validators of [first.validators, { etag, lastModified: null }, {
        etag: null,
        lastModified,
      }]
    ) {
      assertEquals(await provider.read(validators, sink, neverAborted), { kind: "not_modified" });
    }
    demo.provider.advance();
    assertEquals((await provider.read(first.validators, sink, neverAborted)).kind, "feed");
  },
);

eitherWay(
  "another status than 200 is an error, and whether to ask again soon depends on it",
  async () => {
    for (
      const [status, isTransient] of [
        [503, true],
        [500, true],
        [429, true],
        [408, true],
        [404, false],
        [
          401,
          false,
        ],
        [204, false],
        [206, false],
      ] as const
    ) {
      const error = await assertRejects(
        () => readFrom(() => new Response(null, { status })),
        ProviderError,
        `answered ${status} instead of 200`,
      );
      assertEquals([error.code, error.isTransient], ["provider_status", isTransient]);
    }
  },
);

eitherWay(
  "a request that takes too long is broken off, before its answer and within it",
  async () => {
    const never = new Promise<Response>((resolve) =>
      setTimeout(() => resolve(new Response()), 1_500)
    );
    const halfway = () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(FEED.slice(0, 50)));
          },
        }),
      );
    for (const handler of [() => never, halfway]) {
      const error = await assertRejects(
        () => readFrom(handler, { timeoutMs: 200 }),
        ProviderError,
        "PROVIDER_TIMEOUT",
      );
      assertEquals([error.code, error.isTransient], ["provider_timeout", true]);
    }
  },
);

eitherWay("the caller breaks a request off, before its answer and within it", async () => {
  for (const isAnswered of [false, true]) {
    const stop = new AbortController();
    const gone = Promise.withResolvers<void>();
    const handler = async (request: Request) => {
      request.signal.addEventListener("abort", () => gone.resolve());
      setTimeout(() => stop.abort(), 20);
      if (!isAnswered) {
        await gone.promise;
        return new Response();
      }
      return new Response(endless(FEED.slice(0, 50), gone.resolve));
    };
    const error = await assertRejects(
      () => readFrom(handler, { signal: stop.signal }),
      ProviderError,
    );
    assertEquals(error.code, "provider_unreachable", "and not a timeout");
    await gone.promise; // the server sees it too: the connection is not left open
  }
});

eitherWay("a feed larger than allowed is refused while it is read", async () => {
  const cancelled = Promise.withResolvers<void>();
  const bytes = { sent: 0 };
  const error = await assertRejects(
    () =>
      readFrom(
        () =>
          new Response(
            endless(`${FEED.slice(0, 50)}${" ".repeat(65_536)}`, cancelled.resolve, bytes),
          ),
        { bytesMax: 100_000 },
      ),
    FeedError,
    "PROVIDER_MAX_BYTES",
  );
  assertEquals(error.code, "feed_too_large");
  await cancelled.promise;
  // What the sockets of both sides buffer comes on top of the limit.
  assert(bytes.sent < 50e6, `${bytes.sent} bytes were sent`);
});

/** A body of a text and then spaces for ever; says when nobody reads it any more. */
function endless(text: string, onCancel: () => void, count = { sent: 0 }) {
  const first = new TextEncoder().encode(text);
  let timer: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      // A turn of the event loop each, so that a reader that leaves is heard.
      await new Promise<void>((resolve) => timer = setTimeout(resolve, 0));
      controller.enqueue(count.sent === 0 ? first : new Uint8Array(first.length).fill(32));
      count.sent += first.length;
    },
    cancel() {
      clearTimeout(timer);
      onCancel();
    },
  });
}

const gzip = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) =>
  new Response(stream.pipeThrough(new CompressionStream("gzip"))).arrayBuffer();

eitherWay("a compressed feed is read, and a compression bomb is refused early", async () => {
  const headers = { "content-encoding": "gzip" };
  const small = await gzip(new Blob([FEED]).stream());
  assertEquals((await readFrom(() => new Response(small, { headers }))).plans, 1);

  const comment = `<!--${" ".repeat(500_000)}-->`;
  const bomb = await gzip(new Blob(["<planList>", ...Array<string>(200).fill(comment)]).stream());
  assert(bomb.byteLength < 200_000);
  const error = await assertRejects(
    () => readFrom(() => new Response(bomb, { headers })),
    FeedError,
  );
  assert(/compression bomb/.test(error.message), error.message);
});

eitherWay(
  "a compressed feed of unknown length is bounded by the size after decompression",
  async () => {
    await using demo = serveDemoProvider({ fault: "gzip-bomb" });
    const provider = openProvider({ url: demo.url, timeoutMs: 10_000, bytesMax: 2e6 });
    const error = await assertRejects(() => provider.read(none, sink, neverAborted), FeedError);
    assertEquals(error.code, "feed_too_large");
  },
);

eitherWay("a compressed feed that is cut short or damaged is an error, never a feed", async () => {
  const whole = new Uint8Array(await gzip(new Blob([FEED]).stream()));
  const damaged = whole.slice();
  damaged[whole.length >> 1] ^= 0xff;
  for (const bytes of [whole.slice(0, whole.length >> 1), whole.slice(0, -4), damaged]) {
    const headers = { "content-encoding": "gzip" };
    const error = await assertRejects(() => readFrom(() => new Response(bytes, { headers })));
    assert(error instanceof ProviderError || error instanceof FeedError, String(error));
  }
});

eitherWay("a connection that is cut within the body is an error worth another try", async () => {
  const chunked = (text: string) =>
    `transfer-encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n`;
  for (
    const rest of [`content-length: ${FEED.length + 1}\r\n\r\n${FEED}`, chunked(FEED), "content-"]
  ) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answered = (async () => {
      using connection = await listener.accept();
      await connection.read(new Uint8Array(4_096));
      await connection.write(new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${rest}`));
    })();
    const url = `http://127.0.0.1:${listener.addr.port}/feed`;
    const provider = openProvider({ url, timeoutMs: 5_000, bytesMax: 1e6 });
    const error = await assertRejects(
      () => provider.read(none, sink, neverAborted),
      ProviderError,
      provider.name,
    );
    assertEquals([error.code, error.isTransient], ["provider_unreachable", true], rest);
    await answered;
  }
});

eitherWay("a redirect is followed, and one in circles is an error", async () => {
  const { result } = await readFrom(({ url }) =>
    new URL(url).pathname === "/feed"
      ? new Response(null, { status: 302, headers: { location: "/moved" } })
      : new Response(FEED)
  );
  assertEquals(result.kind, "feed");
  const error = await assertRejects(
    () => readFrom(({ url }) => new Response(null, { status: 302, headers: { location: url } })),
    ProviderError,
    "redirect",
  );
  assertEquals(error.code, "provider_unreachable");
  const nowhere = await assertRejects(
    () =>
      readFrom(() =>
        new Response(null, { status: 302, headers: { location: "http://[x?key=secret" } })
      ),
    ProviderError,
  );
  assert(!nowhere.message.includes("secret"), nowhere.message);
});

eitherWay("what listens but does not speak HTTP is an error that names the provider", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answered = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(4_096));
    await connection.write(new TextEncoder().encode("220 mail.example ESMTP\r\n"));
  })();
  const url = `http://127.0.0.1:${listener.addr.port}/feed`;
  const provider = openProvider({ url, timeoutMs: 5_000, bytesMax: 1e6 });
  const error = await assertRejects(
    () => provider.read(none, sink, neverAborted),
    ProviderError,
    provider.name,
  );
  assertEquals(error.code, "provider_unreachable");
  await answered;
});

eitherWay("a port where nothing listens is an error that names the provider", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const url = `http://user:secret@127.0.0.1:${port}/feed?key=(secret)secret`;
  const provider = openProvider({ url, timeoutMs: 1_000, bytesMax: 1e6 });
  assertEquals(provider.name, `http://127.0.0.1:${port}/feed`, "without its secrets");
  const error = await assertRejects(
    () => provider.read(none, sink, neverAborted),
    ProviderError,
    provider.name,
  );
  assertEquals([error.code, error.isTransient], ["provider_unreachable", true]);
  assert(/refused/i.test(error.message), `it says why: ${error.message}`);
  assert(!error.message.includes("secret"), `it keeps the secrets: ${error.message}`);
});

/** The plans of an EncodedPlans, each checked against its key and hash. */
function decodeAll({ keys, hashes, lines, ends }: EncodedPlans): Plan[] {
  assertEquals([hashes.length, ends.length, ends.at(-1) ?? 0], [
    keys.length,
    keys.length,
    lines.length,
  ]);
  return keys.map((key, i) => {
    const plan = decodePlan(new TextDecoder().decode(lines.subarray(ends[i - 1] ?? 0, ends[i])));
    assertEquals([planKey(plan), hashLine(encodePlan(plan))], [key, hashes[i]]);
    return plan;
  });
}

Deno.test("a large feed gives the same plans, in the same order, whichever thread reads it", async () => {
  await using demo = serveDemoProvider({ plans: 20_000, seasonSpeed: 0, changeShare: 0 });
  await using opened = openFeedPool(1, 30_000);
  const read = async (pool?: FeedPool) => {
    const plans: Plan[] = [];
    const rejections: Rejection[] = [];
    const provider = new XmlProvider({ url: demo.url, timeoutMs: 30_000, bytesMax: 1e9, pool });
    const result = await provider.read(none, {
      observe: (plan) => plans.push(plan),
      observeEncoded: (encoded) => plans.push(...decodeAll(encoded)),
      reject: (rejection) => rejections.push(rejection),
    }, neverAborted);
    return { result, plans, rejections };
  };
  const here = await read();
  const there = await read(opened);
  assert(here.plans.length > 15_000 && here.rejections.length > 0, `${here.plans.length} plans`);
  assertEquals(there.plans.length, here.plans.length);
  assertEquals(there, here);
});

Deno.test("only a feed that was large the last time, or is not known, takes a thread", async () => {
  const large = FEED.replace(">", `>${"<!-- nothing -->".repeat(80_000)}`);
  let answer = FEED;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(answer),
  );
  await using pool = openFeedPool(1, 5_000);
  const url = `http://127.0.0.1:${server.addr.port}/feed`;
  const provider = new XmlProvider({ url, timeoutMs: 5_000, bytesMax: 1e9, pool });
  const ways: string[] = [];
  const noting: ProviderSink = {
    ...sink,
    observe: () => ways.push("here"),
    observeEncoded: () => ways.push("there"),
  };
  for (const next of [FEED, FEED, large, large, FEED, FEED]) {
    answer = next;
    await provider.read(none, noting, neverAborted);
  }
  assertEquals(ways, ["there", "here", "here", "there", "there", "here"]);
  await server.shutdown();
});

Deno.test("where the pool has no threads feeds are read in this one from then on, and it is told once", async () => {
  await using pool: FeedPool = new WorkerPool({
    name: "parse",
    module: new URL("file:///nowhere/feed_worker.ts"),
    threads: 1,
    queueMax: 1,
  });
  await using demo = serveDemoProvider({ plans: 40, seasonSpeed: 0 });
  const told: WorkerStartError[] = [];
  const provider = new XmlProvider({
    url: demo.url,
    timeoutMs: 5_000,
    bytesMax: 1e9,
    threadBytesMin: 0,
    pool,
    onThreadFailed: (error) => told.push(error),
  });
  for (let i = 0; i < 3; i++) {
    let plans = 0;
    const counting = { ...sink, observe: () => plans++ };
    await provider.read(none, counting, neverAborted);
    assert(plans > 0);
  }
  assertEquals(told.length, 1);
  assert(/parse pool cannot start/.test(told[0].message), told[0].message);
});

Deno.test("a feed that would wait where too many do is a PoolFullError, and no request is made", async () => {
  const gone = Promise.withResolvers<Response>();
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    requests++;
    return gone.promise;
  });
  await using pool: FeedPool = new WorkerPool({
    name: "parse",
    module: new URL("../feed_worker.ts", import.meta.url),
    threads: 1,
    queueMax: 0,
  });
  const url = `http://127.0.0.1:${server.addr.port}/feed`;
  const provider = new XmlProvider({ url, timeoutMs: 5_000, bytesMax: 1e9, pool });
  const first = provider.read(none, sink, neverAborted);
  await assertRejects(() => provider.read(none, sink, neverAborted), PoolFullError);
  gone.resolve(new Response(FEED));
  assertEquals((await first).kind, "feed");
  assertEquals(requests, 1);
  await server.shutdown();
});
