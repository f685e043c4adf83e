import type { FeedPool } from "./poller/mod.ts";
import { FEED_QUEUE_MAX, FEED_THREADS_MAX } from "./poller/limits.ts";
import { WorkerPool } from "./workers/mod.ts";

/**
 * Opens the pool in which large feeds are read. A thread is started when the first one is to be read; where that
 * cannot be, `XmlProvider` reads it in the main thread.
 *
 * @param providers How many there are: while there are few, each has a thread of its own, so that one that is slow
 * holds up no other
 * @param providerTimeoutMs The longest that the reading of a feed may take
 */
export function openFeedPool(providers: number, providerTimeoutMs: number): FeedPool {
  const threads = Math.min(Math.max(providers, 1), FEED_THREADS_MAX);
  return new WorkerPool({
    name: "parse",
    module: new URL("./feed_worker.ts", import.meta.url),
    threads,
    queueMax: FEED_QUEUE_MAX,
    // A thread keeps PROVIDER_TIMEOUT by itself; this is for one that hangs. As long as all before it may take, and a half.
    taskTimeoutMs: (Math.ceil(FEED_QUEUE_MAX / threads) + 1.5) * providerTimeoutMs,
  });
}
