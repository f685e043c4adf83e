import {
  decodeSummary,
  effectiveEnd,
  type EventSummary,
  type SellModePolicy,
  toSearchResult,
} from "../domain/mod.ts";
import { Turns } from "../event_loop.ts";
import { Arena, type NumberedMemory } from "./arena.ts";
import { Columns, type EventPlace } from "./columns.ts";
import {
  BlockLevel,
  compressBlock,
  CompressedBlocks,
  type CopiedRun,
  cutBlocks,
  takeOver,
} from "./compressed_blocks.ts";
import { EventTable, ID_IN_TEXT, RECORD_HEADER_BYTES } from "./event_table.ts";
import { BUILD_STEP } from "./limits.ts";
import { MergedColumns } from "./merged_columns.ts";
import { type MemoryHandle, type MemorySource, textOf } from "./memory.ts";

/** What an edition is made of: numbers only, so that it can be told to another thread. */
export interface EditionDescriptor {
  version: number;
  /** Visible events. */
  size: number;
  /** All events, the hidden ones included. */
  events: number;
  /** Bytes of all fragments. */
  fragmentBytes: number;
  /** How far an end lies before its start at the most; 0 in a sane catalogue. */
  inversion: number;
  /** Compressed blocks of each size. */
  blockCounts: number[];
  /** Memory by its id. */
  columns: number;
  table: number;
  blocks: number;
  /** The segments of the arena of records; 0 where there is none. */
  records: number[];
  /** The segments of the arena of compressed blocks; 0 where there is none. */
  compressed: number[];
}

/** An edition that was built, as its thread announces it. */
export interface BuiltEdition {
  descriptor: EditionDescriptor;
  /** The memory that was not announced before. Whoever gets the announcement frees it. */
  fresh: { id: number; handle: MemoryHandle }[];
  /** Events that the last edition did not have. */
  added: number;
  /** Events that were different in the last edition. */
  changed: number;
}

/** A step from one version to the next: what was taken since the last step. */
export interface BuildStep {
  version: number;
  /** True when what was taken is everything there is. */
  isComplete: boolean;
}

/** Builds editions, in this thread or another. Calls must not overlap. */
export interface Builder {
  /** Takes encoded events, each ended by a line feed. The bytes are the builder's from now on. */
  take(lines: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /** Builds the next edition from what was taken; where an id was taken twice the last one counts. */
  build(step: BuildStep): Promise<BuiltEdition>;
  /**
   * Compresses the blocks of the last edition that are not compressed yet.
   *
   * @returns The same edition with them, or `null` when there was nothing to do
   */
  compress(): Promise<BuiltEdition | null>;
  /** Ends it. Memory that was announced stays. */
  close(): void;
}

/** How a builder is made. */
export interface BuilderOptions {
  policy: SellModePolicy;
  source: MemorySource;
  /** How long it may hold the event loop, in milliseconds; `Infinity` in a thread of its own. */
  turnMs?: number;
}

const LINE_FEED = 10;

/** The parts of the last edition, of which the next one takes over what did not change. */
interface Parts {
  descriptor: EditionDescriptor;
  columns: Columns;
  table: EventTable;
  blocks: CompressedBlocks;
}

/** Builds editions in the thread that calls it, which gets a turn now and then. */
export class EditionBuilder implements Builder {
  readonly #policy: SellModePolicy;
  readonly #source: MemorySource;
  readonly #turnMs: number | undefined;
  readonly #records: Arena;
  readonly #compressed: Arena;
  #lastId = 0;
  #fresh: NumberedMemory[] = [];
  /** Positions of the records taken since the last edition. */
  #taken: number[] = [];
  #last: Parts | null = null;

  constructor({ policy, source, turnMs }: BuilderOptions) {
    this.#policy = policy;
    this.#source = source;
    this.#turnMs = turnMs;
    this.#records = new Arena((byteLength) => this.#allocate(byteLength));
    this.#compressed = new Arena((byteLength) => this.#allocate(byteLength));
  }

  take(lines: Uint8Array<ArrayBuffer>): void {
    for (let from = 0, to; from < lines.length; from = to + 1) {
      to = lines.indexOf(LINE_FEED, from);
      const length = to - from;
      const position = this.#records.add(RECORD_HEADER_BYTES + length);
      const record = this.#records.at(position, RECORD_HEADER_BYTES + length);
      record[0] = length;
      record[1] = length >>> 8;
      record[2] = length >>> 16;
      record[3] = length >>> 24;
      record.set(lines.subarray(from, to), RECORD_HEADER_BYTES);
      this.#taken.push(position);
    }
  }

  async build({ version, isComplete }: BuildStep): Promise<BuiltEdition> {
    const last = this.#last;
    const table = this.#nextTable(isComplete ? null : last);
    const taken = this.#taken;
    this.#taken = [];
    // Dropped at the end: until then both tables are read.
    const superseded: number[] = [];
    // Which places hold a record of this step, and what each replaced.
    const replaced = new Map<number, number>();
    for (const position of taken) {
      const text = table.table.text(position);
      const place = table.table.placeOf(text, ID_IN_TEXT);
      const before = table.table.position(place);
      if (replaced.has(place)) superseded.push(before);
      else replaced.set(place, isComplete ? this.#lastPosition(text) : before);
      table.table.put(place, position);
    }

    let added = 0, changed = 0;
    let events = isComplete ? 0 : last?.descriptor.events ?? 0;
    const removals: EventPlace[] = [];
    const insertions = new MergedColumns(last?.columns ?? null);
    const turns = new Turns(this.#turnMs);
    let done = 0;
    for (const [place, before] of replaced) {
      if (++done % BUILD_STEP === 0) await turns.share();
      const position = table.table.position(place);
      const text = table.table.text(position);
      if (before === 0) {
        added++;
        events++;
        this.#show(text, null, insertions, removals);
        continue;
      }
      if (isComplete) events++;
      const textBefore = table.table.text(before);
      if (areEqual(text, textBefore)) {
        table.table.put(place, before);
        superseded.push(position);
        continue;
      }
      changed++;
      this.#show(text, textBefore, insertions, removals);
      superseded.push(before);
    }
    if (isComplete && last !== null) {
      for (const position of last.table.positions()) {
        const text = last.table.text(position);
        if (table.table.position(table.table.placeOf(text, ID_IN_TEXT)) !== 0) continue;
        this.#show(null, text, insertions, removals);
        superseded.push(position);
      }
    }
    for (const position of superseded) {
      this.#records.drop(position, RECORD_HEADER_BYTES + table.table.text(position).length);
    }
    this.#tidyRecords(table.table);
    return this.#finish(version, events, table, insertions, removals, { added, changed });
  }

  async compress(): Promise<BuiltEdition | null> {
    const last = this.#last;
    if (last === null) return null;
    if (last.blocks.isComplete) return null;
    const { blockCounts } = last.descriptor;
    const memory = this.#allocate(CompressedBlocks.byteLength(blockCounts));
    memory.memory.bytes.set(last.blocks.memory.bytes);
    const blocks = new CompressedBlocks(memory.memory, blockCounts);
    const turns = new Turns(this.#turnMs);
    for (const level of blocks.levels) {
      for (let block = 0; block < level.size; block++) {
        if (level.lengths[block] !== 0) continue;
        const bytes = compressBlock(last.columns, level, block);
        const position = this.#compressed.add(bytes.length);
        this.#compressed.at(position, bytes.length).set(bytes);
        level.positions[block] = position;
        level.lengths[block] = bytes.length;
        await turns.share();
      }
    }
    return this.#announce({
      ...last,
      blocks,
      descriptor: { ...last.descriptor, blocks: memory.id },
    }, { added: 0, changed: 0 });
  }

  close(): void {}

  /** A table for the next edition, with room for everything taken. */
  #nextTable(last: Parts | null): { id: number; table: EventTable } {
    const events = (last?.descriptor.events ?? 0) + this.#taken.length;
    const byteLength = EventTable.byteLength(events);
    const previous = last?.table ?? null;
    // A table does not shrink: what an id replaces is counted as one more event.
    const isGrown = previous === null || previous.memory.bytes.length < byteLength;
    const { id, memory } = this.#allocate(isGrown ? byteLength : previous.memory.bytes.length);
    const table = new EventTable(memory, this.#records.memories);
    if (previous !== null && !isGrown) table.copyFrom(previous);
    if (previous !== null && isGrown) {
      for (const position of previous.positions()) {
        table.put(table.placeOf(table.text(position), ID_IN_TEXT), position);
      }
    }
    return { id, table };
  }

  /** Where the last edition has the event of a text; 0 where it has none. */
  #lastPosition(text: Uint8Array): number {
    const table = this.#last?.table;
    return table === undefined ? 0 : table.position(table.placeOf(text, ID_IN_TEXT));
  }

  /** Notes what a changed event means for the search results. */
  #show(
    after: Uint8Array | null,
    before: Uint8Array | null,
    insertions: MergedColumns,
    removals: EventPlace[],
  ): void {
    const now = this.#summarize(after);
    const then = this.#summarize(before);
    const fragment = now === null ? "" : fragmentOf(now);
    if (then !== null) {
      if (fragment === fragmentOf(then)) return;
      removals.push({ start: then.start, end: effectiveEnd(then), id: then.id });
    }
    if (now !== null) {
      insertions.insert({ start: now.start, end: effectiveEnd(now), id: now.id }, fragment);
    }
  }

  #summarize(text: Uint8Array | null): EventSummary | null {
    if (text === null) return null;
    return decodeSummary(textOf(text), this.#policy);
  }

  /** Moves records out of sparse segments. */
  #tidyRecords(table: EventTable): void {
    if (!this.#records.isSparse) return;
    for (let place = 0; place < table.places; place++) {
      const position = table.position(place);
      if (position === 0) continue;
      const length = RECORD_HEADER_BYTES + table.text(position).length;
      table.put(place, this.#records.moved(position, length));
    }
  }

  #finish(
    version: number,
    events: number,
    { id: tableId, table }: { id: number; table: EventTable },
    insertions: MergedColumns,
    removals: EventPlace[],
    counts: { added: number; changed: number },
  ): BuiltEdition {
    const last = this.#last;
    if (last !== null && insertions.size === 0 && removals.length === 0) {
      const descriptor = { ...last.descriptor, version, events, table: tableId };
      return this.#announce({ ...last, table, descriptor }, counts);
    }
    const plan = insertions.plan(removals);
    const columnsMemory = this.#allocate(Columns.byteLength(plan.size, plan.fragmentBytes));
    const columns = new Columns(columnsMemory.memory, plan.size, plan.fragmentBytes);
    const runs = insertions.write(columns, plan);

    const cuts = cutBlocks(plan.size, last?.blocks ?? null, runs);
    const blockCounts = cuts.map((firsts) => firsts.length - 1);
    const blocksMemory = this.#allocate(CompressedBlocks.byteLength(blockCounts));
    const blocks = new CompressedBlocks(blocksMemory.memory, blockCounts);
    blocks.levels.forEach((level, i) => {
      level.firsts.set(cuts[i]);
      if (last !== null) this.#takeOver(level, last.blocks.levels[i], runs);
    });
    const descriptor: EditionDescriptor = {
      version,
      size: plan.size,
      events,
      fragmentBytes: plan.fragmentBytes,
      inversion: Math.max(last?.descriptor.inversion ?? 0, plan.inversion),
      blockCounts,
      columns: columnsMemory.id,
      table: tableId,
      blocks: blocksMemory.id,
      records: [],
      compressed: [],
    };
    return this.#announce({ descriptor, columns, table, blocks }, counts);
  }

  /** Takes compressed blocks over, drops the others, and moves what sparse segments still hold. */
  #takeOver(level: BlockLevel, previous: BlockLevel, runs: readonly CopiedRun[]): void {
    const taken = takeOver(level, previous, runs);
    for (let block = 0; block < previous.size; block++) {
      if (taken[block] === 0 && previous.lengths[block] !== 0) {
        this.#compressed.drop(previous.positions[block], previous.lengths[block]);
      }
    }
    if (!this.#compressed.isSparse) return;
    for (let block = 0; block < level.size; block++) {
      if (level.lengths[block] === 0) continue;
      level.positions[block] = this.#compressed.moved(
        level.positions[block],
        level.lengths[block],
      );
    }
  }

  #announce(parts: Parts, counts: { added: number; changed: number }): BuiltEdition {
    const { descriptor } = parts;
    descriptor.records = [...this.#records.ids];
    descriptor.compressed = [...this.#compressed.ids];
    this.#last = parts;
    const used = new Set(memoriesOf(descriptor));
    const fresh: BuiltEdition["fresh"] = [];
    for (const { id, memory } of this.#fresh) {
      // What came and went within one step was never announced, so nobody else would free it.
      if (used.has(id)) fresh.push({ id, handle: memory.handle });
      else memory.free();
    }
    this.#fresh = [];
    return { descriptor, fresh, ...counts };
  }

  #allocate(byteLength: number): NumberedMemory {
    const numbered = { id: ++this.#lastId, memory: this.#source.allocate(byteLength) };
    this.#fresh.push(numbered);
    return numbered;
  }
}

/** The memory that an edition lies in, by id. */
export function memoriesOf(descriptor: EditionDescriptor): number[] {
  const { columns, table, blocks, records, compressed } = descriptor;
  return [columns, table, blocks, ...records, ...compressed].filter((id) => id !== 0);
}

/** An event's piece of an answer: its JSON and a comma. */
function fragmentOf(event: EventSummary): string {
  return JSON.stringify(toSearchResult(event)) + ",";
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
