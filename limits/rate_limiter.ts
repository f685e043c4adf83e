import { TRUSTED_PROXY, UNKNOWN_CLIENT } from "./client_address.ts";
import { ClientBuckets } from "./client_buckets.ts";
import { RATE_CLIENTS_MAX } from "./limits.ts";
import { BUCKET_WORDS, fillBucket, takeToken } from "./token_bucket.ts";

/** Requests a second; `null` for no limit. */
export interface RateLimits {
  /** Of all clients together. */
  rate: number | null;
  /** Of each client. */
  ratePerClient: number | null;
}

/** Memory of a limiter, which threads may share. */
export interface RateLimiterMemory extends RateLimits {
  /** For {@linkcode ClientAddresses}. */
  seed: number;
  all: SharedArrayBuffer;
  clients: SharedArrayBuffer;
}

/**
 * Limits requests a second, of all clients together and of each: token buckets that hold one second's requests. It has
 * no clock of its own, allocates nothing and waits for nothing.
 */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #all: Int32Array;
  readonly #clients: ClientBuckets | null;
  #refusedBy: "all" | "client" = "all";

  constructor(memory: RateLimiterMemory) {
    this.#limits = memory;
    this.#all = new Int32Array(memory.all);
    this.#clients = memory.ratePerClient === null
      ? null
      : new ClientBuckets(memory.clients, memory.ratePerClient);
  }

  /**
   * Memory for a limiter, all of its buckets full.
   *
   * @param nowMs By the clock that {@linkcode RateLimiter.admits} is given
   */
  static allocate({ rate, ratePerClient }: RateLimits, nowMs: number): RateLimiterMemory {
    const all = new SharedArrayBuffer(BUCKET_WORDS * 4);
    if (rate !== null) fillBucket(new Int32Array(all), 0, rate, nowMs);
    const clients = ClientBuckets.allocate(ratePerClient === null ? 8 : RATE_CLIENTS_MAX);
    const [seed] = crypto.getRandomValues(new Int32Array(1));
    return { rate, ratePerClient, seed, all, clients };
  }

  /** Which limit refused last. */
  get refusedBy(): "all" | "client" {
    return this.#refusedBy;
  }

  /**
   * Whether a request is let through. Who is not known has no limit of its own.
   *
   * @param client The number of who asks, by {@linkcode ClientAddresses}
   * @param nowMs By a clock that all threads share, in milliseconds
   */
  admits(client: number, nowMs: number): boolean {
    const { rate } = this.#limits;
    const clients = client === UNKNOWN_CLIENT || client === TRUSTED_PROXY ? null : this.#clients;
    if (clients !== null && !clients.take(client, nowMs)) {
      this.#refusedBy = "client";
      return false;
    }
    if (rate === null || takeToken(this.#all, 0, rate, nowMs)) return true;
    // A request that others' requests keep out costs its client nothing.
    clients?.return();
    this.#refusedBy = "all";
    return false;
  }
}
