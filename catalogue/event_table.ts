import { offsetInSegment, segmentOf } from "./arena.ts";
import { ID_BYTES } from "./columns.ts";
import type { Memory } from "./memory.ts";

/** Bytes before the text of a record: its length. */
export const RECORD_HEADER_BYTES = 4;
/** Where in an event's text the id begins: behind `["`. */
export const ID_IN_TEXT = 2;
const ID_IN_RECORD = RECORD_HEADER_BYTES + ID_IN_TEXT;
/** Places in a table per event at least, so that few events share a first place. */
const PLACES_PER_EVENT = 1.5;

/**
 * Finds the record of an event by its id: a hash table with open addressing, each place the position of a record in
 * the arena, or 0. A record is the length of its text (32 bits, little-endian) and the encoded event. The table of the
 * next edition begins as a copy of the last one's.
 */
export class EventTable {
  /** The memory that the table lies in. */
  readonly memory: Memory;
  /** The segments of the arena by number; `null` where there is none. */
  readonly segments: readonly (Memory | null)[];
  readonly #places: Uint32Array;
  readonly #mask: number;

  /**
   * Lays a table over memory, four bytes a place, which stays the caller's.
   *
   * @param places See {@linkcode EventTable.placesFor}
   */
  constructor(memory: Memory, places: number, segments: readonly (Memory | null)[]) {
    this.memory = memory;
    this.segments = segments;
    this.#places = new Uint32Array(memory.bytes.buffer, memory.bytes.byteOffset, places);
    this.#mask = places - 1;
  }

  /** How many places a table for a number of events has: a power of two. */
  static placesFor(events: number): number {
    return 2 ** Math.max(4, Math.ceil(Math.log2(events * PLACES_PER_EVENT)));
  }

  /** Empties all places. */
  clear(): void {
    this.#places.fill(0);
  }

  /** The positions of all records. */
  *positions(): Generator<number> {
    for (const position of this.#places) if (position !== 0) yield position;
  }

  /** How many places there are; see {@linkcode EventTable.placeOf}. */
  get places(): number {
    return this.#places.length;
  }

  /** The position at a place, 0 where there is none. */
  position(place: number): number {
    return this.#places[place];
  }

  /** Puts a position at a place. */
  put(place: number, position: number): void {
    this.#places[place] = position;
  }

  /** Takes all places over from a table of the same size. */
  copyFrom(other: EventTable): void {
    this.#places.set(other.#places);
  }

  /**
   * Where an id is, or would be put.
   *
   * @param bytes Bytes that hold the id
   * @param offset Where in them it begins
   */
  placeOf(bytes: Uint8Array, offset: number): number {
    let hash = 0x811c_9dc5;
    for (let i = 0; i < ID_BYTES; i++) hash = Math.imul(hash ^ bytes[offset + i], 0x0100_0193);
    let place = (hash ^ (hash >>> 15)) & this.#mask;
    for (;; place = (place + 1) & this.#mask) {
      const position = this.#places[place];
      if (position === 0 || this.#hasId(position, bytes, offset)) return place;
    }
  }

  /** The text of a record, as bytes; a view. */
  text(position: number): Uint8Array {
    const record = offsetInSegment(position);
    const { bytes } = this.segments[segmentOf(position)]!;
    const begin = record + RECORD_HEADER_BYTES;
    const length = bytes[record] | bytes[record + 1] << 8 | bytes[record + 2] << 16 |
      bytes[record + 3] << 24;
    return bytes.subarray(begin, begin + length);
  }

  #hasId(position: number, bytes: Uint8Array, offset: number): boolean {
    const segment = this.segments[segmentOf(position)]!.bytes;
    const id = offsetInSegment(position) + ID_IN_RECORD;
    for (let i = 0; i < ID_BYTES; i++) if (segment[id + i] !== bytes[offset + i]) return false;
    return true;
  }
}
