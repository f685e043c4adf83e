/**
 * Marquee's `/search` over the events of the range benches, served as the service serves it, without poller and store.
 * Prints its port. A line "publish" on standard input has it publish editions with 1 % of the events changed, one as
 * soon as the last one is out; "stop" ends that, and it prints how many milliseconds each took. It ends when standard
 * input does.
 * With a third word, "uncounted", answers are not counted.
 * `deno run --allow-net --allow-env --allow-read --allow-sys --allow-ffi bench/catalogue_server.ts EVENTS [TRANSPORT]`
 *
 * @module
 */
import { Catalogue } from "../catalogue/mod.ts";
import { builderStarter } from "../catalogue_thread.ts";
import { chooseMemory } from "../memory_source.ts";
import { type AnsweredRequest, BODY_BYTES_MAX, createApp, searchRoute } from "../routes/mod.ts";
import { type NativeServer, openPublicServer } from "../transports/mod.ts";
import { readSettings } from "../settings.ts";
import { DURATION_BUCKETS, Metrics } from "../telemetry/mod.ts";
import { inputLines } from "./input_lines.ts";
import { CHANGE_SETS, changedEvents, rangeEvents, toLines } from "./range_events.ts";

const count = Number(Deno.args[0]);
const isCounted = Deno.args[2] !== "uncounted";
const settings = readSettings(["--transport", Deno.args[1] ?? "deno"], () => undefined);
let native: NativeServer | null = null;
const { source } = chooseMemory();
const catalogue = new Catalogue({
  storeId: "bench",
  policy: "latest",
  source,
  startBuilder: builderStarter("latest", source),
  onPublish: (edition) => native?.publish(edition),
});
await catalogue.publish({
  version: 1,
  isComplete: true,
  events: toLines(rangeEvents(count)),
  sightings: {},
});
// Until then gzip answers are not smaller.
await catalogue.settled();
// Made before anything is measured: the store would have them ready too.
const changes = Array.from(
  { length: 2 * CHANGE_SETS },
  (_, number) => toLines(changedEvents(number + 1, count)),
);

const routes = [searchRoute(catalogue)];
const metrics = new Metrics([...routes.map(({ path }) => path), "unknown"], {
  catalogue: () => ({
    events: catalogue.edition!.size,
    version: catalogue.edition!.version,
    bytes: catalogue.byteLength,
    ageSeconds: null,
  }),
  scaling: () => Promise.reject(new Error("nobody scrapes")),
  connections: () => null,
  queues: () => ({}),
});
const onFailure = (error: Error) => {
  throw error;
};
const opened = await openPublicServer({
  ...settings,
  hostname: "127.0.0.1",
  port: 0,
  threads: 1,
  connectionsMax: 1_000,
  connectionLimit: Infinity,
  bodyTimeoutMs: settings.requestTimeoutMs,
  bodyBytesMax: BODY_BYTES_MAX,
  durationBounds: DURATION_BUCKETS,
  module: new URL(
    isCounted ? "../listener_worker.ts" : "uncounted_listener_worker.ts",
    import.meta.url,
  ),
  data: { version: "bench", startedAt: 0, ...settings, rateLimit: null },
  handler: createApp({
    routes,
    requestTimeoutMs: settings.requestTimeoutMs,
    onAnswered: isCounted ? observeRequest : () => {},
  }),
  // Slow ones are logged too: a machine that is busy with other things is slow, not wrong.
  onLogged: ({ url, status }) => {
    if (status >= 400) onFailure(new Error(`${url} was answered with ${status}`));
  },
  onFailure,
});
native = opened.native;
native?.publish(catalogue.edition!);
console.log(JSON.stringify({ port: opened.server.port }));

let isPublishing = false;
let publishing: Promise<void> = Promise.resolve();
for await (const line of inputLines()) {
  if (line === "publish") {
    isPublishing = true;
    publishing = publishUntilStopped();
  } else if (line === "stop") {
    isPublishing = false;
    await publishing;
  }
}
Deno.exit(0);

/** What observers.ts does for every request, but for writing the log line, which nothing here gives cause for. */
function observeRequest({ route, method, status, seconds, bytes }: AnsweredRequest): void {
  metrics.http.observe(route, method, status, seconds, bytes);
  const isSlow = seconds * 1_000 >= settings.slowRequestMs;
  if (status < 500 && !isSlow && Math.random() >= settings.logRequests) return;
  console.error(`${method} was answered with ${status} after ${seconds} s`);
}

async function publishUntilStopped(): Promise<void> {
  const tookMs: number[] = [];
  while (isPublishing) {
    const { version } = catalogue.edition!;
    const started = performance.now();
    await catalogue.publish({
      version: version + 1,
      isComplete: false,
      events: changes[(version - 1) % changes.length],
      sightings: {},
    });
    tookMs.push(performance.now() - started);
    // The store's next step comes in a turn of its own.
    await new Promise((resolve) => setTimeout(resolve));
  }
  console.log(JSON.stringify({ version: catalogue.edition!.version, tookMs }));
}
