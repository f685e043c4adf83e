/**
 * A load with a constant rate, whatever the answers take: each request has its time, waits for a free connection if
 * there is none, and its latency counts from the time that it had. So a server that stops for a while is seen as late
 * by all who would have asked meanwhile. Prints the figures as one line of JSON.
 * `deno run --allow-net --allow-read bench/open_loop.ts PORT REQUESTS_PER_SECOND SECONDS PATHS`
 *
 * PATHS is a JSON array of paths, asked one after the other, round and round.
 *
 * @module
 */
import { getRequest, HttpConnection } from "./http_connection.ts";
import type { Ticks } from "./ticker_worker.ts";

/** What was seen of a server. */
export interface OpenLoopFigures {
  requests: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** The 99th percentile of how late requests were sent, which is the client's own share of their latencies. */
  lateP99Ms: number;
}

const CONNECTIONS = 64;
/** Requests that wait for a connection; past it the server does not keep up, and latencies say nothing. */
const WAITING_MAX = 50_000;
/** Time between everything being connected and the first request. */
const LEAD_MS = 50;
/** What is asked before the load, at the same rate, and not counted: this client has to be compiled first. */
const WARM_UP_SECONDS = 0.5;

const [port, rate, seconds] = Deno.args.slice(0, 3).map(Number);
const requests = (JSON.parse(await Deno.readTextFile(Deno.args[3])) as string[])
  .map((path) => getRequest(path));

const uncounted = Math.round(rate * WARM_UP_SECONDS);
const count = uncounted + rate * seconds;
const latencies = new Float64Array(count);
const lateness = new Float64Array(count);
const free = await Promise.all(
  Array.from({ length: CONNECTIONS }, () => HttpConnection.open(port)),
);
const connections = [...free];
const done = Promise.withResolvers<void>();
const startMs = performance.timeOrigin + performance.now() + LEAD_MS;
const intervalMs = 1_000 / rate;
let released = 0, sent = 0, answered = 0;

const ticker = new Worker(new URL("ticker_worker.ts", import.meta.url), { type: "module" });
ticker.onmessage = ({ data: due }: MessageEvent<number>) => {
  const now = sinceStart();
  for (; released < due; released++) lateness[released] = now - released * intervalMs;
  if (released - sent > WAITING_MAX) {
    done.reject(new Error(`the server does not keep up with ${rate} requests/s`));
  }
  while (sent < released && free.length > 0) ask(free.pop()!).catch(done.reject);
};
ticker.postMessage({ startMs, intervalMs, count } satisfies Ticks);
await done.promise;
ticker.terminate();
for (const connection of connections) connection[Symbol.dispose]();

const counted = latencies.subarray(uncounted).sort();
console.log(JSON.stringify(
  {
    requests: counted.length,
    p50Ms: percentile(counted, 0.5),
    p99Ms: percentile(counted, 0.99),
    maxMs: percentile(counted, 1),
    lateP99Ms: percentile(lateness.subarray(uncounted).sort(), 0.99),
  } satisfies OpenLoopFigures,
));

/** Asks until nobody waits any more. */
async function ask(connection: HttpConnection): Promise<void> {
  while (sent < released) {
    const number = sent++;
    const { status } = await connection.send(requests[number % requests.length]);
    if (status !== 200) throw new Error(`an answer was ${status}`);
    latencies[number] = sinceStart() - number * intervalMs;
    if (++answered === count) done.resolve();
  }
  free.push(connection);
}

function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function sinceStart(): number {
  return performance.timeOrigin + performance.now() - startMs;
}
