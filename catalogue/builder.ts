import {
  decodeSummary,
  effectiveEnd,
  type EventSummary,
  type SellModePolicy,
  toSearchResult,
} from "../domain/mod.ts";
import { Turns } from "../event_loop.ts";
import { Arena } from "./arena.ts";
import { compressBlock } from "./block_compressor.ts";
import { Columns, type EventPlace } from "./columns.ts";
import {
  BlockLevel,
  CompressedBlocks,
  type CopiedRun,
  cutBlocks,
  takeOver,
} from "./compressed_blocks.ts";
import { EventTable, ID_IN_TEXT, RECORD_HEADER_BYTES } from "./event_table.ts";
import { type EditionDescriptor, memoriesOf } from "./edition_descriptor.ts";
import { BUILD_STEP, MEMORY_SLACK } from "./limits.ts";
import { MergedColumns } from "./merged_columns.ts";
import { giveBack, type MemoryHandle, type MemorySource, textOf } from "./memory.ts";
import { MemoryPool } from "./memory_pool.ts";
import { NumberList } from "./number_list.ts";

/** An edition that was built, as its thread announces it. */
export interface BuiltEdition {
  descriptor: EditionDescriptor;
  /** The memory that was not announced before. Whoever gets the announcement owns it. */
  fresh: { id: number; handle: MemoryHandle }[];
  /** Memory that was recycled and is of no use to the builder: its owner may free it. */
  useless: number[];
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
  /** Requests that wait until it is done with the one before. */
  readonly queueDepth: number;
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
  /** Takes back memory that no edition uses any more, by its id, to build other editions in. */
  recycle(ids: number[]): void;
  /** Ends it. Memory that was announced stays its owner's. */
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

/** What a step changes, as far as it is known. */
interface Changes {
  added: number;
  changed: number;
  /** Events of the next edition. */
  events: number;
  insertions: MergedColumns;
  removals: EventPlace[];
  /** Records that the next edition does not have; they are read until it is known what changes. */
  superseded: NumberList;
}

/** Builds editions in the thread that calls it, which gets a turn now and then. */
export class EditionBuilder implements Builder {
  /** Always 0: calls do not overlap, and what is asked is done at once. */
  readonly queueDepth = 0;
  readonly #policy: SellModePolicy;
  readonly #turnMs: number | undefined;
  readonly #records: Arena;
  readonly #compressed: Arena;
  readonly #memory: MemoryPool;
  /** Positions of the records taken since the last edition. */
  #taken = new NumberList();
  #last: Parts | null = null;

  constructor({ policy, source, turnMs }: BuilderOptions) {
    this.#policy = policy;
    this.#turnMs = turnMs;
    this.#memory = new MemoryPool(source);
    const allocate = (byteLength: number) => this.#memory.allocate(byteLength);
    this.#records = new Arena(allocate);
    this.#compressed = new Arena(allocate);
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
    giveBack(lines);
  }

  async build({ version, isComplete }: BuildStep): Promise<BuiltEdition> {
    const last = this.#last;
    const next = this.#nextTable(isComplete ? null : last);
    const changes: Changes = {
      added: 0,
      changed: 0,
      events: isComplete ? 0 : last?.descriptor.events ?? 0,
      insertions: new MergedColumns(last?.columns ?? null),
      removals: [],
      superseded: new NumberList(),
    };
    const { touched, replaced } = this.#placeTaken(next.table, isComplete, changes);
    const turns = new Turns(this.#turnMs);
    for (let i = 0; i < touched.length; i++) {
      if (i % BUILD_STEP === 0) await turns.share();
      this.#compare(next.table, touched.at(i), replaced.at(i), changes);
      if (isComplete && replaced.at(i) !== 0) changes.events++;
    }
    if (isComplete && last !== null) this.#removeMissing(last.table, next.table, changes);
    const { superseded } = changes;
    for (let i = 0; i < superseded.length; i++) {
      const position = superseded.at(i);
      this.#records.drop(position, RECORD_HEADER_BYTES + next.table.text(position).length);
    }
    this.#tidyRecords(next.table);
    return this.#finish(version, next, changes);
  }

  /**
   * Puts the records that were taken into the next table.
   *
   * @returns The places that hold one of them, and the position that each replaced, 0 for none
   */
  #placeTaken(
    table: EventTable,
    isComplete: boolean,
    { superseded }: Changes,
  ): { touched: NumberList; replaced: NumberList } {
    const touched = new NumberList(), replaced = new NumberList();
    const isTouched = new Uint8Array(table.places);
    const taken = this.#taken;
    this.#taken = new NumberList();
    for (let i = 0; i < taken.length; i++) {
      const position = taken.at(i);
      const text = table.text(position);
      const place = table.placeOf(text, ID_IN_TEXT);
      const before = table.position(place);
      if (isTouched[place] === 1) superseded.push(before);
      else {
        isTouched[place] = 1;
        touched.push(place);
        replaced.push(isComplete ? this.#lastPosition(text) : before);
      }
      table.put(place, position);
    }
    return { touched, replaced };
  }

  /** Finds out what a record changes. */
  #compare(table: EventTable, place: number, before: number, changes: Changes): void {
    const position = table.position(place);
    const text = table.text(position);
    if (before === 0) {
      changes.added++;
      changes.events++;
      this.#show(text, null, changes);
      return;
    }
    const textBefore = table.text(before);
    if (areEqual(text, textBefore)) {
      table.put(place, before);
      changes.superseded.push(position);
      return;
    }
    changes.changed++;
    changes.superseded.push(before);
    this.#show(text, textBefore, changes);
  }

  /** Removes what the last edition had and the next one, which is given everything there is, does not. */
  #removeMissing(last: EventTable, next: EventTable, changes: Changes): void {
    for (const position of last.positions()) {
      const text = last.text(position);
      if (next.position(next.placeOf(text, ID_IN_TEXT)) !== 0) continue;
      this.#show(null, text, changes);
      changes.superseded.push(position);
    }
  }

  async compress(): Promise<BuiltEdition | null> {
    const last = this.#last;
    if (last === null) return null;
    if (last.blocks.isComplete) return null;
    const { blockCounts } = last.descriptor;
    const byteLength = CompressedBlocks.byteLength(blockCounts);
    const memory = this.#memory.allocate(byteLength, MEMORY_SLACK);
    memory.memory.bytes.set(last.blocks.memory.bytes.subarray(0, byteLength));
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

  recycle(ids: number[]): void {
    this.#memory.recycle(ids);
  }

  close(): void {}

  /** A table for the next edition, with room for everything taken. */
  #nextTable(last: Parts | null): { id: number; table: EventTable } {
    const events = (last?.descriptor.events ?? 0) + this.#taken.length;
    const previous = last?.table ?? null;
    // A table does not shrink: what an id replaces is counted as one more event.
    const places = Math.max(EventTable.placesFor(events), previous?.places ?? 0);
    const isGrown = places !== previous?.places;
    const { id, memory } = this.#memory.allocate(4 * places);
    const table = new EventTable(memory, places, this.#records.memories);
    if (isGrown) table.clear();
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
    { insertions, removals }: Changes,
  ): void {
    const now = this.#summarize(after);
    const then = this.#summarize(before);
    const fragment = now === null ? "" : fragmentOf(now);
    if (then !== null) {
      if (fragment === fragmentOf(then)) return;
      removals.push({ start: then.start, end: effectiveEnd(then), id: then.id });
    }
    if (now !== null) {
      insertions.insert(now.start, effectiveEnd(now), fragment);
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
    { id: tableId, table }: { id: number; table: EventTable },
    changes: Changes,
  ): BuiltEdition {
    const { events, insertions, removals } = changes;
    const last = this.#last;
    if (last !== null && insertions.size === 0 && removals.length === 0) {
      const descriptor = {
        ...last.descriptor,
        version,
        events,
        table: tableId,
        places: table.places,
      };
      return this.#announce({ ...last, table, descriptor }, changes);
    }
    const plan = insertions.plan(removals);
    const columnsMemory = this.#memory.allocate(
      Columns.byteLength(plan.size, plan.fragmentBytes),
      MEMORY_SLACK,
    );
    const columns = new Columns(columnsMemory.memory, plan.size, plan.fragmentBytes);
    const runs = insertions.write(columns, plan);
    insertions.giveBack();

    const cuts = cutBlocks(plan.size, last?.blocks ?? null, runs);
    const blockCounts = cuts.map((firsts) => firsts.length - 1);
    const blocksMemory = this.#memory.allocate(
      CompressedBlocks.byteLength(blockCounts),
      MEMORY_SLACK,
    );
    const blocks = new CompressedBlocks(blocksMemory.memory, blockCounts);
    blocks.levels.forEach((level, i) => {
      level.begin(cuts[i]);
      if (last !== null) this.#takeOver(level, last.blocks.levels[i], runs);
    });
    const descriptor: EditionDescriptor = {
      version,
      size: plan.size,
      events,
      fragmentBytes: plan.fragmentBytes,
      inversion: Math.max(last?.descriptor.inversion ?? 0, plan.inversion),
      blockCounts,
      places: table.places,
      columns: columnsMemory.id,
      table: tableId,
      blocks: blocksMemory.id,
      records: [],
      compressed: [],
    };
    return this.#announce({ descriptor, columns, table, blocks }, changes);
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

  #announce(
    parts: Parts,
    { added, changed }: Pick<BuiltEdition, "added" | "changed">,
  ): BuiltEdition {
    const { descriptor } = parts;
    descriptor.records = [...this.#records.ids];
    descriptor.compressed = [...this.#compressed.ids];
    this.#last = parts;
    return { descriptor, ...this.#memory.announce(memoriesOf(descriptor)), added, changed };
  }
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
