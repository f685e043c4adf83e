import { type FastAnswer, type HeadTemplate, httpDate, type ReleasedMemory } from "./fast_route.ts";
import { MESSAGE } from "./kernel_layout.ts";
import { forgetPages } from "./libc.ts";
import {
  MESSAGE_VECTORS_MAX,
  PIPELINED_BYTES_MAX,
  PIPELINED_ROOM_BYTES,
  PIPELINED_ROOM_VECTORS,
  SLOT_BYTES,
  SLOT_VECTORS,
  SLOTS_KEPT,
} from "./limits.ts";
import { mapMemory, type MappedMemory } from "./mapped_memory.ts";

const TWO_32 = 2 ** 32;
const SLOT_WORDS = SLOT_BYTES / 4;
/** Where vectors begin in a slot, in words; the message lies before them. */
const VECTORS = 16;
/** Where text begins in a slot, in bytes. */
const TEXT = VECTORS * 4 + SLOT_VECTORS * 16;
/** Bytes up to which a loop copies faster than `set`. */
const COPIED_SINGLY_MAX = 96;
/** Memory for text beyond a slot is taken in pieces of this. */
const OVERFLOW_BYTES = 65_536;
const encoder = new TextEncoder();

/** What an answer needs beyond its slot. */
interface Overflow {
  /** Freed when the answer was sent. */
  readonly memories: MappedMemory[];
  /** Vectors, all of them, when there are more than a slot has. */
  vectors: Uint32Array | null;
  vectorsAddress: number;
  /** Where text goes when a slot has no room for it. */
  text: MappedMemory | null;
  textLength: number;
}

/**
 * Memory for answers in flight, and what writes them: each lies in a slot from its first byte until it was sent.
 *
 * ```
 *  slot:  | message (msghdr) | vectors (iovec) | text: heads, short bodies |
 *              │                  │  └──────────────▲
 *              └──────────────────▲  └───▶ memory elsewhere
 * ```
 *
 * A connection has at most one slot. The pages of a slot cost memory when they are first used.
 */
export class AnswerSlots implements FastAnswer {
  /** Slots that are taken. */
  inUse = 0;
  /** Bytes of the answers written since {@linkcode AnswerSlots.open}. */
  byteLength = 0;
  /** Whether answers end with `connection: close`. */
  closes = false;
  /** Whether the client must be told that the connection stays (HTTP/1.0). */
  keepsOldAlive = false;
  /** Whether bodies are left out. */
  isHead = false;
  /** The status of the answer last begun. */
  status = 0;

  readonly #memory: MappedMemory;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #free: Uint32Array;
  #freeCount: number;
  #touched = 0;
  /** Per slot, the vector that is sent next, and how many there are. */
  readonly #first: Uint32Array;
  readonly #count: Uint32Array;
  readonly #overflows = new Map<number, Overflow>();
  readonly #released: (ReleasedMemory | null)[] = [];

  // What is being written.
  #slot = -1;
  #base = 0;
  #vector = 0;
  #text = 0;
  /** Where text begins that no vector has yet. */
  #textStart = 0;
  #table: Uint32Array;
  #tableStart = 0;
  #hasHead = false;
  // To take back an answer that fails half-way.
  #markVector = 0;
  #markText = 0;
  #markTextStart = 0;
  #markBytes = 0;

  #second = -1;
  #date = new Uint8Array(0);

  /** @param count How many answers can be in flight */
  constructor(count: number) {
    this.#memory = mapMemory(count * SLOT_BYTES);
    this.#bytes = this.#memory.bytes;
    this.#words = new Uint32Array(this.#memory.bytes.buffer);
    this.#table = this.#words;
    this.#free = Uint32Array.from({ length: count }, (_, i) => count - 1 - i);
    this.#freeCount = count;
    this.#first = new Uint32Array(count);
    this.#count = new Uint32Array(count);
    for (let slot = 0; slot < count; slot++) this.#released.push(null);
    this.setTime(Date.now());
  }

  /** Sets what Date says; to be called at least once a second. */
  setTime(milliseconds: number): void {
    const second = Math.floor(milliseconds / 1_000);
    if (second === this.#second) return;
    this.#second = second;
    this.#date = encoder.encode(httpDate(milliseconds));
  }

  /** Whether a slot is being written. */
  get isOpen(): boolean {
    return this.#slot >= 0;
  }

  /** Whether nothing was written to the open slot. */
  get isEmpty(): boolean {
    return this.#vector === 0 && this.#text === this.#textStart;
  }

  /** Takes a slot and begins to write there. */
  open(): void {
    const slot = this.#free[--this.#freeCount];
    this.inUse++;
    if (slot >= this.#touched) this.#touched = slot + 1;
    this.#slot = slot;
    this.#base = slot * SLOT_BYTES;
    this.#vector = 0;
    this.#text = this.#textStart = this.#base + TEXT;
    this.#table = this.#words;
    this.#tableStart = slot * SLOT_WORDS + VECTORS;
    this.byteLength = 0;
    this.mark();
  }

  /** Whether another answer to a pipelined request would fit. */
  get hasRoom(): boolean {
    return this.#vector + PIPELINED_ROOM_VECTORS <= SLOT_VECTORS &&
      this.#base + SLOT_BYTES - this.#text >= PIPELINED_ROOM_BYTES &&
      this.byteLength < PIPELINED_BYTES_MAX;
  }

  /** Remembers where the next answer begins. */
  mark(): void {
    this.#markVector = this.#vector;
    this.#markText = this.#text;
    this.#markTextStart = this.#textStart;
    this.#markBytes = this.byteLength;
    this.#hasHead = false;
  }

  /** Takes back what was written since {@linkcode AnswerSlots.mark}. */
  rollback(): void {
    this.#vector = this.#markVector;
    this.#text = this.#markText;
    this.#textStart = this.#markTextStart;
    this.byteLength = this.#markBytes;
    this.#hasHead = false;
  }

  begin(template: HeadTemplate): void {
    template.setDate(this.#second, this.#date);
    // Word by word: from the next whole one, which leaves a gap that no vector covers.
    let text = this.#text;
    if ((text & 3) !== 0) {
      this.#flushText();
      text = this.#text = this.#textStart = (text + 3) & ~3;
    }
    this.#requireRoom(template.byteLength + 4);
    const from = template.words, to = this.#words, start = text >> 2;
    for (let i = 0; i < from.length; i++) to[start + i] = from[i];
    this.#text = text + template.byteLength;
    this.status = template.status;
  }

  writeText(text: string): void {
    if (this.#base + SLOT_BYTES - this.#text < text.length) {
      const bytes = encoder.encode(text);
      this.writeBytes(bytes, 0, bytes.length);
      return;
    }
    if (this.isHead && this.#hasHead) return;
    const bytes = this.#bytes;
    let at = this.#text;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#text = at;
  }

  writeBytes(from: Uint8Array, start: number, end: number): void {
    if (this.isHead && this.#hasHead) return;
    const length = end - start;
    if (this.#base + SLOT_BYTES - this.#text < length) {
      if (!this.#hasHead) this.#requireRoom(length);
      const overflow = this.#overflow();
      if (overflow.text === null || overflow.text.bytes.length - overflow.textLength < length) {
        overflow.text = mapMemory(Math.max(OVERFLOW_BYTES, length));
        overflow.textLength = 0;
        overflow.memories.push(overflow.text);
      }
      overflow.text.bytes.set(from.subarray(start, end), overflow.textLength);
      this.addMemory(overflow.text.address + overflow.textLength, length);
      overflow.textLength += length;
      return;
    }
    const bytes = this.#bytes;
    let at = this.#text;
    this.#text = at + length;
    // Making a view costs 0.1 µs, as much as this many bytes one by one.
    if (length > COPIED_SINGLY_MAX) bytes.set(from.subarray(start, end), at);
    else for (let i = start; i < end; i++) bytes[at++] = from[i];
  }

  endHead(contentLength: number): void {
    if (this.closes) this.writeText("connection: close\r\n");
    else if (this.keepsOldAlive) this.writeText("connection: keep-alive\r\n");
    if (contentLength >= 0) {
      this.writeText("content-length: ");
      this.#writeNumber(contentLength);
      this.writeText("\r\n\r\n");
    } else this.writeText("\r\n");
    this.#hasHead = true;
  }

  addMemory(address: number, byteLength: number): void {
    if (this.isHead) return;
    if (this.#text !== this.#textStart) this.#flushText();
    this.#addVector(address, byteLength);
  }

  onSent(released: ReleasedMemory): void {
    const before = this.#released[this.#slot];
    if (before === released) return;
    if (before !== null) throw new Error("answers that are sent together use one memory");
    released.inFlight++;
    this.#released[this.#slot] = released;
  }

  /** The memory that the answers in a slot use, where they told. */
  memoryOf(slot: number): ReleasedMemory | null {
    return this.#released[slot];
  }

  /**
   * Ends writing.
   *
   * @returns The slot
   */
  finish(): number {
    const slot = this.#slot;
    if (this.#text !== this.#textStart) this.#flushText();
    this.#first[slot] = 0;
    this.#count[slot] = this.#vector;
    this.#slot = -1;
    this.#pointMessage(slot);
    return slot;
  }

  /** Takes a slot for bytes that lie elsewhere, and nothing else. */
  single(address: number, byteLength: number): number {
    this.open();
    this.isHead = false;
    this.addMemory(address, byteLength);
    return this.finish();
  }

  /** The address of a slot's message. */
  message(slot: number): number {
    return this.#memory.address + slot * SLOT_BYTES;
  }

  /** Where the only vector that a slot has left points; 0 when there are more. */
  singleAddress(slot: number): number {
    if (this.#count[slot] - this.#first[slot] !== 1) return 0;
    const vectors = this.#overflows.size === 0 ? undefined : this.#overflows.get(slot)?.vectors;
    const table = vectors ?? this.#words;
    const at = (vectors === null || vectors === undefined ? slot * SLOT_WORDS + VECTORS : 0) +
      this.#first[slot] * 4;
    return table[at] + table[at + 1] * TWO_32;
  }

  /** Goes on behind bytes that were sent. */
  advance(slot: number, byteLength: number): void {
    const overflow = this.#overflows.get(slot);
    const table = overflow?.vectors ?? this.#words;
    const start = table === this.#words ? slot * SLOT_WORDS + VECTORS : 0;
    let first = this.#first[slot];
    while (byteLength > 0) {
      const at = start + first * 4;
      const length = table[at + 2] + table[at + 3] * TWO_32;
      if (length > byteLength) {
        const address = table[at] + table[at + 1] * TWO_32 + byteLength;
        table[at] = address;
        table[at + 1] = address / TWO_32;
        table[at + 2] = length - byteLength;
        table[at + 3] = (length - byteLength) / TWO_32;
        break;
      }
      byteLength -= length;
      first++;
    }
    this.#first[slot] = first;
    this.#pointMessage(slot);
  }

  /** Gives a slot back; nothing of it may be in flight. */
  release(slot: number): void {
    const overflow = this.#overflows.size === 0 ? undefined : this.#overflows.get(slot);
    if (overflow !== undefined) {
      for (const memory of overflow.memories) memory.free();
      this.#overflows.delete(slot);
    }
    const released = this.#released[slot];
    if (released !== null) {
      this.#released[slot] = null;
      if (--released.inFlight === 0) released.released();
    }
    this.#free[this.#freeCount++] = slot;
    this.inUse--;
  }

  /** Drops what was written since {@linkcode AnswerSlots.open}. */
  abandon(): void {
    this.release(this.finish());
  }

  /** Unmaps it; nothing may be in flight. */
  free(): void {
    this.#memory.free();
  }

  /** Gives memory that a rush of answers needed back to the system, when there are none. */
  shrink(): void {
    if (this.inUse > 0 || this.#touched <= SLOTS_KEPT) return;
    forgetPages(
      this.#memory.address + SLOTS_KEPT * SLOT_BYTES,
      (this.#touched - SLOTS_KEPT) * SLOT_BYTES,
    );
    this.#touched = SLOTS_KEPT;
    // In order again, so that few slots are used over and over.
    for (let i = 0; i < this.#freeCount; i++) this.#free[i] = this.#freeCount - 1 - i;
  }

  #pointMessage(slot: number): void {
    const at = slot * SLOT_WORDS;
    const overflow = this.#overflows.size === 0 ? undefined : this.#overflows.get(slot);
    const first = this.#first[slot];
    const vectors = overflow?.vectors != null
      ? overflow.vectorsAddress
      : this.#memory.address + slot * SLOT_BYTES + VECTORS * 4;
    const address = vectors + first * 16;
    const words = this.#words;
    words[at + MESSAGE.msg_iov / 4] = address;
    words[at + MESSAGE.msg_iov / 4 + 1] = address / TWO_32;
    const count = this.#count[slot] - first;
    words[at + MESSAGE.msg_iovlen / 4] = count < MESSAGE_VECTORS_MAX ? count : MESSAGE_VECTORS_MAX;
  }

  #flushText(): void {
    const length = this.#text - this.#textStart;
    if (length === 0) return;
    const start = this.#textStart;
    this.#textStart = this.#text;
    this.#addVector(this.#memory.address + start, length);
  }

  #addVector(address: number, byteLength: number): void {
    if (this.#vector >= SLOT_VECTORS) this.#growTable();
    const table = this.#table;
    const at = this.#tableStart + this.#vector++ * 4;
    table[at] = address;
    table[at + 1] = address / TWO_32;
    table[at + 2] = byteLength;
    table[at + 3] = byteLength / TWO_32;
    this.byteLength += byteLength;
  }

  /** Moves vectors to memory of their own when a slot has no room for one more. */
  #growTable(): void {
    const overflow = this.#overflow();
    const room = overflow.vectors === null ? SLOT_VECTORS : overflow.vectors.length / 4;
    if (this.#vector < room) return;
    const memory = mapMemory(room * 16 * 4);
    const vectors = new Uint32Array(memory.bytes.buffer);
    vectors.set(this.#table.subarray(this.#tableStart, this.#tableStart + this.#vector * 4));
    overflow.memories.push(memory);
    overflow.vectors = vectors;
    overflow.vectorsAddress = memory.address;
    this.#table = vectors;
    this.#tableStart = 0;
  }

  #overflow(): Overflow {
    let overflow = this.#overflows.get(this.#slot);
    if (overflow === undefined) {
      overflow = { memories: [], vectors: null, vectorsAddress: 0, text: null, textLength: 0 };
      this.#overflows.set(this.#slot, overflow);
    }
    return overflow;
  }

  #requireRoom(byteLength: number): void {
    if (this.#base + SLOT_BYTES - this.#text < byteLength) {
      throw new RangeError(`the head of an answer has ${SLOT_BYTES - TEXT} bytes at most`);
    }
  }

  #writeNumber(value: number): void {
    let digits = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    const bytes = this.#bytes;
    let at = this.#text += digits;
    for (let rest = value; digits > 0; digits--) {
      const quotient = Math.floor(rest / 10);
      bytes[--at] = 48 + rest - quotient * 10;
      rest = quotient;
    }
  }
}
