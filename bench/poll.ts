/**
 * A feed of 100,000 plans (about 55 MB) polled, stored and visible: time and peak memory; then again unchanged, with
 * 1 % changed, and the start of a service that finds them in its store. Of each poll also what others notice: how late
 * timers of the main thread run, and how long requests take that it answers, one every 5 ms. Needs taskset.
 * `deno task bench:poll [--quick] [--all-cores] [--help]`
 *
 * @module
 */
import { createDemoProvider } from "../demo/mod.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import { START_FLAGS } from "./start_flags.ts";
import { MainThreadProbe } from "./main_thread_probe.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { Samples } from "./samples.ts";

const { quick, "all-cores": allCores } = readBenchArguments({ "all-cores": "flag" });
const plans = quick ? 5_000 : 100_000;
const core = allCores ? null : 0;
const LIMIT_MS = 60_000;
const CHANGE_SHARE = 0.01;

/** What /stats says of the catalogue. */
interface CatalogueStats {
  version: number;
  events: number;
}

/** What POST /poll says of a poll. */
interface Poll {
  outcome: string;
  took_ms: number;
  bytes: number;
  added: number;
  changed: number;
  version: number;
}

using samples = Samples.open();
const run = samples.begin("poll", {
  quick,
  // On all cores it is another measurement, which must not pass for the newest full run.
  partial: allCores,
  settings: { plans, changeShare: CHANGE_SHARE, allCores },
});

const demo = createDemoProvider({ plans, seasonSpeed: 0, changeShare: CHANGE_SHARE });
// Written once, so that its writing is in no time measured here. Without validators every poll has to read the whole
// feed to find that nothing changed.
let document = await tellFeed();
const feed = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  () => new Response(document, { headers: { "content-type": "application/xml" } }),
);
const folder = await Deno.makeTempDir();
const kvPath = `${folder}/marquee.kv`;

{
  await using service = startService();
  const { base, admin } = await service.ports();
  const probe = new MainThreadProbe(base, service.process);
  const [, first] = await service.process.line(/"outcome":"changed".*"ms":(\d+)/);
  await until(async () => (await catalogue(admin)).version === 1);
  const { headers } = await search(base);
  expect(headers.get("x-catalogue-version") === "1", "/search has the first version");
  const visibleMs = performance.now() - service.startedAt;
  await until(async () => await applied() === 1, 250);
  const storedMs = performance.now() - service.startedAt;
  record("first poll", "committed_ms", "ms", Number(first));
  record("first poll", "visible_ms", "ms", visibleMs);
  record("first poll", "applied_ms", "ms", storedMs);
  record("first poll", "peak_mb", "MB", await service.process.peakMegabytes());
  report("first poll, committed", `${first} ms`);
  report("  from the start of the process to visible in /search", `${visibleMs.toFixed(0)} ms`);
  report("  and every event brought up behind the version", `${storedMs.toFixed(0)} ms`);
  report("  peak memory", `${await service.process.peakMegabytes()} MB`);
  await reportProbe(probe);

  await service.process.idle();
  await reportProbe(probe, "at rest");
  const before = await newestEvent();
  const same = await poll(admin);
  expect(same.outcome === "unchanged" && await newestEvent() === before, "nothing is written");
  record("unchanged", "committed_ms", "ms", same.took_ms);
  report("again, unchanged", `${same.took_ms} ms, no event and no version written`);
  for (let i = 0; i < (quick ? 1 : 4); i++) {
    await probe.take();
    report("again, unchanged", `${(await poll(admin)).took_ms} ms`);
    await reportProbe(probe);
  }

  demo.advance();
  document = await tellFeed();
  await probe.take();
  const some = await poll(admin);
  expect(some.outcome === "changed" && some.changed > 0, "some events changed");
  record("some changed", "committed_ms", "ms", some.took_ms);
  record("some changed", "changed", "events", some.changed);
  record("some changed", "feed_mb", "MB", some.bytes / 1e6);
  report("again, 1 % changed", `${some.took_ms} ms, ${some.added} added, ${some.changed} changed`);
  await reportProbe(probe);
  await until(async () => await applied() === some.version, 250);
  await probe.stop();
  report("  peak memory", `${await service.process.peakMegabytes()} MB`);
  report("  size of the feed", `${(some.bytes / 1e6).toFixed(1)} MB`);
}
{
  await using service = startService({ PROVIDER_URL: "http://127.0.0.1:9/feed" });
  const { base, admin } = await service.ports();
  await until(async () => (await catalogue(admin)).events > 0);
  const { body } = await search(base);
  const ms = performance.now() - service.startedAt;
  expect(body.data.events.length === 1, "the first answer has an event");
  record("start", "first_answer_ms", "ms", ms);
  run.end();
  report("start with these events in the store, to the first answer", `${ms.toFixed(0)} ms`);
}
await feed.shutdown();
await Deno.remove(folder, { recursive: true });

async function reportProbe(probe: MainThreadProbe, when = "meanwhile"): Promise<void> {
  const { delays, latencies } = await probe.take();
  report(`  ${when}, timers are late by`, delays);
  report("  and requests take", latencies);
}

async function tellFeed(): Promise<Uint8Array<ArrayBuffer>> {
  const { body } = await demo.handler(new Request("http://demo/feed"));
  return new Uint8Array(await new Response(body).arrayBuffer());
}

function startService(env: Record<string, string> = {}) {
  const startedAt = performance.now();
  const process = new MeasuredProcess(
    core,
    [...START_FLAGS, `--preload=${new URL("loop_delay.ts", import.meta.url).pathname}`, "main.ts"],
    {
      HOST: "127.0.0.1",
      PORT: "0",
      ADMIN_PORT: "0",
      KV_PATH: kvPath,
      POLL_INTERVAL: "24h",
      LOG_FORMAT: "json",
      LOG_LEVEL: "info",
      // The transport whose requests the main thread answers.
      TRANSPORT: "deno",
      PROVIDER_URL: `http://127.0.0.1:${feed.addr.port}/feed`,
      ...env,
    },
  );
  return {
    startedAt,
    process,
    async ports() {
      const [, port] = await process.line(/"message":"Search: .*"port":(\d+)/);
      const [, adminPort] = await process.line(/"message":"Admin: .*"port":(\d+)/);
      return { base: `http://127.0.0.1:${port}`, admin: `http://127.0.0.1:${adminPort}` };
    },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** What there is to search. The admin port is asked: /search would log a warning each time that there is nothing yet. */
async function catalogue(admin: string): Promise<CatalogueStats> {
  const response = await fetch(`${admin}/stats`);
  return (await response.json()).data.catalogue;
}

async function search(
  base: string,
): Promise<{ headers: Headers; body: { data: { events: unknown[] } } }> {
  const response = await fetch(`${base}/search?limit=1`);
  return { headers: response.headers, body: await response.json() };
}

async function poll(admin: string): Promise<Poll> {
  const response = await fetch(`${admin}/poll`, { method: "POST" });
  return (await response.json()).data.polls[0];
}

/** Looks into the store beside the running service, which is the one that writes. */
async function applied(): Promise<number> {
  using kv = await Deno.openKv(kvPath);
  return (await kv.get<number>(["applied"])).value ?? 0;
}

/** The versionstamp of the event that was written last. */
async function newestEvent(): Promise<string> {
  using kv = await Deno.openKv(kvPath);
  let newest = "";
  for await (const { versionstamp } of kv.list({ prefix: ["event"] }, { batchSize: 1_000 })) {
    if (versionstamp > newest) newest = versionstamp;
  }
  return newest;
}

async function until(condition: () => Promise<boolean>, pauseMs = 10): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`${LIMIT_MS} ms passed without it`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the bench does not measure what it says: ${what} does not hold`);
}

function record(workload: string, measure: string, unit: string, value: number): void {
  run.record({ subject: "Marquee", workload, measure, unit, value });
}

function report(what: string, value: string): void {
  console.log(`${what.padEnd(58)} ${value}`);
}
