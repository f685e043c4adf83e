import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { FAULT_NAMES, type FaultName, fortune } from "./faults.ts";
import { createDemoProvider, type DemoProviderOptions } from "./provider.ts";
import { readFeed } from "./read_feed.ts";
import { serveDemoProvider } from "./serve.ts";

const NOON = new Date("2026-03-10T12:00:00Z");
const DAY_MS = 86_400_000;

/** A provider of a small season, at noon unless told otherwise. */
function serve(options: DemoProviderOptions = {}) {
  return serveDemoProvider({ plans: 40, now: () => NOON, ...options });
}

async function text(url: string, init?: RequestInit): Promise<string> {
  return await (await fetch(url, init)).text();
}

/** Everything a server sends to one request on a connection that is then closed, as Latin-1. */
async function raw(url: string): Promise<string> {
  const { hostname, port, host, pathname, search } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(head));
  let received = "";
  const buffer = new Uint8Array(65_536);
  const decoder = new TextDecoder("latin1");
  for (;;) {
    const length = await connection.read(buffer).catch(() => null);
    if (length === null) return received;
    received += decoder.decode(buffer.subarray(0, length));
  }
}

Deno.test("GET / explains every fault", async () => {
  await using running = serve();
  const explanation = await text(new URL("/", running.url).href);
  for (const name of FAULT_NAMES) assertStringIncludes(explanation, name);
});

Deno.test("other paths are 404, other methods 405 with Allow", async () => {
  await using running = serve();
  for (
    const [method, path, status, allow] of [
      ["GET", "/nothing", 404, null],
      ["GET", "/feed/", 404, null],
      ["POST", "/feed", 405, "GET, HEAD"],
      ["DELETE", "/fault", 405, "GET, HEAD"],
      ["GET", "/fault/none", 405, "PUT, POST"],
      ["PUT", "/fault/nothing", 404, null],
      ["PUT", "/fault/constructor", 404, null],
    ] as const
  ) {
    const response = await fetch(new URL(path, running.url), { method });
    await response.body?.cancel();
    assertEquals([response.status, response.headers.get("allow")], [status, allow], path);
  }
  assertEquals(running.provider.requests, 0);
});

Deno.test("HEAD answers as GET does, without the body", async () => {
  await using running = serve();
  const response = await fetch(running.url, { method: "HEAD" });
  assertEquals([response.status, await response.text()], [200, ""]);
  const etag = response.headers.get("etag");
  assertEquals((await fetch(running.url, { headers: { "if-none-match": etag! } })).status, 304);
});

Deno.test("a request may ask for another size, vocabulary, number of bad plans, and gzip", async () => {
  await using running = serve();
  const plans = (xml: string) => readFeed(xml).children[0].children.flatMap((one) => one.children);
  assertEquals(plans(await text(running.url)).length, 40);
  assertEquals(plans(await text(`${running.url}?plans=123`)).length, 123);
  assertEquals(readFeed(await text(`${running.url}?vocabulary=event`)).name, "eventList");
  const unreadable = plans(await text(`${running.url}?bad=9&plans=60`))
    .filter(({ attributes }) => attributes.plan_start_date === "por confirmar");
  assertEquals(unreadable.length, 2);

  const zipped = await fetch(`${running.url}?gzip=1`, { headers: { "accept-encoding": "gzip" } });
  assertEquals(zipped.headers.get("content-encoding"), "gzip");
  assertEquals(await zipped.text(), await text(running.url));
  for (
    const [query, accepted] of [["?gzip=1", "gzip;q=0, br"], ["?gzip=1", "identity"], ["", "gzip"]]
  ) {
    const plain = await fetch(running.url + query, { headers: { "accept-encoding": accepted } });
    await plain.body?.cancel();
    assertEquals(plain.headers.get("content-encoding"), null, accepted);
  }
});

Deno.test("a bad parameter is 400 and named, with what it may be", async () => {
  await using running = serve();
  for (
    const [query, message] of [
      ["plans=1000001", "plans is 1000001: give a whole number from 0 to 1000000"],
      ["plans=", "plans is NaN"],
      ["plans=-1", "plans is NaN"],
      ["bad=1001", "bad is 1001"],
      ["vocabulary=show", 'vocabulary is "show": give one of plan, event'],
      ["fault=fire", 'fault is "fire": give one of none, unavailable'],
    ]
  ) {
    const response = await fetch(`${running.url}?${query}`);
    assertEquals(response.status, 400, query);
    assertStringIncludes(await response.text(), message);
  }
});

Deno.test("a provider is not made from options out of range", () => {
  for (
    const [options, message] of [
      [{ plans: 1_000_001 }, "plans is 1000001"],
      [{ plans: 1.5 }, "plans is 1.5"],
      [{ seed: -1 }, "seed is -1"],
      [{ badPlans: 1_001 }, "badPlans is 1001"],
      [{ changeShare: 1.1 }, "changeShare is 1.1"],
      [{ seasonSpeed: NaN }, "seasonSpeed is NaN"],
      [{ latencyScale: 29 }, "latencyScale is 29"],
      [{ fault: "fire" as FaultName }, 'fault is "fire"'],
      [{ now: () => new Date(0) }, "before 2016"],
    ] as [DemoProviderOptions, string][]
  ) {
    assertThrows(() => createDemoProvider(options), RangeError, message);
  }
});

Deno.test("within one step the feed is the same to the byte, and conditional requests get 304", async () => {
  let now = NOON;
  await using running = serve({ now: () => now });
  const first = await fetch(running.url);
  const body = await first.text();
  const [etag, modified] = [first.headers.get("etag")!, first.headers.get("last-modified")!];
  now = new Date(NOON.getTime() + 599_000);
  assertEquals(await text(running.url), body);
  for (
    const [headers, status] of [
      [{ "if-none-match": etag }, 304],
      [{ "if-none-match": `"other", W/${etag}` }, 304],
      [{ "if-none-match": "*" }, 304],
      [{ "if-none-match": '"other"' }, 200],
      [{ "if-modified-since": modified }, 304],
      [{ "if-modified-since": new Date(Date.parse(modified) - 1_000).toUTCString() }, 200],
      [{ "if-modified-since": "yesterday" }, 200],
      [{ "if-none-match": '"other"', "if-modified-since": modified }, 200],
    ] as [HeadersInit, number][]
  ) {
    const response = await fetch(running.url, { headers });
    assertEquals((await response.text()).length, status === 304 ? 0 : [...body].length);
    assertEquals(response.status, status, JSON.stringify(headers));
    assertEquals(response.headers.get("etag"), etag);
  }
  const otherwise = await fetch(`${running.url}?plans=50`, { headers: { "if-none-match": etag } });
  await otherwise.body?.cancel();
  assertEquals(otherwise.status, 200);

  now = new Date(NOON.getTime() + 600_000);
  const next = await fetch(running.url, { headers: { "if-none-match": etag } });
  await next.body?.cancel();
  assertEquals(next.status, 200);
  assertNotEquals(next.headers.get("etag"), etag);
  assertGreater(Date.parse(next.headers.get("last-modified")!), Date.parse(modified));
});

Deno.test("no 304 is sent while a fault applies", async () => {
  await using running = serve({ latencyScale: 0 });
  const headers = {
    "if-none-match": (await fetch(running.url, { method: "HEAD" })).headers.get("etag")!,
  };
  for (const fault of FAULT_NAMES.filter((name) => name !== "none")) {
    const response = await fetch(`${running.url}?fault=${fault}`, { headers });
    await response.body?.cancel();
    assert(response.status === 200 || response.status === 503, `${fault}: ${response.status}`);
    assertEquals(response.headers.get("etag"), null, fault);
  }
});

Deno.test("advance moves the season one step, and the clock does the same", async () => {
  const ahead = new Date(NOON.getTime() + 3 * 600_000);
  await using byHand = serve({ changeShare: 0.5 });
  await using byClock = serve({ changeShare: 0.5, now: () => ahead });
  const before = await text(byHand.url);
  for (let step = 0; step < 3; step++) byHand.provider.advance();
  const after = await text(byHand.url);
  assertNotEquals(after, before);
  assertEquals(after, await text(byClock.url));
});

Deno.test("as the clock moves on the past is forgotten", async () => {
  let now = NOON;
  await using running = serve({ plans: 600, now: () => now });
  const list = async () => {
    const basePlans = readFeed(await text(running.url)).children[0].children;
    return new Map(basePlans.map((one) => [one.attributes.base_plan_id, one]));
  };
  const before = await list();
  now = new Date(NOON.getTime() + 20 * DAY_MS);
  const after = await list();
  const local = now.toISOString().slice(0, 19);
  let forgotten = 0;
  for (const [id, basePlan] of before) {
    if (Number(id) < 2_000) continue;
    const lastEnd = basePlan.children.at(-1)!.attributes.plan_end_date;
    if (after.has(id)) {
      assertGreater(after.get(id)!.children.at(-1)!.attributes.plan_end_date, local);
    } else {
      // Dates may have moved by an hour or so since.
      assertLess(Date.parse(`${lastEnd}Z`), now.getTime() + 2 * 3_600_000);
      forgotten++;
    }
  }
  assertGreater(forgotten, 5);
});

Deno.test("a change share of 0 freezes the season, a season speed of 0 only the clock", async () => {
  for (
    const [options, moves] of [[{ changeShare: 0 }, false], [{ seasonSpeed: 0 }, true]] as const
  ) {
    let now = NOON;
    await using running = serve({ ...options, plans: 600, now: () => now });
    const before = await text(running.url);
    now = new Date(NOON.getTime() + 50 * DAY_MS);
    assertEquals(await text(running.url), before);
    running.provider.advance();
    assertEquals(await text(running.url) !== before, moves);
  }
});

Deno.test("a faster season is ahead of the clock", async () => {
  let now = NOON;
  await using fast = serve({ seasonSpeed: 100, now: () => now });
  now = new Date(NOON.getTime() + 60_000);
  await using usual = serve({ now: () => new Date(NOON.getTime() + 6_000_000) });
  assertEquals(await text(fast.url), await text(usual.url));
});

Deno.test("a fault set by request or by call holds until it is set anew", async () => {
  await using running = serve();
  const fault = new URL("/fault", running.url);
  assertEquals(await text(fault.href), "none\n");
  for (const method of ["PUT", "POST"]) {
    assertEquals(await text(`${fault}/unavailable`, { method }), "unavailable\n");
    for (let n = 0; n < 2; n++) {
      const response = await fetch(running.url);
      await response.body?.cancel();
      assertEquals(response.status, 503);
    }
    assertEquals(await text(fault.href), "unavailable\n");
    assertEquals(readFeed(await text(`${running.url}?fault=none`)).name, "planList");
    running.provider.setFault("none");
    assertEquals(readFeed(await text(running.url)).name, "planList");
  }
  assertEquals(running.provider.requests, 8);
  assertThrows(() => running.provider.setFault("fire" as FaultName), RangeError, "fire");
});

Deno.test("unavailable is 503 with an empty body", async () => {
  await using running = serve({ fault: "unavailable" });
  const response = await fetch(running.url);
  assertEquals([response.status, await response.text()], [503, ""]);
});

Deno.test("latency answers only after its wait, which the signal ends", async () => {
  const stop = new AbortController();
  const options = { plans: 20, fault: "latency", latencyScale: 28, signal: stop.signal } as const;
  const provider = createDemoProvider(options);
  const answer = Promise.resolve(provider.handler(new Request("http://demo/feed")));
  const early = new Promise<string>((resolve) => setTimeout(resolve, 50, "still waiting"));
  assertEquals(await Promise.race([answer, early]), "still waiting");
  stop.abort();
  assertEquals(readFeed(await (await answer).text()).name, "planList");
});

Deno.test("the delays are 0.2 to 4.2 s, the same for the same request, and 64 % succeed", () => {
  const fortunes = Array.from({ length: 10_000 }, (_, request) => fortune(1, request));
  assertEquals(fortunes, Array.from({ length: 10_000 }, (_, request) => fortune(1, request)));
  const delays = fortunes.map(({ delayMs }) => delayMs);
  assertGreaterOrEqual(Math.min(...delays), 200);
  assertLess(Math.min(...delays), 210);
  assertLessOrEqual(Math.max(...delays), 4_200);
  assertGreater(Math.max(...delays), 4_190);
  const successes = fortunes.filter(({ isUp }) => isUp).length / fortunes.length;
  assertLess(Math.abs(successes - 0.64), 0.02);
});

Deno.test("flaky mixes the feed and 503 with an empty body", async () => {
  await using running = serve({ fault: "flaky", latencyScale: 0 });
  const feed = await text(`${running.url}?fault=none`);
  const seen = { 200: 0, 503: 0 };
  for (let request = 0; request < 100; request++) {
    const response = await fetch(running.url);
    const status = response.status as 200 | 503;
    assertEquals(await response.text(), status === 200 ? feed : "");
    seen[status]++;
  }
  assertEquals(seen[200] + seen[503], 100);
  assertGreater(seen[200], 50);
  assertGreater(seen[503], 20);
});

Deno.test("hang sends headers and nothing more", async () => {
  await using running = serve({ fault: "hang" });
  const response = await fetch(running.url);
  assertEquals(response.status, 200);
  const reader = response.body!.getReader();
  const early = new Promise<string>((resolve) => setTimeout(resolve, 100, "nothing"));
  assertEquals(await Promise.race([reader.read(), early]), "nothing");
  await reader.cancel();
});

Deno.test("drip sends the start of the feed, a few bytes at a time", async () => {
  await using running = serve();
  const feed = await text(running.url);
  const response = await fetch(`${running.url}?fault=drip`);
  const reader = response.body!.getReader();
  let received = "";
  for (let n = 0; n < 3; n++) {
    const { value } = await reader.read();
    assertLessOrEqual(value!.length, 4);
    received += new TextDecoder().decode(value);
  }
  await reader.cancel();
  assert(received.length > 0 && feed.startsWith(received), received);
});

Deno.test("cut ends the body cleanly in the middle of the document", async () => {
  await using running = serve();
  for (const plans of [20, 600]) {
    const feed = await text(`${running.url}?plans=${plans}`);
    const cut = await text(`${running.url}?plans=${plans}&fault=cut`);
    assert(feed.startsWith(cut));
    assertGreater(cut.length, feed.length / 5);
    assertLess(cut.length, feed.length * 4 / 5);
    assertThrows(() => readFeed(cut), SyntaxError);
  }
  const bytes = await raw(`${running.url}?fault=cut`);
  assertMatch(bytes, /transfer-encoding: chunked/i);
  assert(bytes.endsWith("\r\n0\r\n\r\n"), "the last chunk");
});

Deno.test("cut=reset breaks the connection in the middle of the document", async () => {
  await using running = serve();
  const feed = await text(running.url);
  const response = await fetch(`${running.url}?fault=cut&cut=reset`);
  assertEquals(response.status, 200);
  let received = "";
  const decoder = new TextDecoder();
  await assertRejects(async () => {
    for await (const chunk of response.body!) received += decoder.decode(chunk, { stream: true });
  }, TypeError);
  assert(received.length > 100 && feed.startsWith(received), received.slice(-50));
  assert(!(await raw(`${running.url}?fault=cut&cut=reset`)).endsWith("\r\n0\r\n\r\n"));
});

Deno.test("malformed is the feed with one end tag that does not match", async () => {
  await using running = serve();
  for (const plans of [0, 20, 600]) {
    const feed = await text(`${running.url}?plans=${plans}`);
    const malformed = await text(`${running.url}?plans=${plans}&fault=malformed`);
    assertThrows(() => readFeed(malformed), SyntaxError, "ends <");
    assertEquals(malformed.replace("</un-", "</"), feed);
  }
});

Deno.test("html is a page for people, with status 200", async () => {
  await using running = serve();
  const response = await fetch(`${running.url}?fault=html`);
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  assertMatch(await response.text(), /^<!doctype html>[^]*maintenance/);
});

Deno.test("doctype nests entities that expand a billion times", async () => {
  await using running = serve();
  const bomb = await text(`${running.url}?fault=doctype`);
  assertMatch(bomb, /^<\?xml[^>]*>\n<!DOCTYPE planList \[/);
  const sizes = new Map<string, number>();
  for (const [, name, value] of bomb.matchAll(/<!ENTITY (\w+) "([^"]*)">/g)) {
    const parts = [...value.matchAll(/&(\w+);/g)].map(([, part]) => sizes.get(part)!);
    sizes.set(name, parts.reduce((sum, size) => sum + size, 0) || value.length);
  }
  const [, used] = bomb.match(/title="&(\w+);"/)!;
  assertEquals(sizes.get(used), 3e9);
});

Deno.test("gzip-bomb is small, starts as a feed, and inflates to more than a gibibyte", async () => {
  await using running = serve();
  const response = await fetch(`${running.url}?fault=gzip-bomb`);
  assertEquals(response.headers.get("content-encoding"), "gzip");
  const start = new Uint8Array(8 * 2 ** 20);
  let received = 0;
  for await (const chunk of response.body!) {
    start.set(chunk.subarray(0, start.length - received), received);
    if ((received += chunk.length) >= start.length) break;
  }
  assertMatch(new TextDecoder().decode(start), /^<\?xml[^>]*>\n<planList[^>]*>\n<output>\n +$/);

  const own = running.provider.handler(new Request(`${running.url}?fault=gzip-bomb`));
  const file = await (await own).bytes();
  assertLess(file.length, 2 ** 21);
  // A gzip file ends with its inflated size.
  assertGreater(new DataView(file.buffer).getUint32(file.length - 4, true), 2 ** 30);
});

Deno.test("empty is a well-formed feed of either vocabulary that lists nothing", async () => {
  await using running = serve({ fault: "empty" });
  for (const vocabulary of ["plan", "event"]) {
    const list = readFeed(await text(`${running.url}?vocabulary=${vocabulary}`));
    assertEquals([list.name, list.children[0].name], [`${vocabulary}List`, "output"]);
    assertEquals(list.children[0].children, []);
  }
});

Deno.test("a million plans are streamed in bounded memory, whether read whole or left", async () => {
  await using running = serve();
  const before = Deno.memoryUsage().rss;
  let received = 0;
  const response = await fetch(`${running.url}?plans=1000000`);
  for await (const chunk of response.body!) {
    if ((received += chunk.length) > 100_000_000) break;
  }
  assertGreater(received, 100_000_000);

  const decoder = new TextDecoder();
  let [plans, tail] = [0, ""];
  for await (const chunk of (await fetch(`${running.url}?plans=100000`)).body!) {
    const part = tail + decoder.decode(chunk, { stream: true });
    plans += part.split("<plan ").length - 1;
    // A tag may be cut in two: what might be its start is kept for the next part.
    tail = part.slice(part.lastIndexOf("<") === -1 ? part.length : part.lastIndexOf("<"));
    if (tail.startsWith("<plan ")) tail = "";
  }
  assertEquals(plans, 100_000);
  assertLess(Deno.memoryUsage().rss - before, 250_000_000);
});

Deno.test("shutdown ends every answer in flight, however long it meant to take", async () => {
  const running = serve({ latencyScale: 28 });
  const hanging = await fetch(`${running.url}?fault=hang`);
  const dripping = await fetch(`${running.url}?fault=drip`);
  const large = await fetch(`${running.url}?plans=1000000`);
  const late = fetch(`${running.url}?fault=latency`).then((response) => response.text());
  const outcomes = Promise.allSettled([hanging.text(), dripping.text(), large.text(), late]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await running.shutdown();
  assertEquals((await outcomes)[2].status, "rejected", "the large feed");
  await assertRejects(() => fetch(running.url), TypeError);
  await running.shutdown();
});
