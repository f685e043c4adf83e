import { Columns, type EventPlace } from "./columns.ts";
import type { CopiedRun } from "./compressed_blocks.ts";
import { crc32, crc32Shift } from "./crc32.ts";
import { FRAGMENT_BLOCK_BYTES } from "./limits.ts";

const encoder = new TextEncoder();

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
  readonly #places: EventPlace[] = [];
  /** The inserted fragments, one behind the other in blocks, so that no large array is ever copied. */
  readonly #blocks: Uint8Array[] = [];
  #blockUsed = 0;
  #fragmentBytes = 0;
  /** The block of each inserted fragment, where it begins there, and its length. */
  readonly #rows: [block: number, offset: number, byteLength: number][] = [];

  /** @param last The columns that the changes are made to */
  constructor(last: Columns | null) {
    this.#last = last;
  }

  /** Events inserted so far. */
  get size(): number {
    return this.#places.length;
  }

  /** Inserts an event. */
  insert(place: EventPlace, fragment: string): void {
    const room = fragment.length * 3;
    let block = this.#blocks.at(-1);
    if (block === undefined || block.length - this.#blockUsed < room) {
      block = new Uint8Array(Math.max(FRAGMENT_BLOCK_BYTES, room));
      this.#blocks.push(block);
      this.#blockUsed = 0;
    }
    const { written } = encoder.encodeInto(fragment, block.subarray(this.#blockUsed));
    this.#places.push(place);
    this.#rows.push([this.#blocks.length - 1, this.#blockUsed, written]);
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
    const places = this.#places;
    const removed = Uint32Array.from(removals, (place) => {
      const index = last?.firstAtOrAfter(place) ?? 0;
      if (last === null || !last.isAt(index, place)) {
        throw new Error(`event ${place.id} is not where the edition should have it`);
      }
      return index;
    }).sort();
    const order = Uint32Array.from(places, (_, row) => row).sort((a, b) =>
      comparePlaces(places[a], places[b])
    );
    const before = order.map((row) => last?.firstAtOrAfter(places[row]) ?? 0);
    let fragmentBytes = (last?.fragmentBytes ?? 0) + this.#fragmentBytes;
    for (const index of removed) fragmentBytes -= last!.offsets[index + 1] - last!.offsets[index];
    let inversion = 0;
    for (const { start, end } of places) inversion = Math.max(inversion, start - end);
    return {
      size: (last?.size ?? 0) + places.length - removed.length,
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
    columns.writeEnds();
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

  #insertAt(columns: Columns, index: number, row: number): void {
    const { start, end } = this.#places[row];
    const [block, offset, byteLength] = this.#rows[row];
    const fragment = this.#blocks[block].subarray(offset, offset + byteLength);
    const { starts, ends, offsets, checksums, fragments, memory } = columns;
    starts[index] = start;
    ends[index] = end;
    offsets[index + 1] = offsets[index] + fragment.length;
    checksums[index + 1] = crc32(fragment, checksums[index]);
    memory.bytes.set(fragment, fragments + offsets[index]);
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

function comparePlaces(a: EventPlace, b: EventPlace): number {
  return a.start - b.start || a.end - b.end || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
