import type { LocalDateTime } from "../domain/mod.ts";
import { crc32 } from "./crc32.ts";
import { FRAGMENT_BYTES_ALL_MAX } from "./limits.ts";
import { type Memory, textOf } from "./memory.ts";

const encoder = new TextEncoder();
const HEAD = encoder.encode('{"data":{"events":[');
const TAIL = encoder.encode(']},"error":null}');

/** Bytes of an id, a UUID as text. */
export const ID_BYTES = 36;
/** Where in a fragment the id is: behind `{"id":"`. */
export const ID_IN_FRAGMENT = 7;

/** The checksum of {@linkcode Columns.head}. */
export const HEAD_CHECKSUM = crc32(HEAD);
/** The checksum of {@linkcode Columns.tail}. */
export const TAIL_CHECKSUM = crc32(TAIL);

/** The place of an event in the order of search results. */
export interface EventPlace {
  start: LocalDateTime;
  /** The effective end. */
  end: LocalDateTime;
  id: string;
}

/**
 * The visible events of an edition in the order of search results, in one piece of memory:
 *
 * ```
 * starts     Float64 × size
 * ends       Float64 × size          effective ends
 * offsets    Uint32  × (size + 1)    where each fragment begins among the fragments
 * checksums  Uint32  × (size + 1)    CRC-32 of all fragments before each
 * fragments  bytes                   each event's JSON with a comma behind it
 * head, tail bytes                   what stands before and behind the fragments of every answer
 * ```
 */
export class Columns {
  /** The memory that all of this lies in. */
  readonly memory: Memory;
  /** Events. */
  readonly size: number;
  /** When each event starts. */
  readonly starts: Float64Array;
  /** When each event ends, or starts where it has no end. */
  readonly ends: Float64Array;
  /** Where each event's fragment begins, counted from the first one; one more element than events. */
  readonly offsets: Uint32Array;
  /** The CRC-32 of all fragments before each event's; one more element than events. */
  readonly checksums: Uint32Array;
  /** Where in the memory the first fragment begins. */
  readonly fragments: number;
  /** Where in the memory the head of every answer lies, and its length. */
  readonly head: readonly [offset: number, byteLength: number];
  /** Where in the memory the tail of an answer without pages lies, and its length. */
  readonly tail: readonly [offset: number, byteLength: number];

  /** Lays columns over memory, which stays the caller's. */
  constructor(memory: Memory, size: number, fragmentBytes: number) {
    const { buffer, byteOffset } = memory.bytes;
    this.memory = memory;
    this.size = size;
    this.starts = new Float64Array(buffer, byteOffset, size);
    this.ends = new Float64Array(buffer, byteOffset + 8 * size, size);
    this.offsets = new Uint32Array(buffer, byteOffset + 16 * size, size + 1);
    this.checksums = new Uint32Array(buffer, byteOffset + 20 * size + 4, size + 1);
    this.fragments = 24 * size + 8;
    this.head = [this.fragments + fragmentBytes, HEAD.length];
    this.tail = [this.head[0] + HEAD.length, TAIL.length];
  }

  /**
   * Bytes that columns take.
   *
   * @throws {RangeError} If the fragments are more than 32 bits can address
   */
  static byteLength(size: number, fragmentBytes: number): number {
    if (fragmentBytes > FRAGMENT_BYTES_ALL_MAX) {
      throw new RangeError(
        `the search results of ${size} events are ${fragmentBytes} bytes, more than an edition holds ` +
          `(${FRAGMENT_BYTES_ALL_MAX})`,
      );
    }
    return 24 * size + 8 + fragmentBytes + HEAD.length + TAIL.length;
  }

  /** Writes what does not depend on the events; the memory may hold anything. */
  begin(): void {
    this.offsets[0] = this.checksums[0] = 0;
    this.memory.bytes.set(HEAD, this.head[0]);
    this.memory.bytes.set(TAIL, this.tail[0]);
  }

  /** Bytes of all fragments. */
  get fragmentBytes(): number {
    return this.offsets[this.size];
  }

  /** The fragments of some events; a view. */
  fragmentsOf(from: number, to: number): Uint8Array {
    const { fragments, offsets } = this;
    return this.memory.bytes.subarray(fragments + offsets[from], fragments + offsets[to]);
  }

  /** The id of an event. */
  id(index: number): string {
    const begin = this.fragments + this.offsets[index] + ID_IN_FRAGMENT;
    return textOf(this.memory.bytes.subarray(begin, begin + ID_BYTES));
  }

  /** The first event that starts at or after a moment. */
  firstNotBefore(start: LocalDateTime): number {
    const { starts } = this;
    let low = 0, high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle] < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first event at or after a place in the order of search results. */
  firstAtOrAfter(place: EventPlace): number {
    let low = 0, high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(middle, place)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether an event lies exactly at a place. */
  isAt(index: number, place: EventPlace): boolean {
    return index < this.size && this.starts[index] === place.start &&
      this.ends[index] === place.end && this.id(index) === place.id;
  }

  #isBefore(index: number, place: EventPlace): boolean {
    const order = this.starts[index] - place.start || this.ends[index] - place.end;
    return order < 0 || (order === 0 && this.id(index) < place.id);
  }
}
