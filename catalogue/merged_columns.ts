import { Columns, type EventPlace, ID_BYTES, ID_IN_FRAGMENT } from "./columns.ts";
import type { CopiedRun } from "./compressed_blocks.ts";
import { crc32, crc32Shift } from "./crc32.ts";
import { FRAGMENT_BLOCK_BYTES } from "./limits.ts";
import { giveBack } from "./memory.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const ROWS_AT_FIRST = 1_024;

/** What the next columns will be. */
export interface MergePlan {
  /** Events. */
  size: number;
  fragmentBytes: number;
  /** How far an end lies before its start at the most, among the inserted events. */
  inversion: number;
  /** The inserted rows in the order of search results. */
  order: Uint32Array;
  /** Before which event of the last columns each of `order` goes; ascending. */
  before: Uint32Array;
  /** The events of the last columns that go, ascending. */
  removed: Uint32Array;
}

/**
 * Merges changes into the columns of the last edition: fragments of unchanged events are copied in runs, only inserted
 * ones are rendered.
 */
export class MergedColumns {
  readonly #last: Columns | null;
  /** The inserted fragments, one behind the other in blocks, so that no large array is ever copied. */
  readonly #blocks: Uint8Array<ArrayBuffer>[] = [];
  #blockUsed = 0;
  #fragmentBytes = 0;
  // By inserted row; columns rather than objects, since a first edition inserts every event.
  #size = 0;
  #starts = new Float64Array(ROWS_AT_FIRST);
  #ends = new Float64Array(ROWS_AT_FIRST);
  /** Three numbers a row: the block of its fragment, where it begins there, and its length. */
  #fragments = new Uint32Array(3 * ROWS_AT_FIRST);

  /** @param last The columns that the changes are made to */
  constructor(last: Columns | null) {
    this.#last = last;
  }

  /** Events inserted so far. */
  get size(): number {
    return this.#size;
  }

  /** Inserts an event, by its start, its effective end and its fragment. */
  insert(start: number, end: number, fragment: string): void {
    const room = fragment.length * 3;
    let block = this.#blocks.at(-1);
    if (block === undefined || block.length - this.#blockUsed < room) {
      block = new Uint8Array(Math.max(FRAGMENT_BLOCK_BYTES, room));
      this.#blocks.push(block);
      this.#blockUsed = 0;
    }
    const { written } = encoder.encodeInto(fragment, block.subarray(this.#blockUsed));
    const row = this.#size++;
    if (row === this.#starts.length) this.#grow();
    this.#starts[row] = start;
    this.#ends[row] = end;
    this.#fragments.set([this.#blocks.length - 1, this.#blockUsed, written], 3 * row);
    this.#blockUsed += written;
    this.#fragmentBytes += written;
  }

  /**
   * Finds out where everything goes.
   *
   * @param removals Events of the last columns
   * @throws {Error} If a removal is not there: the builder's own books are wrong
   */
  plan(removals: readonly EventPlace[]): MergePlan {
    const last = this.#last;
    const removed = Uint32Array.from(removals, (place) => {
      const index = last?.firstAtOrAfter(place) ?? 0;
      if (last === null || !last.isAt(index, place)) {
        throw new Error(`event ${place.id} is not where the edition should have it`);
      }
      return index;
    }).sort();
    const order = Uint32Array.from({ length: this.#size }, (_, row) => row)
      .sort((a, b) => this.#compare(a, b));
    const before = order.map((row) => last?.firstAtOrAfter(this.#place(row)) ?? 0);
    let fragmentBytes = (last?.fragmentBytes ?? 0) + this.#fragmentBytes;
    for (const index of removed) fragmentBytes -= last!.offsets[index + 1] - last!.offsets[index];
    let inversion = 0;
    for (let row = 0; row < this.#size; row++) {
      inversion = Math.max(inversion, this.#starts[row] - this.#ends[row]);
    }
    return {
      size: (last?.size ?? 0) + this.#size - removed.length,
      fragmentBytes,
      inversion,
      order,
      before,
      removed,
    };
  }

  /**
   * Writes the next columns.
   *
   * @returns What was copied from the last ones
   */
  write(columns: Columns, { order, before, removed }: MergePlan): CopiedRun[] {
    const last = this.#last;
    const lastSize = last?.size ?? 0;
    const runs: CopiedRun[] = [];
    columns.begin();
    let size = 0;
    let next = 0, insertion = 0, removal = 0;
    while (next < lastSize || insertion < order.length) {
      const insertAt = insertion < order.length ? before[insertion] : lastSize;
      const removeAt = removal < removed.length ? removed[removal] : lastSize;
      const to = Math.min(insertAt, removeAt);
      if (to > next) {
        copy(last!, next, to, columns, size);
        runs.push({ before: next, after: size, length: to - next });
        size += to - next;
        next = to;
      }
      if (insertion < order.length && insertAt === to) {
        this.#insertAt(columns, size++, order[insertion++]);
      } else if (removeAt === to && to < lastSize) {
        next++;
        removal++;
      }
    }
    return runs;
  }

  /** Gives the memory of the inserted fragments back; nothing can be written any more. */
  giveBack(): void {
    for (const block of this.#blocks) giveBack(block);
  }

  #insertAt(columns: Columns, index: number, row: number): void {
    const fragment = this.#fragment(row);
    const { starts, ends, offsets, checksums, fragments, memory } = columns;
    starts[index] = this.#starts[row];
    ends[index] = this.#ends[row];
    offsets[index + 1] = offsets[index] + fragment.length;
    checksums[index + 1] = crc32(fragment, checksums[index]);
    memory.bytes.set(fragment, fragments + offsets[index]);
  }

  #fragment(row: number): Uint8Array {
    const offset = this.#fragments[3 * row + 1];
    return this.#blocks[this.#fragments[3 * row]]
      .subarray(offset, offset + this.#fragments[3 * row + 2]);
  }

  #id(row: number): string {
    return decoder.decode(this.#fragment(row).subarray(ID_IN_FRAGMENT, ID_IN_FRAGMENT + ID_BYTES));
  }

  #place(row: number): EventPlace {
    return { start: this.#starts[row], end: this.#ends[row], id: this.#id(row) };
  }

  /** The order of search results. */
  #compare(a: number, b: number): number {
    const order = this.#starts[a] - this.#starts[b] || this.#ends[a] - this.#ends[b];
    if (order !== 0) return order;
    const idOfA = this.#id(a), idOfB = this.#id(b);
    return idOfA < idOfB ? -1 : idOfA > idOfB ? 1 : 0;
  }

  #grow(): void {
    const length = 2 * this.#size;
    this.#starts = new Float64Array(this.#starts.buffer.transfer(8 * length));
    this.#ends = new Float64Array(this.#ends.buffer.transfer(8 * length));
    this.#fragments = new Uint32Array(this.#fragments.buffer.transfer(12 * length));
  }
}

/** Copies a run of events to where they are now. */
function copy(last: Columns, from: number, to: number, columns: Columns, index: number): void {
  const { offsets, checksums } = columns;
  columns.starts.set(last.starts.subarray(from, to), index);
  columns.ends.set(last.ends.subarray(from, to), index);
  columns.memory.bytes.set(last.fragmentsOf(from, to), columns.fragments + offsets[index]);
  const moved = offsets[index] - last.offsets[from];
  // What is different before the run makes the same difference behind each of its events, shifted by their bytes.
  let difference = checksums[index] ^ last.checksums[from];
  for (let i = from; i < to; i++) {
    const at = index + i - from + 1;
    offsets[at] = last.offsets[i + 1] + moved;
    if (difference !== 0) {
      difference = crc32Shift(difference, last.offsets[i + 1] - last.offsets[i]);
    }
    checksums[at] = last.checksums[i + 1] ^ difference;
  }
}
