/**
 * A compute service on the listener of `native/` and the pool of `workers/`: short work in the listener's threads, long
 * work in the pool's.
 * `deno run --allow-net --allow-ffi --allow-read examples/compute/main.ts [--port 8000] …`
 *
 * @module
 */
import { parseArgs } from "node:util";
import { RateLimiter } from "../../limits/rate_limiter.ts";
import { type Listener, serve, type ServeOptions } from "../../native/mod.ts";
import { createHandler } from "./handler.ts";
import type { ThreadData } from "./listener_thread.ts";
import { Metrics } from "./metrics.ts";
import { PrimesPool } from "./primes_pool.ts";

/** Bytes of a request's body; a longer one gets 413. */
const BODY_BYTES_MAX = 4_096;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8000" },
    transport: { type: "string", default: "auto" },
    /** Tasks that run at once, and that wait for a thread; a task more gets 503. */
    threads: { type: "string", default: "2" },
    queue: { type: "string", default: "16" },
    /** Milliseconds that a task may take, its time in the queue included; then 503. */
    "task-timeout": { type: "string", default: "2000" },
    /** Milliseconds that a body may not move; then 408. */
    "body-timeout": { type: "string", default: "5000" },
    /** Requests a second of one client; then 429. Without a limit unless given. */
    rate: { type: "string" },
  },
});
const ratePerClient = values.rate === undefined ? null : Number(values.rate);
const pool = new PrimesPool({
  threads: Number(values.threads),
  queueMax: Number(values.queue),
  taskTimeoutMs: Number(values["task-timeout"]),
});
const metrics = new Metrics(pool, () => listener.statistics());
const listener: Listener = await serve({
  hostname: "127.0.0.1",
  port: Number(values.port),
  transport: values.transport as ServeOptions["transport"],
  bodyTimeoutMs: Number(values["body-timeout"]),
  bodyBytesMax: BODY_BYTES_MAX,
  module: new URL("./listener_thread.ts", import.meta.url),
  data: {
    full: pool.full,
    // Memory that the listener's threads share: they limit a client together.
    rate: ratePerClient === null
      ? null
      : RateLimiter.allocate({ rate: null, ratePerClient }, performance.now()),
  } satisfies ThreadData,
  onError: (error) => console.error(error.message),
}, createHandler(pool, metrics));
console.log(`http://127.0.0.1:${listener.addr.port}, by ${listener.transport}`);

Deno.addSignalListener("SIGTERM", () => listener.shutdown());
Deno.addSignalListener("SIGINT", () => listener.shutdown());
await listener.finished;
await pool.close();
Deno.exit(0);
