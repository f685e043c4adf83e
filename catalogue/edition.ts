import { decodeEvent } from "../domain/event_codec.ts";
import type { DateRange, Event } from "../domain/mod.ts";
import { type EditionDescriptor, memoriesOf } from "./edition_descriptor.ts";
import { Columns, ID_BYTES } from "./columns.ts";
import { CompressedBlocks } from "./compressed_blocks.ts";
import { type Cursor, encodeCursor } from "./cursor.ts";
import { EventTable } from "./event_table.ts";
import { AnswerCache } from "./answer_cache.ts";
import type { GatherList } from "./gather_list.ts";
import { GzipWriter } from "./gzip_writer.ts";
import { type Memory, type MemoryHandle, textOf } from "./memory.ts";

/** What a search asks for. */
export interface SearchQuery {
  range: DateRange;
  /** The most events of a page; `null` for all of them, without a cursor to a next page. */
  limit: number | null;
  /** The last event of the page before; `null` for the first page. */
  after: Cursor | null;
}

/** An edition as another thread opens it: numbers and handles only. */
export interface SharedEdition {
  descriptor: EditionDescriptor;
  etag: string;
  memories: { id: number; handle: MemoryHandle }[];
}

/** How the body of an answer is coded: as it is, or compressed (RFC 9110 section 8.4.1.3). */
export type Coding = "identity" | "gzip";

const encoder = new TextEncoder();
const idBytes = new Uint8Array(ID_BYTES * 3);

/** What the last search of this thread found: pairs of first event and the one behind the last. */
let runs = new Uint32Array(256);

/**
 * The visible events of one version, rendered: immutable, so that any number of answers can be made from it while the
 * next edition is built. A search is a binary search and a walk that yields runs of adjacent fragments; an answer is a
 * gather list of them. It equals `search` of the domain, byte for byte.
 *
 * The memory is the catalogue's: an edition that is not current any more is gone at the end of the current turn of the
 * event loop, unless it is pinned.
 */
export class Edition {
  readonly version: number;
  /** The same as a header has it. */
  readonly versionText: string;
  /** Visible events. */
  readonly size: number;
  /** All events, the hidden ones included. */
  readonly events: number;
  /** What clients compare: differs between stores, versions and policies. */
  readonly etag: string;
  /** Bytes of all its memory. What it shares with other editions is counted in each. */
  readonly byteLength: number;
  /** Bytes that searches need: columns, fragments and compressed blocks, without the events' records. */
  readonly searchByteLength: number;
  /** Bodies of answers given from this edition, by query, for each coding. */
  readonly answers: Readonly<Record<Coding, AnswerCache>> = {
    identity: new AnswerCache(),
    gzip: new AnswerCache(),
  };
  readonly #columns: Columns;
  readonly #table: EventTable;
  readonly #gzip: GzipWriter;
  readonly #inversion: number;
  readonly #descriptor: EditionDescriptor;
  readonly #memory: (id: number) => Memory;
  /** What to call when a pin has to be given up. */
  readonly #pins = new Set<() => void>();
  #onUnpinned: () => void = () => {};

  /** @param memory Gives memory by its id */
  constructor(descriptor: EditionDescriptor, etag: string, memory: (id: number) => Memory) {
    const { version, size, events, fragmentBytes, inversion } = descriptor;
    this.version = version;
    this.versionText = String(version);
    this.size = size;
    this.events = events;
    this.etag = etag;
    const segments = (ids: number[]) => ids.map((id) => id === 0 ? null : memory(id));
    const records = segments(descriptor.records);
    const compressed = segments(descriptor.compressed);
    this.#columns = new Columns(memory(descriptor.columns), size, fragmentBytes);
    this.#table = new EventTable(memory(descriptor.table), descriptor.places, records);
    const blocks = new CompressedBlocks(memory(descriptor.blocks), descriptor.blockCounts);
    this.#gzip = new GzipWriter(this.#columns, blocks, compressed);
    this.#inversion = inversion;
    this.#descriptor = descriptor;
    this.#memory = memory;
    const bytes = (memories: (Memory | null)[]) =>
      memories.reduce((sum, one) => sum + (one?.bytes.length ?? 0), 0);
    this.searchByteLength = bytes([this.#columns.memory, blocks.memory, ...compressed]);
    this.byteLength = this.searchByteLength + bytes([this.#table.memory, ...records]);
  }

  /**
   * Answers a search.
   *
   * @param list Emptied, and filled with the answer's body
   * @returns How many events it holds
   */
  search(query: SearchQuery, list: GatherList, coding: Coding = "identity"): number {
    const { range: { from, to }, limit, after } = query;
    const { starts, ends, size } = this.#columns;
    let i = this.#columns.firstNotBefore(from);
    if (after !== null) i = Math.max(i, this.#firstBehind(after));
    const lastStart = to + this.#inversion;
    let length = 0, count = 0, last = -1, hasMore = false;
    while (i < size && starts[i] <= lastStart) {
      if (ends[i] > to) {
        i++;
        continue;
      }
      if (count === limit) {
        hasMore = true;
        break;
      }
      const room = limit === null ? size : Math.min(size, i + limit - count);
      let end = i + 1;
      while (end < room && ends[end] <= to && starts[end] <= lastStart) end++;
      if (length + 2 > runs.length) runs = grown(runs);
      runs[length++] = i;
      runs[length++] = end;
      count += end - i;
      last = end - 1;
      i = end;
    }
    list.clear();
    const tail = limit === null ? null : this.#pageTail(hasMore ? last : -1);
    if (coding === "gzip") this.#gzip.write(runs, length, tail, list);
    else this.#write(length, tail, list);
    return count;
  }

  /** An event by its id, visible or not; `null` when there is none. */
  event(id: string): Event | null {
    if (encoder.encodeInto(id, idBytes).written !== ID_BYTES) return null;
    const position = this.#table.position(this.#table.placeOf(idBytes, 0));
    if (position === 0) return null;
    return decodeEvent(textOf(this.#table.text(position)));
  }

  /**
   * Keeps the edition's memory while an answer from it is being sent.
   *
   * @param onRevoked Called when too many editions are pinned: the pin is to be ended soon, by cutting readers off
   * @returns Ends it; may be called more than once
   */
  pin(onRevoked: () => void): () => void {
    const pin = () => onRevoked();
    this.#pins.add(pin);
    return () => {
      if (this.#pins.delete(pin) && this.#pins.size === 0) this.#onUnpinned();
    };
  }

  /** Whether answers from it are being sent. */
  get isPinned(): boolean {
    return this.#pins.size > 0;
  }

  /** For the catalogue: calls back when the last pin ends. */
  onUnpinned(callback: () => void): void {
    this.#onUnpinned = callback;
  }

  /** For the catalogue: asks for all pins to be ended. */
  revoke(): void {
    for (const onRevoked of [...this.#pins]) onRevoked();
  }

  /** What another thread makes the same edition of. The memory must be kept for it by a pin. */
  share(): SharedEdition {
    const memories = memoriesOf(this.#descriptor)
      .map((id) => ({ id, handle: this.#memory(id).handle }));
    return { descriptor: this.#descriptor, etag: this.etag, memories };
  }

  #write(length: number, tail: Uint8Array | null, list: GatherList): void {
    const { memory, head, tail: usualTail, fragments, offsets } = this.#columns;
    list.add(memory, head[0], head[1]);
    for (let i = 0; i < length; i += 2) {
      const from = offsets[runs[i]];
      // The comma behind the last fragment is not part of the answer.
      const to = offsets[runs[i + 1]] - (i + 2 === length ? 1 : 0);
      list.add(memory, fragments + from, to - from);
    }
    if (tail === null) list.add(memory, usualTail[0], usualTail[1]);
    else {
      const offset = list.addScratch(tail.length);
      list.scratch.set(tail, offset);
    }
  }

  /** What stands behind the fragments of a page. */
  #pageTail(last: number): Uint8Array {
    const { starts, ends } = this.#columns;
    const cursor = last < 0 ? null : encodeCursor({
      version: this.version,
      start: starts[last],
      end: ends[last],
      id: this.#columns.id(last),
    });
    return encoder.encode(`],"next_cursor":${JSON.stringify(cursor)}},"error":null}`);
  }

  #firstBehind(cursor: Cursor): number {
    const index = this.#columns.firstAtOrAfter(cursor);
    return this.#columns.isAt(index, cursor) ? index + 1 : index;
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const twice = new Uint32Array(array.length * 2);
  twice.set(array);
  return twice;
}
