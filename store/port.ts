/**
 * What the rest of the service asks of a store, without a word of Deno KV: the poller writes through
 * {@linkcode PollStore}, the catalogue is fed by {@linkcode FollowableStore}, the admin routes read
 * {@linkcode PollLog}.
 */
import type { Instant, Plan, Rejection, RejectionReason } from "../domain/mod.ts";

export { LEASE_MS } from "./limits.ts";

/** How a poll ended. */
export type PollOutcome =
  | "changed"
  | "unchanged"
  | "not_modified"
  | "empty"
  | "refused"
  | "failed"
  | "skipped";

/** Every {@linkcode PollOutcome}, for metrics and documents. */
export const POLL_OUTCOMES: readonly PollOutcome[] = [
  "changed",
  "unchanged",
  "not_modified",
  "empty",
  "refused",
  "failed",
  "skipped",
];

/** One poll as the poll log keeps it. */
export interface PollRecord {
  id: string;
  provider: string;
  startedAt: Instant;
  durationMs: number;
  outcome: PollOutcome;
  /** Requests made, retries included. */
  attempts: number;
  /** Bytes of the feed after decompression. */
  bytes: number;
  plans: number;
  added: number;
  changed: number;
  /** Events that the feed listed before and no longer lists. They stay. */
  unlisted: number;
  rejected: number;
  /** The same by reason; reasons that did not occur are missing. */
  rejectedByReason: Partial<Record<RejectionReason, number>>;
  /** Plans that the feed listed more than once; the last one counts. */
  duplicates: number;
  /** The catalogue's version after the poll. */
  version: number;
  /** Why it was refused, failed or skipped. */
  error: { code: string; message: string } | null;
}

/** A rejected plan as the store keeps it. */
export interface RejectionRecord extends Rejection {
  provider: string;
  firstSeen: Instant;
}

/** What a provider gave with its feed to ask for changes only (RFC 9110 section 8.8). */
export interface FeedValidators {
  etag: string | null;
  lastModified: string | null;
}

/** What the poller knows of a poll when it ends; the transaction adds the counts. */
export interface PollReport {
  startedAt: Instant;
  attempts: number;
  bytes: number;
  error?: { code: string; message: string };
}

/**
 * Plans that another thread has encoded already: the store has only to look at them. All of it is the receiver's.
 */
export interface EncodedPlans {
  /** The key of each plan, see `planKey`. */
  keys: string[];
  /** A hash of each plan's line. */
  hashes: BigUint64Array<ArrayBuffer>;
  /** The lines, see `encodePlan`, as UTF-8, one behind the other. */
  lines: Uint8Array<ArrayBuffer>;
  /** Where in `lines` each ends. */
  ends: Uint32Array<ArrayBuffer>;
}

/**
 * One poll as a unit of work. Plans are observed one by one; nothing is visible, or even written, until
 * {@linkcode PollTransaction.commit}, and then all of it is, as one version. Exactly one of commit and conclude
 * ends it.
 */
export interface PollTransaction {
  /** What the provider gave with the feed that was last committed and listed something. */
  readonly validators: FeedValidators;
  /** Takes a plan that the feed lists. The last of several with one key counts. */
  observe(plan: Plan): void;
  /** The same for many plans, encoded by the store's `PlanEncoder`. */
  observeEncoded(plans: EncodedPlans): void;
  /** Takes a plan that is set aside. */
  reject(rejection: Rejection): void;
  /**
   * Stores the poll and makes it visible.
   *
   * @throws {StoreError} If the store refused it; nothing is visible then
   */
  commit(report: PollReport, validators: FeedValidators): Promise<PollRecord>;
  /** Ends the poll without a feed: what was observed is dropped, that the poll happened is recorded. */
  conclude(
    outcome: "not_modified" | "refused" | "failed" | "skipped",
    report: PollReport,
  ): Promise<PollRecord>;
}

/** What was asked of this process is another's to do: that one holds the right to poll. */
export class StandbyError extends Error {
  override name = "StandbyError";
  constructor() {
    super("another process polls this store: ask that one, or try again when it has ended");
  }
}

/** What a poller writes through. */
export interface PollStore {
  /**
   * Begins a poll.
   *
   * @returns `null` while another process holds the lease: it polls, this one does not
   * @throws {StoreError} If the store cannot be read
   */
  beginPoll(provider: string): Promise<PollTransaction | null>;
}

/** A step of the catalogue: what changed from one version to the next. */
export interface CatalogueChange {
  version: number;
  /** True when `events` is everything there is, not only what changed. */
  isComplete: boolean;
  /** Encoded events (see `decodeEvent`), oldest first; where an id occurs twice the last one counts. May be iterated again. */
  events: Iterable<string>;
  /** Provider name to the instant at which its feed was last read. */
  sightings: Readonly<Record<string, Instant>>;
}

/** What a reader follows. */
export interface FollowableStore {
  /** Eight characters that differ between stores. */
  readonly id: string;
  /**
   * Everything there is, then each change as it becomes visible, whole versions only, until the signal aborts.
   * A store that cannot be read is reported through `onError` and tried again: the generator itself goes on.
   */
  follow(signal: AbortSignal): AsyncGenerator<CatalogueChange>;
}

/** What the admin routes read. */
export interface PollLog {
  /** The last polls, newest first. */
  polls(limit: number): Promise<PollRecord[]>;
  /** Plans set aside. */
  rejections(limit: number): Promise<RejectionRecord[]>;
}
