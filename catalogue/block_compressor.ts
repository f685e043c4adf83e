import { constants, deflateRawSync } from "node:zlib";
import type { Columns } from "./columns.ts";
import type { BlockLevel } from "./compressed_blocks.ts";

/** The least that zlib takes for its chunks. */
const ZLIB_CHUNK_BYTES_MIN = 64;

/** The fragments of one block, compressed. */
export function compressBlock(columns: Columns, level: BlockLevel, block: number): Uint8Array {
  const fragments = columns.fragmentsOf(level.firsts[block], level.firsts[block + 1]);
  return deflateRawSync(fragments, {
    level: 6,
    finishFlush: constants.Z_SYNC_FLUSH,
    // zlib's own choice, 16 KiB a call, would be garbage by the hundred megabytes.
    chunkSize: Math.max(ZLIB_CHUNK_BYTES_MIN, fragments.length >> 1),
  });
}
