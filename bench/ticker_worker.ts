/**
 * Tells its starter when to do something, many times a second: timers of the event loop are a millisecond apart, which
 * is more than what is measured takes. It sleeps in a thread of its own, so that it costs next to nothing.
 *
 * @module
 */
/// <reference lib="deno.worker" />

/** What to tell: `count` times, from `startMs` by `performance.timeOrigin + performance.now()`. */
export interface Ticks {
  startMs: number;
  intervalMs: number;
  count: number;
}

const sleeping = new Int32Array(new SharedArrayBuffer(4));
const nowMs = () => performance.timeOrigin + performance.now();

self.onmessage = ({ data }: MessageEvent<Ticks>) => {
  const { startMs, intervalMs, count } = data;
  for (let told = 0; told < count;) {
    const early = startMs + told * intervalMs - nowMs();
    if (early > 0) Atomics.wait(sleeping, 0, 0, early);
    const due = Math.min(count, Math.floor((nowMs() - startMs) / intervalMs) + 1);
    if (due > told) self.postMessage(due);
    told = Math.max(told, due);
  }
};
