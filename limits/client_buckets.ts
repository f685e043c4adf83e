import { AWAY_MS, BUCKET_WORDS, fillBucket, returnToken, takeToken } from "./token_bucket.ts";

/** Clients in a set, one of which makes room for a new one. */
const WAYS = 8;
const NOBODY = 0;

/**
 * A token bucket for each client, in a table of fixed size that threads share: however many clients come, its memory
 * stays the same. A client belongs to one set of eight; when the set is full, the one that was away longest makes room,
 * and would begin with a full bucket again. So a flood of clients can only make the limit milder for others.
 *
 * ```
 *  | clients: 8 a set … | buckets: 8 a set … |
 * ```
 */
export class ClientBuckets {
  readonly #words: Int32Array;
  readonly #setMask: number;
  readonly #buckets: number;
  readonly #rate: number;
  #last = 0;

  /** @param rate Requests a second of each client */
  constructor(buffer: SharedArrayBuffer, rate: number) {
    this.#words = new Int32Array(buffer);
    const clients = this.#words.length / (1 + BUCKET_WORDS);
    this.#setMask = clients / WAYS - 1;
    this.#buckets = clients;
    this.#rate = rate;
  }

  /**
   * Memory for a table.
   *
   * @param clientsMax Clients that are told apart at a time, a power of two from 8
   */
  static allocate(clientsMax: number): SharedArrayBuffer {
    if (clientsMax < WAYS || !Number.isInteger(Math.log2(clientsMax))) {
      throw new RangeError(`a table of ${clientsMax} clients: give a power of two from ${WAYS}`);
    }
    return new SharedArrayBuffer(clientsMax * (1 + BUCKET_WORDS) * 4);
  }

  /**
   * Takes a token of a client.
   *
   * @param client Who it is: a number of 32 bits that is not 0, and whose bits are spread evenly
   * @param nowMs By a clock that all threads share
   * @returns Whether it had one
   */
  take(client: number, nowMs: number): boolean {
    const place = this.#find(client, nowMs);
    this.#last = this.#buckets + place * BUCKET_WORDS;
    return takeToken(this.#words, this.#last, this.#rate, nowMs);
  }

  /** Puts back the token that was taken last. */
  return(): void {
    returnToken(this.#words, this.#last);
  }

  #find(client: number, nowMs: number): number {
    const words = this.#words;
    const set = (client & this.#setMask) * WAYS;
    let oldest = set, oldestMs = -1;
    for (let place = set; place < set + WAYS; place++) {
      const here = Atomics.load(words, place);
      if (here === client) return place;
      const bucket = this.#buckets + place * BUCKET_WORDS;
      const elapsedMs = (nowMs - Atomics.load(words, bucket + 1)) | 0;
      const awayMs = here === NOBODY
        ? Infinity
        : elapsedMs < 0 && elapsedMs >= AWAY_MS
        ? 0
        : elapsedMs >>> 0;
      if (awayMs > oldestMs) {
        oldest = place;
        oldestMs = awayMs;
      }
    }
    // Where two threads meet here, one client of the two has a token more.
    fillBucket(words, this.#buckets + oldest * BUCKET_WORDS, this.#rate, nowMs);
    Atomics.store(words, oldest, client);
    return oldest;
  }
}
