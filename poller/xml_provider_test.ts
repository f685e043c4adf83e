import { assert, assertEquals, assertRejects } from "@std/assert";
import { FeedError, ProviderError } from "./provider.ts";
import { XmlProvider, type XmlProviderOptions } from "./xml_provider.ts";

const FEED = '<planList><output><base_plan base_plan_id="1" sell_mode="online" title="t">' +
  '<plan plan_id="2" plan_start_date="2021-06-30T21:00:00"/></base_plan></output></planList>';
const none = { etag: null, lastModified: null };

/** Reads once from a server that answers with `handler`. */
async function readFrom(
  handler: (request: Request) => Response | Promise<Response>,
  options: Partial<XmlProviderOptions> & {
    validators?: typeof none | { etag: string; lastModified: null };
  } = {},
) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const { validators = none, ...rest } = options;
  const provider = new XmlProvider({
    url: `http://127.0.0.1:${server.addr.port}/feed`,
    timeoutMs: 5_000,
    bytesMax: 1e9,
    ...rest,
  });
  let plans = 0;
  const sink = { observe: () => plans++, reject: () => {} };
  try {
    return { result: await provider.read(validators, sink, new AbortController().signal), plans };
  } finally {
    await server.shutdown();
  }
}

Deno.test("a feed is read, and what it can be asked for again with is kept", async () => {
  const headers = { etag: '"7"', "last-modified": "Fri, 20 Nov 2026 19:00:00 GMT" };
  const { result, plans } = await readFrom(() => new Response(FEED, { headers }));
  assertEquals(plans, 1);
  assertEquals(result, {
    kind: "feed",
    bytes: FEED.length,
    validators: { etag: '"7"', lastModified: "Fri, 20 Nov 2026 19:00:00 GMT" },
  });
});

Deno.test("a feed that has not changed since is not sent again", async () => {
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

Deno.test("another status than 200 is an error, and whether to ask again soon depends on it", async () => {
  for (
    const [status, isTransient] of [[503, true], [500, true], [429, true], [404, false], [
      204,
      false,
    ]] as const
  ) {
    const error = await assertRejects(
      () => readFrom(() => new Response(null, { status })),
      ProviderError,
      `answered ${status} instead of 200`,
    );
    assertEquals([error.code, error.isTransient], ["provider_status", isTransient]);
  }
});

Deno.test("a request that takes too long is broken off, before its answer and within it", async () => {
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
});

Deno.test("a feed larger than allowed is refused while it is read", async () => {
  const error = await assertRejects(
    () => readFrom(() => new Response(FEED + " ".repeat(1e6)), { bytesMax: 100_000 }),
    FeedError,
    "PROVIDER_MAX_BYTES",
  );
  assertEquals(error.code, "feed_too_large");
});

const gzip = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) =>
  new Response(stream.pipeThrough(new CompressionStream("gzip"))).arrayBuffer();

Deno.test("a compressed feed is read, and a compression bomb is refused early", async () => {
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

Deno.test("a port where nothing listens is an error that names the provider", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const url = `http://user:secret@127.0.0.1:${port}/feed?key=secret`;
  const provider = new XmlProvider({ url, timeoutMs: 1_000, bytesMax: 1e6 });
  assertEquals(provider.name, `http://127.0.0.1:${port}/feed`, "without its secrets");
  const sink = { observe: () => {}, reject: () => {} };
  const error = await assertRejects(
    () => provider.read(none, sink, new AbortController().signal),
    ProviderError,
    provider.name,
  );
  assertEquals([error.code, error.isTransient], ["provider_unreachable", true]);
});
