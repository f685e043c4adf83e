/** The bounds of the limits, each with what happens at it. */

/** The least limit unless said otherwise: a service that is let have fewer connections can no longer be measured. */
export const LIMIT_MINIMUM = 100;
/** The greatest limit unless said otherwise. */
export const LIMIT_MAXIMUM = 10_000;
/** The first limit unless said otherwise. */
export const LIMIT_INITIAL = 800;
/** No limit may be configured greater than this, and no tier be higher; a greater one is refused with a RangeError. */
export const LIMIT_CEILING = 1_000_000;
/** Share of the limit from which on it counts as in use; so does any rejection. Below it a limit never moves up. */
export const LIMIT_USED_SHARE = 0.9;
/** Connections beyond the limit by this factor have yet to close before it is judged. */
export const EXCESS = 1.1;
/** Answers in a period below which its latency says nothing. */
export const ANSWERS_MIN = 50;

/** Milliseconds between two decisions, unless said otherwise. */
export const PERIOD_MS = 5_000;
/** The shortest and the longest period that may be configured. */
export const PERIOD_MS_MIN = 10;
/** See {@linkcode PERIOD_MS_MIN}. */
export const PERIOD_MS_MAX = 3_600_000;
/** Share of a period after which a reading ends it, since timers and answers to scrapes are not punctual. */
export const PERIOD_COMPLETE_SHARE = 0.9;
/** Periods after which what was read before says nothing about now: the window starts over. */
export const PERIOD_GAP_MAX = 3;

/** Limits that the step algorithm can remember; options that need more are refused. */
export const STEPS_MAX = 10_000;
/** Decisions kept for `/stats` and benches; the oldest is dropped. */
export const REPORTS_KEPT = 1_000;
/** Characters of an error's text in a report; a longer one is cut. */
export const ERROR_CHARACTERS_MAX = 500;

/** Bytes of one scrape of /metrics; a longer one is refused. */
export const METRICS_BYTES_MAX = 4 * 1_048_576;
/** Milliseconds that one scrape may take; then the reading has failed. */
export const METRICS_TIMEOUT_MS = 2_000;
/** Characters of a line that is needed; a longer one is refused. */
export const LINE_CHARACTERS_MAX = 8_192;
/** Labels of one sample; one with more is refused. */
export const LABELS_MAX = 32;

/**
 * Tiers of a ladder, that is limits that it can hold; others are rounded down to one of them. Every connection that is
 * let in is counted once for each tier.
 */
export const TIERS_MAX = 32;
/**
 * Tiers times the highest of them; a ladder for a higher limit gets fewer tiers, but never fewer than its two bounds,
 * which come to more above a highest of 4,096. The kernel looks at every connection of a tier when a new one comes, at
 * most once for each tick of its clock, and at 80 ns each: with this many it is 0.7 ms of the 4 ms between two ticks
 * (docs/decisions/0008-packet-filter.md).
 */
export const TIER_CONNECTIONS_MAX = 8_192;
/**
 * Seconds that a connection of the port keeps its place while it is half open or half closed and nothing happens on it;
 * the kernel's own are 60 and 120.
 */
export const HALF_OPEN_SECONDS_MAX = 5;
/** Milliseconds that one run of `nft` may take (usual: 5); then it is ended and counts as failed. */
export const COMMAND_MS_MAX = 5_000;
/** Changes and readings that wait for the one under way; the next is refused. */
export const WAITING_MAX = 64;

/** The largest rate, in requests a second: with it the thousandths of two seconds fit a word of 32 bits. */
export const RATE_MAX = 1_000_000;
/** Clients that are told apart at a time, all threads together, in 768 kB; one more takes the place of who was away longest. */
export const RATE_CLIENTS_MAX = 65_536;

/** Simulated periods of one scenario; a longer one is refused. */
export const SIMULATED_PERIODS_MAX = 1_000_000;

function relation(holds: boolean, what: string): void {
  if (!holds) throw new Error(`limits/limits.ts: ${what}`);
}
relation(
  0 < LIMIT_MINIMUM && LIMIT_MINIMUM <= LIMIT_INITIAL && LIMIT_INITIAL <= LIMIT_MAXIMUM,
  "the first limit lies between the least and the greatest",
);
relation(LIMIT_MAXIMUM <= LIMIT_CEILING, "the greatest limit may be configured");
relation(METRICS_TIMEOUT_MS < PERIOD_MS, "a scrape ends before the next one begins");
relation(PERIOD_GAP_MAX > 1, "a period fits before a gap");
relation(
  PERIOD_COMPLETE_SHARE > 0.5 && PERIOD_COMPLETE_SHARE <= 1,
  "a reading ends at most a period",
);
