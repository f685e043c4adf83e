import { BLOCK_EVENTS } from "./limits.ts";
import type { Memory } from "./memory.ts";

/**
 * Events that stand together in two editions: `length` events from `before` in the one are those from `after` in the
 * other, with the same fragments.
 */
export interface CopiedRun {
  before: number;
  after: number;
  length: number;
}

/**
 * One way of cutting an edition's events into blocks, each compressed by itself (RFC 1951, ended by an empty stored
 * block, so that it ends on a byte and anything may follow).
 */
export class BlockLevel {
  /** How many blocks there are. */
  readonly size: number;
  /** The first event of each block; one more element than blocks. */
  readonly firsts: Uint32Array;
  /** Where in the arena of compressed blocks each lies. */
  readonly positions: Uint32Array;
  /** Bytes of each compressed; 0 for one that is not compressed. */
  readonly lengths: Uint32Array;

  /** Lays a level over memory at a byte offset. */
  constructor(memory: Memory, offset: number, size: number) {
    const { buffer, byteOffset } = memory.bytes;
    this.size = size;
    this.firsts = new Uint32Array(buffer, byteOffset + offset, size + 1);
    this.positions = new Uint32Array(buffer, byteOffset + offset + 4 * (size + 1), size);
    this.lengths = new Uint32Array(buffer, byteOffset + offset + 8 * size + 4, size);
  }

  /** Bytes that a level takes. */
  static byteLength(size: number): number {
    return 12 * size + 4;
  }

  /** Makes it a level of blocks none of which is compressed yet. */
  begin(firsts: ArrayLike<number>): void {
    this.firsts.set(firsts);
    this.positions.fill(0);
    this.lengths.fill(0);
  }

  /** The first block that begins at or after an event. */
  firstNotBefore(event: number): number {
    const { firsts } = this;
    let low = 0, high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (firsts[middle] < event) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * The compressed blocks of an edition, in a few sizes: an answer takes the largest that fits. Every block covers whole
 * blocks of the next smaller size.
 */
export class CompressedBlocks {
  /** The memory that the levels lie in; what is compressed lies in an arena. */
  readonly memory: Memory;
  /** One for each of BLOCK_EVENTS, the largest blocks first. */
  readonly levels: readonly BlockLevel[];

  /**
   * Lays the levels over memory, which stays the caller's.
   *
   * @param sizes How many blocks each level has
   */
  constructor(memory: Memory, sizes: readonly number[]) {
    this.memory = memory;
    let offset = 0;
    this.levels = sizes.map((size) => {
      const level = new BlockLevel(memory, offset, size);
      offset += BlockLevel.byteLength(size);
      return level;
    });
  }

  /** Bytes that the levels take. */
  static byteLength(sizes: readonly number[]): number {
    return sizes.reduce((sum, size) => sum + BlockLevel.byteLength(size), 0);
  }

  /** Whether every block is compressed. */
  get isComplete(): boolean {
    return this.levels.every(({ lengths }) => !lengths.includes(0));
  }
}

/**
 * Cuts the events of an edition into blocks. Where the last edition was cut and nothing changed nearby, the cut stays,
 * so that a change costs the compression of the blocks around it and no others.
 *
 * @param previous How the last edition was cut; `null` when there is none
 * @param runs What stayed together, in order
 * @returns For each of BLOCK_EVENTS the first events of its blocks, ended by the number of events
 */
export function cutBlocks(
  size: number,
  previous: CompressedBlocks | null,
  runs: readonly CopiedRun[],
): number[][] {
  const levels: number[][] = [];
  // From the smallest blocks up: larger ones may only be cut where smaller ones are.
  let smaller: number[] | null = null;
  for (let i = BLOCK_EVENTS.length - 1; i >= 0; i--) {
    const kept = previous === null ? [] : moved(previous.levels[i], runs);
    let cuts: number[];
    if (smaller === null) cuts = cut(size, BLOCK_EVENTS[i], kept);
    else {
      const blocks: number[] = smaller;
      const blockAt = new Map(blocks.map((event, block) => [event, block]));
      const places = kept.map((event) => blockAt.get(event)).filter((block) => block !== undefined);
      cuts = cut(blocks.length - 1, BLOCK_EVENTS[i] / BLOCK_EVENTS[i + 1], places)
        .map((block) => blocks[block]);
    }
    levels.unshift(cuts);
    smaller = cuts;
  }
  return levels;
}

/** The cuts of the last edition that lie within runs, where they are now. */
function moved(level: BlockLevel, runs: readonly CopiedRun[]): number[] {
  const cuts: number[] = [];
  for (const { before, after, length } of runs) {
    for (let block = level.firstNotBefore(before); block <= level.size; block++) {
      const event = level.firsts[block] - before + after;
      if (event > after + length) break;
      if (event !== cuts.at(-1)) cuts.push(event);
    }
  }
  return cuts;
}

/**
 * Cuts `size` things into pieces of half to one and a half times the target, at the places given where possible.
 *
 * @param places Ascending
 */
function cut(size: number, target: number, places: readonly number[]): number[] {
  const cuts = [0];
  const cutUpTo = (to: number) => {
    const from = cuts[cuts.length - 1];
    const pieces = to - from > target * 1.5 ? Math.round((to - from) / target) : 1;
    for (let piece = 1; piece <= pieces; piece++) {
      cuts.push(from + Math.round((to - from) * piece / pieces));
    }
  };
  for (const place of places) {
    if (place - cuts[cuts.length - 1] >= target / 2 && size - place >= target / 2) cutUpTo(place);
  }
  if (size > 0) cutUpTo(size);
  return cuts;
}

/**
 * Takes over what is compressed already: a block that lies within a run, and was a block before, is the same bytes.
 *
 * @returns By block of the last edition, 1 where it was taken over
 */
export function takeOver(
  level: BlockLevel,
  previous: BlockLevel,
  runs: readonly CopiedRun[],
): Uint8Array {
  const taken = new Uint8Array(previous.size);
  let run = 0;
  for (let block = 0; block < level.size && runs.length > 0; block++) {
    const from = level.firsts[block], to = level.firsts[block + 1];
    while (run < runs.length - 1 && runs[run].after + runs[run].length <= from) run++;
    const { before, after, length } = runs[run];
    if (from < after || to > after + length) continue;
    const old = previous.firstNotBefore(from - after + before);
    if (
      old === previous.size || previous.firsts[old] !== from - after + before ||
      previous.firsts[old + 1] !== to - after + before
    ) continue;
    level.positions[block] = previous.positions[old];
    level.lengths[block] = previous.lengths[old];
    taken[old] = 1;
  }
  return taken;
}
