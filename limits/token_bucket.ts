/** Words of 32 bits that a bucket takes. */
export const BUCKET_WORDS = 2;

const TOKENS = 0, REFILLED = 1;
/** Tokens are counted in thousandths: a rate of one a second is one thousandth a millisecond. */
const TOKEN = 1_000;
/**
 * A clock of 32 bits comes round after 24 days: who was away for so long has a full bucket. A time that lies less than
 * this ahead is another thread's, whose clock differs.
 */
export const AWAY_MS = -60_000;

/** Makes a bucket full, where there was none. */
export function fillBucket(words: Int32Array, at: number, rate: number, nowMs: number): void {
  Atomics.store(words, at + TOKENS, rate * TOKEN);
  Atomics.store(words, at + REFILLED, nowMs | 0);
}

/**
 * Takes a token from a bucket that holds the tokens of one second, and is refilled at a constant rate (token bucket). It
 * lies in memory that threads may share: each step is one atomic operation, so that no token is taken twice.
 *
 * @param at The word where the bucket begins
 * @param rate Tokens a second, up to RATE_MAX of limits.ts, which is also what the bucket holds
 * @param nowMs By a clock that all threads share
 * @returns Whether there was one
 *
 * @example
 * ```ts
 * import { BUCKET_WORDS, fillBucket, takeToken } from "./token_bucket.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const words = new Int32Array(BUCKET_WORDS);
 * fillBucket(words, 0, 2, 0);
 * assertEquals([0, 0, 0, 499, 500].map((nowMs) => takeToken(words, 0, 2, nowMs)), [
 *   true, true, false, false, true,
 * ]);
 * ```
 */
export function takeToken(words: Int32Array, at: number, rate: number, nowMs: number): boolean {
  const refilled = Atomics.load(words, at + REFILLED);
  const elapsedMs = (nowMs - refilled) | 0;
  if (
    (elapsedMs > 0 || elapsedMs < AWAY_MS) &&
    Atomics.compareExchange(words, at + REFILLED, refilled, nowMs | 0) === refilled
  ) {
    // A second fills it whole; a longer time would not fit the word.
    const isFull = elapsedMs < 0 || elapsedMs >= 1_000;
    refill(words, at, rate * TOKEN, isFull ? rate * TOKEN : elapsedMs * rate);
  }
  if (Atomics.sub(words, at + TOKENS, TOKEN) >= TOKEN) return true;
  Atomics.add(words, at + TOKENS, TOKEN);
  return false;
}

/** Puts a token back that was taken in vain. */
export function returnToken(words: Int32Array, at: number): void {
  Atomics.add(words, at + TOKENS, TOKEN);
}

function refill(words: Int32Array, at: number, capacity: number, added: number): void {
  for (;;) {
    const tokens = Atomics.load(words, at + TOKENS);
    const filled = Math.min(capacity, tokens + added);
    if (Atomics.compareExchange(words, at + TOKENS, tokens, filled) === tokens) return;
  }
}
