/** The bounds of the poller, each with what happens at it. */
import { LEASE_MS } from "../store/port.ts";

/** Depth of a feed's elements (the formats need 5); a deeper one is refused. */
export const FEED_DEPTH_MAX = 16;
/** Attributes of one element; a feed with more is refused. */
export const ELEMENT_ATTRIBUTES_MAX = 64;
/** Bytes without a completed tag, text or comment: a single token that long is refused before it fills the memory. */
export const TOKEN_BYTES_MAX = 1_048_576;
/** How much larger than its Content-Length a compressed feed may become (real ones: 10 to 20); more is a bomb. */
export const COMPRESSION_RATIO_MAX = 200;
/** Bytes up to which the ratio does not matter. */
export const COMPRESSION_FREE_BYTES = 16 * 1_048_576;
/** Characters of one plan's zones, names of attributes included; a plan with more is set aside before it fills the memory. */
export const PLAN_CHARACTERS_MAX = 4_194_304;
/** What a zone counts besides its attributes, so that a plan of empty zones is bounded too. */
export const ZONE_CHARACTERS = 32;
/** Characters of a title; a longer one is cut. */
export const TITLE_CHARACTERS_MAX = 1_000;
/** Characters of an id; a plan with a longer one is set aside. */
export const ID_CHARACTERS_MAX = 64;
/** Bytes from which on a feed is read in a thread: below it, this one is held for less time than a thread costs. */
export const THREAD_FEED_BYTES_MIN = 1_048_576;
/** Feeds that are read at once in threads, each of which may have to wait for its provider; more wait in the queue. */
export const FEED_THREADS_MAX = 4;
/** Feeds that wait for such a thread; a poll that would be one more is skipped. */
export const FEED_QUEUE_MAX = 16;
/** Plans set aside that wait in such a thread; at it they are handed over, however few plans there are. */
export const REJECTIONS_AT_ONCE = 1_000;
/** Requests of one poll, the first included; then the poll has failed. */
export const ATTEMPTS_MAX = 3;
/** The pause before the second request, in milliseconds, grown and jittered for further ones. */
export const RETRY_PAUSE_MS = 500;
/** The longest pause between two requests of one poll, in milliseconds. */
export const RETRY_PAUSE_MAX_MS = 5_000;
/** How long a poll that somebody asked for waits for the lease of another process, should it have been killed; then it is not made. */
export const STANDBY_WAIT_MS = LEASE_MS + 2_000;
/** Pause between two looks at that lease, in milliseconds. */
export const STANDBY_PAUSE_MS = 500;
/** Requests that fail in a row until the breaker opens. */
export const BREAKER_FAILURES = 5;
/** How long the breaker stays open before it lets one request try, in milliseconds. */
export const BREAKER_OPEN_MS = 30_000;
