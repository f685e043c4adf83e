/**
 * The bounds of the store, each with what happens at it. Deno KV allows a value of 65,536 bytes, and 1,000
 * mutations, 819,200 bytes and 81,920 bytes of keys a commit.
 */

/**
 * Bytes of one stored value. An event that does not fit loses its history first, then most zones of when it was last
 * online; then its plan is set aside.
 */
export const VALUE_BYTES_MAX = 60_000;
/** Mutations of one commit; a batch that reaches it is committed. */
export const BATCH_MUTATIONS_MAX = 900;
/** Bytes of the values and keys of one commit; a batch that would pass it is committed first. */
export const BATCH_BYTES_MAX = 700_000;
/** Bytes of the keys of one commit; a batch that would pass it is committed first. */
export const BATCH_KEY_BYTES_MAX = 80_000;
/** Characters of text that are deflated into one log chunk; a chunk that stays too large is halved. */
export const CHUNK_TEXT_MAX = 240_000;
/** Bytes of one block of lines that wait in memory. */
export const LINE_BLOCK_BYTES = 262_144;
/** Bytes that the lines of one EncodedPlans have; it is taken from half of it on, and grows for a plan that is larger. */
export const ENCODED_BYTES = 262_144;
/** Versions whose log is kept. A reader that fell further behind lists the events again. */
export const LOG_VERSIONS_KEPT = 16;
/** Times that a reader starts over because the log was trimmed under it, before it reports an error. */
export const READ_RESTARTS_MAX = 8;
/** How long the right to poll outlasts a process that was killed, in milliseconds; then another one may take it. */
export const LEASE_MS = 10_000;
/** Polls kept in the poll log; the oldest is dropped. */
export const POLLS_KEPT = 500;
/** Rejected plans kept; past it they are still counted, not stored. */
export const REJECTIONS_KEPT = 10_000;
/** How long one commit or read waits for another process to unlock the SQLite file; then a StoreError goes to the caller. */
export const LOCK_WAIT_MAX_MS = 8_000;
/** Tries of one commit or read that fails for another reason; then a StoreError goes to the caller. */
export const TRIES_MAX = 10;
/** Pause before the second try, doubled for each further one up to RETRY_PAUSE_MAX_MS, with jitter. */
export const RETRY_PAUSE_MS = 10;
/** The longest pause between two tries. */
export const RETRY_PAUSE_MAX_MS = 500;

function relation(holds: boolean, what: string): void {
  if (!holds) throw new Error(`store/limits.ts: ${what}`);
}
relation(VALUE_BYTES_MAX < 65_536, "a value must fit what Deno KV takes");
relation(BATCH_BYTES_MAX + VALUE_BYTES_MAX <= 819_200, "a batch must fit a commit");
relation(BATCH_KEY_BYTES_MAX < 81_920, "the keys of a batch must fit a commit");
relation(BATCH_MUTATIONS_MAX <= 1_000, "a batch must fit a commit");
relation(LOG_VERSIONS_KEPT >= 2, "a reader needs time to follow");
