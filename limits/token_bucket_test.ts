import { assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { RATE_MAX } from "./limits.ts";
import { BUCKET_WORDS, fillBucket, takeToken } from "./token_bucket.ts";

Deno.test("a bucket lets through a second's requests at once, then its rate", () => {
  const words = new Int32Array(BUCKET_WORDS);
  fillBucket(words, 0, 100, 0);
  let taken = 0;
  while (takeToken(words, 0, 100, 0)) taken++;
  assertEquals(taken, 100);
  for (let nowMs = 1; nowMs <= 10_000; nowMs++) if (takeToken(words, 0, 100, nowMs)) taken++;
  assertEquals(taken, 100 + 1_000);
});

Deno.test("whenever requests come, no more than a second's and the rate's pass, and no less", () => {
  fc.assert(fc.property(
    fc.constantFrom(1, 7, 1_000, RATE_MAX),
    fc.array(fc.nat(5_000), { minLength: 1, maxLength: 200 }),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    (rate, pauses, startMs) => {
      const words = new Int32Array(BUCKET_WORDS);
      fillBucket(words, 0, rate, startMs);
      // The same in numbers that never round.
      let tokens = rate * 1_000;
      let nowMs = startMs;
      for (const pauseMs of pauses) {
        nowMs += pauseMs;
        tokens = Math.min(rate * 1_000, tokens + pauseMs * rate);
        const expected = tokens >= 1_000;
        if (expected) tokens -= 1_000;
        assertEquals(takeToken(words, 0, rate, nowMs), expected);
      }
    },
  ));
});

Deno.test("a clock that lags a little behind another thread's gives no tokens", () => {
  const words = new Int32Array(BUCKET_WORDS);
  fillBucket(words, 0, 1, 1_000);
  assertEquals(takeToken(words, 0, 1, 1_000), true);
  assertEquals(takeToken(words, 0, 1, 500), false);
  assertEquals(takeToken(words, 0, 1, 1_999), false);
  assertEquals(takeToken(words, 0, 1, 2_000), true);
});

Deno.test("who was away for longer than the clock's 24 days has a full bucket", () => {
  const words = new Int32Array(BUCKET_WORDS);
  fillBucket(words, 0, 5, 0);
  for (let n = 0; n < 5; n++) takeToken(words, 0, 5, 0);
  let taken = 0;
  while (takeToken(words, 0, 5, 2 ** 31 + 1_000)) taken++;
  assertEquals(taken, 5);
});

Deno.test("threads that take from one bucket take no token twice", async () => {
  const RATE = 50_000, THREADS = 3;
  const buffer = new SharedArrayBuffer(BUCKET_WORDS * 4);
  fillBucket(new Int32Array(buffer), 0, RATE, 0);
  const url = new URL("./testing/token_taker.ts", import.meta.url);
  const taken = await Promise.all(Array.from({ length: THREADS }, async () => {
    const worker = new Worker(url, { type: "module" });
    const answer = Promise.withResolvers<number>();
    worker.onmessage = ({ data }) => answer.resolve(data);
    worker.onerror = (event) => answer.reject(new Error(event.message));
    worker.postMessage({ buffer, rate: RATE, tries: RATE });
    const count = await answer.promise;
    worker.terminate();
    return count;
  }));
  // A token that one takes and puts back another may miss for that moment; none is there twice.
  const sum = taken.reduce((total, count) => total + count);
  assertLessOrEqual(sum, RATE);
  assertEquals(sum > RATE - THREADS, true, `${sum} of ${RATE}`);
});
