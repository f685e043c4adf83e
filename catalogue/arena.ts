import { ARENA_SEGMENT_BYTES, ARENA_SHARED_RECORD_BYTES_MAX } from "./limits.ts";
import type { Memory } from "./memory.ts";
import type { NumberedMemory } from "./memory_pool.ts";

/** Positions count in units of this many bytes, so that 32 bits reach 32 GiB. */
const UNIT_BYTES = 8;
const UNITS_PER_SEGMENT = ARENA_SEGMENT_BYTES / UNIT_BYTES;
const SEGMENT_SHIFT = Math.log2(UNITS_PER_SEGMENT);
/** Where the first record of a segment goes; it keeps 0 free to mean "none". */
const FIRST_UNIT = 1;
const SEGMENTS_MAX = 2 ** (32 - SEGMENT_SHIFT);

/**
 * Records of bytes that are written once and never moved while somebody reads them: a record that is replaced stays
 * where it is for the editions that know it. Records lie in segments; one that holds no current record is dropped, and
 * what current records a sparse one still holds are copied out of it, so that room comes back.
 *
 * A position is 32 bits and never 0.
 */
export class Arena {
  /** The segments by their number in positions; `null` where one was dropped. */
  readonly memories: (Memory | null)[] = [];
  /** What each segment is named; 0 where one was dropped. */
  readonly ids: number[] = [];
  /** Bytes of current records by segment. */
  readonly #current: number[] = [];
  /** Segments of one long record each. */
  readonly #own = new Set<number>();
  readonly #allocate: (byteLength: number) => NumberedMemory;
  #filling = -1;
  /** Where in the segment that is being filled the next record goes, in units. */
  #next = 0;

  /** @param allocate Makes a segment; the arena never frees one, it only stops naming it */
  constructor(allocate: (byteLength: number) => NumberedMemory) {
    this.#allocate = allocate;
  }

  /**
   * Makes room for a record; the caller writes it through {@linkcode Arena.at}. A long record gets a segment of its own.
   *
   * @returns Its position
   * @throws {RangeError} If the arena is full
   */
  add(byteLength: number): number {
    const units = unitsOf(byteLength);
    if (byteLength > ARENA_SHARED_RECORD_BYTES_MAX) {
      const segment = this.#addSegment(byteLength + UNIT_BYTES);
      this.#current[segment] = units;
      this.#own.add(segment);
      return segment * UNITS_PER_SEGMENT + FIRST_UNIT;
    }
    if (this.#filling < 0 || this.#next + units > UNITS_PER_SEGMENT) {
      const full = this.#filling;
      this.#filling = this.#addSegment(ARENA_SEGMENT_BYTES);
      this.#next = FIRST_UNIT;
      if (full >= 0 && this.#current[full] === 0) this.#dropSegment(full);
    }
    const position = this.#filling * UNITS_PER_SEGMENT + this.#next;
    this.#next += units;
    this.#current[this.#filling] += units;
    return position;
  }

  /** The bytes of a current record. */
  at(position: number, byteLength: number): Uint8Array {
    const offset = offsetInSegment(position);
    return this.memories[segmentOf(position)]!.bytes.subarray(offset, offset + byteLength);
  }

  /** Says that a record is no longer current. */
  drop(position: number, byteLength: number): void {
    const segment = segmentOf(position);
    this.#current[segment] -= unitsOf(byteLength);
    if (this.#current[segment] === 0 && segment !== this.#filling) this.#dropSegment(segment);
  }

  /** Whether some segments are so sparse that {@linkcode Arena.moved} should be asked about every record. */
  get isSparse(): boolean {
    return this.memories.some((_, segment) => this.#isSparse(segment));
  }

  /** Where a current record lies from now on: somewhere else if its segment is sparse. */
  moved(position: number, byteLength: number): number {
    if (!this.#isSparse(segmentOf(position))) return position;
    const copy = this.add(byteLength);
    this.at(copy, byteLength).set(this.at(position, byteLength));
    this.drop(position, byteLength);
    return copy;
  }

  /** A segment of one record's own goes with its record: to copy it would give no room back. */
  #isSparse(segment: number): boolean {
    return this.memories[segment] !== null && segment !== this.#filling &&
      !this.#own.has(segment) && this.#current[segment] < UNITS_PER_SEGMENT / 2;
  }

  #addSegment(byteLength: number): number {
    const free = this.memories.indexOf(null);
    const segment = free < 0 ? this.memories.length : free;
    if (segment === SEGMENTS_MAX) throw new RangeError("the catalogue's 32 GiB are used up");
    const { id, memory } = this.#allocate(byteLength);
    this.memories[segment] = memory;
    this.ids[segment] = id;
    this.#current[segment] = 0;
    return segment;
  }

  #dropSegment(segment: number): void {
    this.memories[segment] = null;
    this.ids[segment] = 0;
    this.#own.delete(segment);
  }
}

/** The segment of a position. */
export function segmentOf(position: number): number {
  return position >>> SEGMENT_SHIFT;
}

/** Where in its segment a position lies, in bytes. */
export function offsetInSegment(position: number): number {
  return (position & (UNITS_PER_SEGMENT - 1)) * UNIT_BYTES;
}

function unitsOf(byteLength: number): number {
  return Math.ceil(byteLength / UNIT_BYTES);
}
