/**
 * Every key of the store. The version key is the one that readers look at; what it names is complete before it moves.
 *
 * | key | value |
 * |---|---|
 * | store | {@linkcode StoreIdentity}, written once |
 * | version | {@linkcode VersionEntry}: the catalogue's version; moving it makes a poll visible |
 * | applied | the version up to which the `event` keys are complete |
 * | log, version | {@linkcode LogHeader}: how many chunks this version has |
 * | log, version, n | chunk n: deflated lines, an encoded event each |
 * | event, id | one encoded event |
 * | sightings | provider name to the instant at which its feed was last read |
 * | lease, epoch | who polls; the epoch moves when that changes |
 * | validators, provider | the feed's ETag and Last-Modified |
 * | poll, instant, provider | one {@linkcode PollRecord} |
 * | rejected, provider, base plan, plan, reason | one {@linkcode RejectionRecord} |
 */
export const keys = {
  store: ["store"] as Deno.KvKey,
  version: ["version"] as Deno.KvKey,
  applied: ["applied"] as Deno.KvKey,
  sightings: ["sightings"] as Deno.KvKey,
  lease: ["lease"] as Deno.KvKey,
  epoch: ["epoch"] as Deno.KvKey,
  logs: ["log"] as Deno.KvKey,
  log: (version: number): Deno.KvKey => ["log", version],
  chunk: (version: number, index: number): Deno.KvKey => ["log", version, index],
  events: ["event"] as Deno.KvKey,
  event: (id: string): Deno.KvKey => ["event", id],
  validators: (provider: string): Deno.KvKey => ["validators", provider],
  polls: ["poll"] as Deno.KvKey,
  poll: (startedAt: number, provider: string): Deno.KvKey => ["poll", startedAt, provider],
  rejections: ["rejected"] as Deno.KvKey,
  rejection: (
    provider: string,
    basePlanId: string | null,
    planId: string | null,
    reason: string,
  ): Deno.KvKey => ["rejected", provider, basePlanId ?? "", planId ?? "", reason],
};

/** What a store is, written when it is made. */
export interface StoreIdentity {
  /** Eight characters that differ between stores, so that an ETag of one never matches in another. */
  id: string;
  /** The layout of the keys. A store of another layout is refused. */
  layout: number;
}

/** The layout that this code reads and writes. */
export const STORE_LAYOUT = 1;

/** The value of the version key. */
export interface VersionEntry {
  version: number;
  /** The poll that made it, so that a commit whose answer was lost is recognised. */
  pollId: string;
  at: number;
}

/** How many chunks hold what changed with a version. */
export interface LogHeader {
  chunks: number;
}
