/** The bounds of the catalogue, each with what happens at it. */

/** Bytes of answers kept per edition; past it the answers unused for longest are dropped. */
export const ANSWER_CACHE_BYTES_MAX = 32 * 1_048_576;
/** What one kept answer is counted with beside its bytes. */
export const ANSWER_OVERHEAD_BYTES = 300;
/** Bytes of an answer that is put together in one piece; a longer one is sent as views on the edition. */
export const JOINED_BYTES_MAX = 262_144;
/** Bytes of one view of a long answer, so that a slow reader holds up little. */
export const PIECE_BYTES = 65_536;
/** Bytes compressed at once on the calling thread; longer answers are compressed in the background. */
export const SYNC_GZIP_BYTES_MAX = 65_536;
/** Answers compressed in the background at a time; past it an answer goes out uncompressed. */
export const GZIP_CONCURRENCY_MAX = 4;
/** Bytes of one block of the text arena. */
export const ARENA_BLOCK_BYTES = 1_048_576;
/** Bytes of holes up to which the text arena is left as it is. */
export const ARENA_WASTE_BYTES_MIN = 8 * 1_048_576;
/** Events that are read, when an edition is built, between two looks at whether requests should get a turn. */
export const BUILD_STEP_EVENTS = 100;
