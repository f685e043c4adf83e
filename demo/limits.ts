/**
 * Every bound of the demo provider, in one place.
 *
 * @module
 */

/** The most plans in one season. */
export const PLANS_MAX = 1_000_000;

/** The most bad plans (those that a reader must set aside) in one season. */
export const BAD_PLANS_MAX = 1_000;

/** How long one step of the season is, in milliseconds of the season's clock. */
export const STEP_MS = 600_000;

/** How many times faster than the wall clock a season may run. */
export const SEASON_SPEED_MAX = 10_000;

/** The earliest instant a season can be told for, in milliseconds since 1970: the start of 2016. */
export const EARLIEST_INSTANT_MS = Date.UTC(2016, 0, 1);

/** Bytes of XML are handed out in chunks of at least this many characters (the last is smaller). */
export const CHUNK_CHARACTERS_MIN = 65_536;

/** The shortest delay of the faults `latency` and `flaky`, in milliseconds. */
export const LATENCY_MS_MIN = 200;

/** The longest delay of the faults `latency` and `flaky`, in milliseconds. */
export const LATENCY_MS_MAX = 4_200;

/** What a delay may be multiplied with, so that none exceeds WAIT_MS_MAX. */
export const LATENCY_SCALE_MAX = 28;

/** The longest that the faults `hang` and `drip` hold a client, in milliseconds. */
export const WAIT_MS_MAX = 120_000;

/** What the fault `gzip-bomb` inflates to, in mebibytes: more than any sane limit on a feed. */
export const BOMB_MEBIBYTES = 1_100;
