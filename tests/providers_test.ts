import { assert, assertEquals, assertGreaterOrEqual, assertStringIncludes } from "@std/assert";
import { basePlan, feed, FeedServer, plan, xmlResponse, zone } from "./feed_server.ts";
import { Service } from "./service.ts";
import { adminPost, eventually, type Poll, searchFor, versionOf } from "./target.ts";

const DAY = ["2040-05-01T20:00:00", "2040-05-01T22:00:00"] as const;
const event = (id: string, title: string) => basePlan(id, title, [plan("1", ...DAY, [zone(1)])]);

async function pollAll(service: Service): Promise<Poll[]> {
  const response = await adminPost({ adminUrl: service.adminUrl!, adminToken: null }, "/poll");
  assertEquals(response.status, 200);
  const { polls } = (await response.json()).data as { polls: Poll[] };
  const newest = Math.max(0, ...polls.map(({ version }) => version));
  assertGreaterOrEqual(await versionOf(service.url), newest);
  return polls;
}

const titles = async (service: Service) =>
  (await searchFor(service.url)).map(({ title }) => title).sort();

Deno.test("several providers are polled side by side, and their events are searched together", async () => {
  await using one = new FeedServer();
  await using two = new FeedServer();
  one.xml = feed([event("1", "of one"), event("2", "of one as well")]);
  two.xml = feed([event("3", "of two")]);
  await using service = await Service.start({
    settings: { PROVIDER_URL: `${one.url}, ${two.url}` },
  });
  const polls = await pollAll(service);
  assertEquals(polls.length, 2);
  assertEquals(new Set(polls.map(({ provider }) => provider)).size, 2);
  assertEquals(await titles(service), ["of one", "of one as well", "of two"]);

  // What one of them no longer lists is not what the other lists.
  one.xml = feed([event("1", "of one, changed")]);
  const after = await pollAll(service);
  assertEquals(after.map(({ outcome, unlisted }) => [outcome, unlisted]).sort(), [
    ["changed", 1],
    ["unchanged", 0],
  ]);
  assertEquals(await titles(service), ["of one as well", "of one, changed", "of two"]);
  const stats = (await (await fetch(`${service.adminUrl}/stats`)).json()).data;
  assertEquals(stats.providers.length, 2);
});

Deno.test("feeds that differ in their query alone are told apart", async () => {
  await using server = new FeedServer();
  const one = feed([event("1", "of one")]), two = feed([event("2", "of two")]);
  server.respond = ({ url }) => xmlResponse(url.endsWith("city=1") ? one : two);
  await using service = await Service.start({
    settings: { PROVIDER_URL: `${server.url}?city=1,${server.url}?city=2` },
  });
  await pollAll(service);
  assertEquals(await titles(service), ["of one", "of two"]);
  const again = await pollAll(service);
  assertEquals(again.map(({ outcome, unlisted }) => [outcome, unlisted]), [
    ["unchanged", 0],
    ["unchanged", 0],
  ]);
  assertEquals(new Set(again.map(({ provider }) => provider)).size, 2);
});

Deno.test("a provider that hangs or fails holds up no other", async () => {
  await using slow = new FeedServer();
  await using good = new FeedServer();
  slow.respond = () => slow.hang();
  good.xml = feed([event("1", "first")]);
  await using service = await Service.start({
    settings: {
      PROVIDER_URL: `${slow.url},${good.url}`,
      PROVIDER_TIMEOUT: "60s",
      POLL_INTERVAL: "1s",
    },
  });
  await eventually(async () => (await titles(service)).includes("first"), "the good one's event");
  good.xml = feed([event("1", "second")]);
  await eventually(async () => (await titles(service)).includes("second"), "the good one's change");
  assertEquals((await fetch(`${service.url}/ready`)).status, 200);
});

Deno.test("a request that takes longer than PROVIDER_TIMEOUT is broken off and tried again", async () => {
  await using server = new FeedServer();
  server.respond = () => server.hang();
  await using service = await Service.start({
    settings: { PROVIDER_URL: server.url, PROVIDER_TIMEOUT: "100ms" },
  });
  const [poll] = await pollAll(service);
  assertEquals([poll.outcome, poll.error?.code], ["failed", "provider_timeout"]);
  assertStringIncludes(poll.error!.message, "PROVIDER_TIMEOUT");
  assertGreaterOrEqual(poll.attempts, 2);
  assertEquals(server.requests.length >= poll.attempts, true);
});

Deno.test("a provider that keeps failing is left alone for a while, and searches go on", async () => {
  await using server = new FeedServer();
  server.xml = feed([event("1", "known")]);
  await using service = await Service.start({ settings: { PROVIDER_URL: server.url } });
  await pollAll(service);
  server.respond = () => new Response(null, { status: 503 });
  let skipped: Poll | undefined;
  for (let polls = 0; polls < 6 && skipped === undefined; polls++) {
    const [poll] = await pollAll(service);
    if (poll.outcome === "skipped") skipped = poll;
    else assertEquals(poll.outcome, "failed");
  }
  assert(skipped !== undefined, "the circuit breaker never opened");
  assertEquals(skipped.error?.code, "breaker_open");
  const asked = server.requests.length;
  assertEquals((await pollAll(service))[0].outcome, "skipped");
  assertEquals(server.requests.length, asked, "it was asked all the same");
  const metrics = await (await fetch(`${service.adminUrl}/metrics`)).text();
  assert(
    /^provider_breaker_state\{.*\} 2$/m.test(metrics),
    "the metric does not say that it is open",
  );
  assert(/^provider_polls_total\{.*outcome="skipped"\} 2$/m.test(metrics));
  assertEquals(await titles(service), ["known"]);
  await service.line(
    ({ level, message }) => level === "warning" && /breaker/.test(message),
    "the breaker",
  );
});

Deno.test("a feed that lists nothing is logged as a warning", async () => {
  await using server = new FeedServer();
  await using service = await Service.start({ settings: { PROVIDER_URL: server.url } });
  const line = await service.line(
    ({ level, message }) => level === "warning" && /lists nothing/.test(message),
    "it",
  );
  assertEquals(line.outcome, "empty");
});

Deno.test("the credentials of a provider's URL are in no log, no metric and no answer", async () => {
  await using server = new FeedServer();
  server.xml = feed([event("1", "secret")]);
  const { host } = new URL(server.url);
  await using service = await Service.start({
    settings: { PROVIDER_URL: `http://user:hunter2@${host}/feed?key=hunter2`, LOG_LEVEL: "debug" },
  });
  await pollAll(service);
  server.respond = () => new Response(null, { status: 500 });
  await pollAll(service);
  const [{ id }] = await searchFor(service.url);
  const texts = [JSON.stringify(service.lines)];
  for (const path of ["/metrics", "/stats", "/polls", "/rejected"]) {
    texts.push(await (await fetch(service.adminUrl + path)).text());
  }
  texts.push(await (await fetch(`${service.url}/events/${id}`)).text());
  for (const text of texts) assertEquals(text.includes("hunter2"), false, text);
});

Deno.test("POLL_INTERVAL polls by itself", async () => {
  await using server = new FeedServer();
  await using service = await Service.start({
    settings: { PROVIDER_URL: server.url, POLL_INTERVAL: "1s" },
  });
  await eventually(() => server.requests.length >= 3, "three polls");
  server.xml = feed([event("1", "came by itself")]);
  await eventually(async () => (await titles(service)).length === 1, "the event");
});

Deno.test("POST /poll is 503 at once where a provider would wait behind too many others", async () => {
  await using slow = new FeedServer();
  slow.respond = () => slow.hang();
  // Four are read at once and sixteen wait.
  const urls = Array.from({ length: 21 }, (_, n) => `${slow.url}/${n}`);
  await using service = await Service.start({
    settings: { PROVIDER_URL: urls.join(","), PROVIDER_TIMEOUT: "60s" },
  });
  const queued = async () =>
    (await (await fetch(`${service.adminUrl}/stats`)).json()).data.worker_pool_queue_depth;
  await eventually(async () => (await queued()).parse === 16, "a full queue");
  const response = await adminPost({ adminUrl: service.adminUrl!, adminToken: null }, "/poll");
  assertEquals([response.status, response.headers.get("retry-after")], [503, "5"]);
  const { error } = await response.json();
  assertEquals(error.code, "service_overloaded");
  assertStringIncludes(error.message, "the parse pool is full: 4 tasks run and 16 wait");
  assertEquals((await queued()).build, 0);
  await eventually(() => Promise.resolve(slow.requests.length === 4), "the four requests");
  assertEquals((await fetch(`${service.url}/search`)).status, 200);
});
