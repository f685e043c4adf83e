/** The bounds of the packet filter, each with what happens at it. */

/**
 * Tiers of a ladder, that is limits that it can hold; others are rounded down to one of them. Every connection that is
 * let in is counted once for each tier.
 */
export const TIERS_MAX = 32;
/**
 * Tiers times the highest of them; a ladder for a higher limit gets fewer tiers. The kernel looks at every connection of
 * a tier when a new one comes, at most once for each tick of its clock, and at 80 ns each: with this many it is 0.7 ms
 * of the 4 ms between two ticks (docs/decisions/0008-packet-filter.md).
 */
export const TIER_CONNECTIONS_MAX = 8_192;
/** The highest limit that a tier may have; a higher one is refused with a RangeError. */
export const CONNECTION_LIMIT_MAX = 1_000_000;
/**
 * Seconds that a connection of the port keeps its place while it is half open or half closed and nothing happens on it;
 * the kernel's own are 60 and 120.
 */
export const HALF_OPEN_SECONDS_MAX = 5;
/** Milliseconds that one run of `nft` may take (usual: 5); then it is ended and counts as failed. */
export const COMMAND_MS_MAX = 5_000;
/** Changes and readings that wait for the one under way; the next is refused. */
export const WAITING_MAX = 64;
