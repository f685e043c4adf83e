/** The bounds of the catalogue, each with what happens at it. */

/** Bytes of answers kept per edition and coding; past it the answers unused for longest are dropped. */
export const ANSWER_CACHE_BYTES_MAX = 24 * 1_048_576;
/** What one kept answer is counted with beside its bytes. */
export const ANSWER_OVERHEAD_BYTES = 300;
/** Queries remembered as asked; an answer is kept from the second time on. Past it the ones before are forgotten. */
export const QUERIES_REMEMBERED_MAX = 4_096;
/** Bytes of one piece of a streamed answer, so that a slow reader holds up little. */
export const PIECE_BYTES = 65_536;
/** Bytes that a gather list has for what belongs to its answer alone; more is taken when a list needs more. */
export const GATHER_SCRATCH_BYTES = 4_096;
/** What is allocated is this much larger than what is needed, so that it is large enough for the next edition too. */
export const MEMORY_SLACK = 1.05;
/** Editions for which memory that came back waits to be used again; then it is freed. */
export const MEMORY_REST_MAX = 4;
/** Bytes of one segment of an arena. */
export const ARENA_SEGMENT_BYTES = 1_048_576;
/** Bytes of a record that shares its segment with others; a longer one gets a segment of its own. */
export const ARENA_SHARED_RECORD_BYTES_MAX = 65_536;
/** Bytes of all search results of an edition, rendered; an edition with more is not built, the last one stays. */
export const FRAGMENT_BYTES_ALL_MAX = 0xffff_ffff;
/** Bytes of encoded events that are handed to the builder at a time. */
export const LINES_BYTES = 262_144;
/** Pieces of LINES_BYTES on their way to the builder's thread; the sender waits at it. */
export const LINES_IN_FLIGHT_MAX = 4;
/**
 * Requests to the builder's thread that are not answered. Steps are published one by one, and what else is asked is
 * bounded by the editions that are kept; at more the builder has failed, and everything is read again.
 */
export const BUILDER_REQUESTS_MAX = 32;
/** Bytes of a block of rendered fragments that wait to be merged; more blocks are made as they are needed. */
export const FRAGMENT_BLOCK_BYTES = 1_048_576;
/** Events that are read, or blocks that are compressed, between two looks at whether others should get a turn. */
export const BUILD_STEP = 64;
/**
 * Events of a compressed block of each size, on average; half to one and a half times as many are in one. Small ones
 * fit where a range begins and ends, large ones compress better. Each is a multiple of the next.
 */
export const BLOCK_EVENTS = [64, 16, 4] as const;
/** Editions that are kept because answers from them are being sent; past it the readers of the oldest are cut off. */
export const EDITIONS_PINNED_MAX = 8;

function relation(holds: boolean, what: string): void {
  if (!holds) throw new Error(`catalogue/limits.ts: ${what}`);
}
relation(
  ARENA_SHARED_RECORD_BYTES_MAX <= ARENA_SEGMENT_BYTES / 4,
  "a segment must hold several records",
);
relation(
  LINES_IN_FLIGHT_MAX + 2 * EDITIONS_PINNED_MAX + 3 <= BUILDER_REQUESTS_MAX,
  "a step and the memory of all editions must fit the builder's queue",
);
relation(Number.isInteger(Math.log2(ARENA_SEGMENT_BYTES)), "positions are found by shifting");
relation(
  BLOCK_EVENTS.every((events, level) => events % (BLOCK_EVENTS[level + 1] ?? 1) === 0),
  "a block must be able to cover whole smaller ones",
);
