import { assert, assertArrayIncludes, assertEquals, assertStringIncludes } from "@std/assert";
import { basePlan, feed, FeedServer, plan } from "./feed_server.ts";
import { Service } from "./service.ts";
import {
  adminPost,
  eventually,
  idOf,
  type Poll,
  pollOnce,
  searchFor,
  versionOf,
} from "./target.ts";

const DAY = ["2040-05-01T20:00:00", "2040-05-01T22:00:00"] as const;

function start(server: FeedServer, file: string): Promise<Service> {
  return Service.start({ settings: { PROVIDER_URL: server.url, KV_PATH: file } });
}

function poll({ url, adminUrl }: Service): Promise<Poll> {
  return pollOnce({ url, adminUrl: adminUrl!, adminToken: null });
}

Deno.test("a restart on the same file keeps events, version, ids and history while the provider is down", async () => {
  await using server = new FeedServer();
  const folder = await Deno.makeTempDir();
  const file = `${folder}/marquee.kv`;
  const xml = (title: string) =>
    feed([
      basePlan("1", title, [plan("1", ...DAY), plan("2", ...DAY)]),
      basePlan("2", "Hidden", [plan("1", ...DAY)], { sell_mode: "offline" }),
      basePlan("3", "Unreadable", [plan(undefined, ...DAY)]),
    ]);
  const eventUrl = async (service: Service) => `${service.url}/events/${await idOf("1", "2")}`;
  let events, version: number, etag: string | null, event, polls: number;
  {
    server.xml = xml("Before");
    await using service = await start(server, file);
    await poll(service);
    server.xml = xml("After");
    assertEquals((await poll(service)).changed, 2);
    events = await searchFor(service.url);
    assertEquals(events.length, 2);
    version = await versionOf(service.url);
    etag = (await fetch(`${service.url}/search`)).headers.get("etag");
    event = (await (await fetch(await eventUrl(service))).json()).data.event;
    polls = (await (await fetch(`${service.adminUrl}/polls?limit=1000`)).json()).data.polls.length;
    assertEquals((await service.stop()).code, 0);
  }
  server.respond = () => new Response(null, { status: 503 });
  {
    await using service = await start(server, file);
    await eventually(async () => await versionOf(service.url) >= 0, "the catalogue");
    assertEquals(await searchFor(service.url), events);
    assertEquals(await versionOf(service.url), version);
    const response = await fetch(`${service.url}/search`, { headers: { "if-none-match": etag! } });
    assertEquals(response.status, 304, "the ETag of before is still good");
    const after = (await (await fetch(await eventUrl(service))).json()).data.event;
    assertEquals(after, event);
    const log = (await (await fetch(`${service.adminUrl}/polls?limit=1000`)).json()).data.polls;
    assert(log.length >= polls);
    const { rejected } = (await (await fetch(`${service.adminUrl}/rejected`)).json()).data;
    assertEquals(rejected.map(({ base_plan_id }: { base_plan_id: string }) => base_plan_id), ["3"]);
    assertEquals((await poll(service)).outcome, "failed");

    server.respond = null;
    assertEquals(
      (await poll(service)).outcome,
      "unchanged",
      "what is stored is what the feed says",
    );
    assertEquals(await versionOf(service.url), version);
    server.xml = xml("After the restart");
    assertEquals((await poll(service)).version, version + 1);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a stream resumes from before a restart", async () => {
  await using server = new FeedServer();
  const folder = await Deno.makeTempDir();
  const file = `${folder}/marquee.kv`;
  const days = (count: number) =>
    feed([basePlan("1", "A", Array.from({ length: count }, (_, n) => plan(String(n), ...DAY)))]);
  let first: number;
  {
    await using service = await start(server, file);
    server.xml = days(1);
    first = (await poll(service)).version;
    server.xml = days(3);
    await poll(service);
    server.xml = days(1);
    await poll(service);
    await service.stop();
  }
  await using service = await start(server, file);
  const response = await fetch(`${service.url}/events/stream`, {
    headers: { "last-event-id": String(first) },
  });
  let text = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.split("data:").length > 2 && text.endsWith("\n\n")) break;
  }
  assertStringIncludes(text, JSON.stringify({ version: first + 1, added: 2, changed: 0 }));
  // Those that are no longer listed have changed, as the stream told before the restart too.
  assertStringIncludes(text, JSON.stringify({ version: first + 2, added: 0, changed: 2 }));
  await service.stop();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("another store has other ETags, though its version is the same", async () => {
  await using server = new FeedServer();
  server.xml = feed([basePlan("1", "The same", [plan("1", ...DAY)])]);
  const etags = new Set<string | null>();
  for (let n = 0; n < 2; n++) {
    await using service = await start(server, ":memory:");
    await poll(service);
    assertEquals(await versionOf(service.url), 1);
    etags.add((await fetch(`${service.url}/search`)).headers.get("etag"));
  }
  assertEquals(etags.size, 2);
});

Deno.test("killed in the middle of storing a poll, it comes back with one version, whole, and completes it", async () => {
  // At several points of the poll, each with a store of its own.
  const moments = [20, 150, "visible"] as const;
  const outcomes = await Promise.all(moments.map((moment) => killAndRestart(moment)));
  console.log(`    found after the kill: ${outcomes.join(", ")}`);
  // What is visible is to stay so, though the events are still being brought up behind it.
  assertEquals(outcomes.at(-1), "the new version");
});

/** @param moment So many milliseconds after the feed was asked for, or as soon as searches show it */
async function killAndRestart(moment: number | "visible"): Promise<string> {
  const plans = 4_000;
  await using server = new FeedServer();
  const folder = await Deno.makeTempDir();
  const file = `${folder}/marquee.kv`;
  const generation = (name: string, more: string[] = []) =>
    feed([
      basePlan("1", name, Array.from({ length: plans }, (_, n) => plan(String(n), ...DAY))),
      ...more,
    ]);
  const added = [
    basePlan("2", "two", Array.from({ length: 500 }, (_, n) => plan(String(n), ...DAY))),
  ];
  server.xml = generation("one");
  let version: number;
  {
    await using service = await start(server, file);
    await poll(service);
    version = await versionOf(service.url);
    server.xml = generation("two", added);
    const sent = server.requests.length;
    const polling = adminPost({ adminUrl: service.adminUrl!, adminToken: null }, "/poll").catch(
      () => null,
    );
    await eventually(() => server.requests.length > sent, "the poll is under way");
    if (moment !== "visible") await new Promise((resolve) => setTimeout(resolve, moment));
    else await eventually(async () => await versionOf(service.url) > version, "the new version");
    service.signal("SIGKILL");
    await service.ended;
    await (await polling)?.body?.cancel().catch(() => {});
  }
  const xml = server.xml;
  server.respond = () => new Response(null, { status: 503 });
  await using service = await start(server, file);
  await eventually(async () => await versionOf(service.url) > 0, "the catalogue");
  const events = await searchFor(service.url);
  const titles = new Set(events.map(({ title }) => title));
  assertEquals(titles.size, 1, `two generations at once: ${[...titles]}`);
  const isNew = titles.has("two");
  assertEquals(events.length, isNew ? plans + 500 : plans);
  assertEquals(await versionOf(service.url), isNew ? version + 1 : version);

  server.xml = xml;
  server.respond = null;
  // The lease of the one that was killed has to lapse first: whoever asks for a poll waits for that.
  let after503 = await poll(service);
  // It may have joined the poll of the start, which still found the provider down.
  if (after503.outcome === "failed") after503 = await poll(service);
  assertArrayIncludes(["changed", "unchanged"], [after503.outcome]);
  assertEquals(await versionOf(service.url), version + 1);
  const after = await searchFor(service.url);
  assertEquals(after.length, plans + 500);
  assertEquals(new Set(after.map(({ title }) => title)), new Set(["two"]));
  await service.stop();
  await Deno.remove(folder, { recursive: true });
  return isNew ? "the new version" : "the old version";
}
