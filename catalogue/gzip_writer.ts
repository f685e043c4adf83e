import { offsetInSegment, segmentOf } from "./arena.ts";
import { type Columns, HEAD_CHECKSUM, TAIL_CHECKSUM } from "./columns.ts";
import type { CompressedBlocks } from "./compressed_blocks.ts";
import { crc32, crc32Between, crc32Combine, crc32Without } from "./crc32.ts";
import type { GatherList } from "./gather_list.ts";
import { BLOCK_EVENTS } from "./limits.ts";
import type { Memory } from "./memory.ts";

const COMMA = 44;
/** RFC 1952 section 2.3: magic, deflate, no flags, no time, no extra flags, Unix. */
const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
/** RFC 1951 section 3.2.4: a stored block has three bits of header, padded to a byte, its length and that inverted. */
const STORED_HEADER_BYTES = 5;
const STORED_BYTES_MAX = 65_535;
const TRAILER_BYTES = 8;

/**
 * Puts gzip answers together without compressing: whole blocks that were compressed when the edition was built, stored
 * blocks (RFC 1951 section 3.2.4) for what lies between, and a checksum combined from those that the columns hold.
 */
export class GzipWriter {
  readonly #columns: Columns;
  readonly #blocks: CompressedBlocks;
  readonly #compressed: readonly (Memory | null)[];
  /** The block of each size that the run being written may use next. */
  readonly #next: number[];
  // Of the answer being written:
  #list!: GatherList;
  /** Bytes of the answer as it is, and their checksum. */
  #length = 0;
  #checksum = 0;
  /** Where the header of the stored block that is open lies, `null` where none is, and the bytes in it so far. */
  #stored: Uint8Array | null = null;
  #storedAt = 0;
  #storedLength = 0;

  /** @param compressed The segments of the arena of compressed blocks */
  constructor(
    columns: Columns,
    blocks: CompressedBlocks,
    compressed: readonly (Memory | null)[],
  ) {
    this.#columns = columns;
    this.#blocks = blocks;
    this.#compressed = compressed;
    this.#next = blocks.levels.map(() => 0);
  }

  /**
   * Writes an answer.
   *
   * @param runs Pairs of first event and the one behind the last
   * @param length How many elements of `runs` count
   * @param tail What stands behind the events; `null` for the usual
   */
  write(runs: Uint32Array, length: number, tail: Uint8Array | null, list: GatherList): void {
    const { memory, head, tail: usualTail } = this.#columns;
    this.#list = list;
    this.#stored = null;
    this.#addScratch(GZIP_HEADER);
    this.#length = head[1];
    this.#checksum = HEAD_CHECKSUM;
    this.#store(memory, head[0], head[1]);
    for (let i = 0; i < length; i += 2) {
      this.#writeRun(runs[i], runs[i + 1], i + 2 === length);
    }
    const tailLength = tail?.length ?? usualTail[1];
    const tailChecksum = tail === null ? TAIL_CHECKSUM : crc32(tail);
    this.#length += tailLength;
    this.#checksum = crc32Combine(this.#checksum, tailChecksum, tailLength);
    if (tail === null) this.#store(memory, usualTail[0], usualTail[1]);
    else this.#storeScratch(tail);
    // The tail is always stored, so the last block is a stored one.
    this.#stored![this.#storedAt] = 1;
    this.#closeStored();
    const trailer = list.addScratch(TRAILER_BYTES);
    writeUint32(list.scratch, trailer, this.#checksum);
    writeUint32(list.scratch, trailer + 4, this.#length);
  }

  #writeRun(from: number, to: number, isLast: boolean): void {
    const { offsets, checksums } = this.#columns;
    const length = offsets[to] - offsets[from];
    let checksum = crc32Between(checksums[from], checksums[to], length);
    // The comma behind the last fragment is not part of the answer, so its block cannot be used.
    if (isLast) checksum = crc32Without(checksum, COMMA);
    const ownLength = isLast ? length - 1 : length;
    this.#checksum = crc32Combine(this.#checksum, checksum, ownLength);
    this.#length += ownLength;

    const end = isLast ? to - 1 : to;
    this.#findBlocks(from, end);
    for (let event = from; event < end;) {
      const behind = this.#addBlock(event, end);
      if (behind > event) event = behind;
      else event = this.#storeToBlock(event, end);
    }
    if (isLast) {
      const { memory, fragments } = this.#columns;
      this.#store(memory, fragments + offsets[end], offsets[to] - 1 - offsets[end]);
    }
  }

  /** Finds the first block of each size that a run may use. */
  #findBlocks(from: number, end: number): void {
    this.#blocks.levels.forEach((level, i) => {
      // A run that is shorter than any block of the size need not search for one.
      this.#next[i] = end - from < BLOCK_EVENTS[i] / 2 ? level.size : level.firstNotBefore(from);
    });
  }

  /**
   * Adds the largest compressed block that begins with an event and ends in time.
   *
   * @returns The event behind it; the same event when there is none
   */
  #addBlock(event: number, end: number): number {
    const { levels } = this.#blocks;
    for (let i = 0; i < levels.length; i++) {
      const { firsts, positions, lengths } = levels[i];
      let block = this.#next[i];
      while (firsts[block] < event) block++;
      this.#next[i] = block;
      if (firsts[block] !== event || firsts[block + 1] > end || lengths[block] === 0) continue;
      this.#closeStored();
      const position = positions[block];
      const segment = this.#compressed[segmentOf(position)]!;
      this.#list.add(segment, offsetInSegment(position), lengths[block]);
      return firsts[block + 1];
    }
    return event;
  }

  /** Stores events up to where the next block of the smallest size begins. */
  #storeToBlock(event: number, end: number): number {
    const smallest = this.#blocks.levels.length - 1;
    const { firsts } = this.#blocks.levels[smallest];
    const block = this.#next[smallest];
    const behind = Math.min(firsts[block] === event ? firsts[block + 1] : firsts[block], end);
    this.#storeEvents(event, behind);
    return behind;
  }

  #storeEvents(from: number, to: number): void {
    const { memory, fragments, offsets } = this.#columns;
    this.#store(memory, fragments + offsets[from], offsets[to] - offsets[from]);
  }

  #store(memory: Memory, offset: number, byteLength: number): void {
    for (let done = 0; done < byteLength;) {
      const taken = this.#reserve(byteLength - done);
      this.#list.add(memory, offset + done, taken);
      done += taken;
    }
  }

  #storeScratch(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const taken = this.#reserve(bytes.length - done);
      this.#addScratch(bytes.subarray(done, done + taken));
      done += taken;
    }
  }

  #addScratch(bytes: Uint8Array): void {
    const offset = this.#list.addScratch(bytes.length);
    this.#list.scratch.set(bytes, offset);
  }

  /** Makes room in a stored block for as many of some bytes as it takes. */
  #reserve(byteLength: number): number {
    if (this.#storedLength === STORED_BYTES_MAX) this.#closeStored();
    if (this.#stored === null) {
      this.#storedAt = this.#list.addScratch(STORED_HEADER_BYTES);
      this.#stored = this.#list.scratch;
      this.#stored[this.#storedAt] = 0;
      this.#storedLength = 0;
    }
    const taken = Math.min(byteLength, STORED_BYTES_MAX - this.#storedLength);
    this.#storedLength += taken;
    return taken;
  }

  #closeStored(): void {
    const scratch = this.#stored;
    if (scratch === null) return;
    const at = this.#storedAt, length = this.#storedLength;
    scratch[at + 1] = length;
    scratch[at + 2] = length >>> 8;
    scratch[at + 3] = ~length;
    scratch[at + 4] = ~length >>> 8;
    this.#stored = null;
    this.#storedLength = 0;
  }
}

function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}
