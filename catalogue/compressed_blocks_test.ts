import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import fc from "fast-check";
import {
  BlockLevel,
  CompressedBlocks,
  type CopiedRun,
  cutBlocks,
  takeOver,
} from "./compressed_blocks.ts";
import { BLOCK_EVENTS } from "./limits.ts";
import { sharedMemorySource } from "./memory.ts";

function blocksOf(cuts: readonly number[][]): CompressedBlocks {
  const sizes = cuts.map((firsts) => firsts.length - 1);
  const memory = sharedMemorySource.allocate(CompressedBlocks.byteLength(sizes));
  const blocks = new CompressedBlocks(memory, sizes);
  blocks.levels.forEach((level, i) => level.begin(cuts[i]));
  return blocks;
}

/** Marks every block as compressed, with its own number as its position. */
function compressAll(blocks: CompressedBlocks): void {
  for (const level of blocks.levels) {
    level.positions.forEach((_, block) => level.positions[block] = block + 1);
    level.lengths.fill(1);
  }
}

/** What stays of an edition of `size` events when some go and others come before some. */
function runsAfter(size: number, gone: Set<number>, before: Set<number>): [CopiedRun[], number] {
  const runs: CopiedRun[] = [];
  let after = 0;
  for (let event = 0; event < size; event++) {
    if (before.has(event)) after++;
    if (gone.has(event)) continue;
    const last = runs.at(-1);
    if (
      last !== undefined && last.before + last.length === event &&
      last.after + last.length === after
    ) last.length++;
    else runs.push({ before: event, after, length: 1 });
    after++;
  }
  return [runs, after];
}

function check(size: number, cuts: readonly number[][]): void {
  cuts.forEach((firsts, i) => {
    assertEquals([firsts[0], firsts.at(-1)], [0, size]);
    for (let block = 1; block < firsts.length; block++) {
      const events = firsts[block] - firsts[block - 1];
      assertGreater(events, 0);
      // Larger blocks are cut where smaller ones are, which may be half as large again.
      assertLess(events, BLOCK_EVENTS[i] * 2.5 + 1);
    }
    const smaller = new Set(cuts[i + 1] ?? firsts);
    assert(firsts.every((first) => smaller.has(first)));
  });
}

Deno.test("blocks cover every event once, and larger ones cover whole smaller ones, change after change", () => {
  const change = fc.record({
    gone: fc.array(fc.nat({ max: 3_000 }), { maxLength: 40 }),
    before: fc.array(fc.nat({ max: 3_000 }), { maxLength: 40 }),
  });
  fc.assert(
    fc.property(
      fc.nat({ max: 3_000 }),
      fc.array(change, { maxLength: 12 }),
      (first, changes) => {
        let size = first;
        let blocks = blocksOf(cutBlocks(size, null, []));
        for (const { gone, before } of changes) {
          const [runs, next] = runsAfter(size, new Set(gone), new Set(before));
          const cuts = cutBlocks(next, blocks, runs);
          check(next, cuts);
          blocks = blocksOf(cuts);
          size = next;
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a change costs the blocks around it and no others, and what is taken over is the same events", () => {
  const size = 100_000;
  const cuts = cutBlocks(size, null, []);
  check(size, cuts);
  const previous = blocksOf(cuts);
  compressAll(previous);
  const gone = new Set(Array.from({ length: 100 }, (_, n) => n * 1_000 + 3));
  const [runs, next] = runsAfter(size, gone, new Set([50_500]));
  const blocks = blocksOf(cutBlocks(next, previous, runs));
  blocks.levels.forEach((level, i) => {
    const before = previous.levels[i];
    const taken = takeOver(level, before, runs);
    const lost = taken.reduce((sum, one) => sum + 1 - one, 0);
    assert(lost >= 100 && lost <= 110, `${lost} of ${before.size} blocks`);
    for (let block = 0; block < level.size; block++) {
      if (level.lengths[block] === 0) continue;
      const old = level.positions[block] - 1;
      const run = runs.findLast(({ after }) => after <= level.firsts[block])!;
      const moved = run.before - run.after;
      assertEquals(
        [before.firsts[old], before.firsts[old + 1]],
        [level.firsts[block] + moved, level.firsts[block + 1] + moved],
      );
    }
  });
});

Deno.test("no events are no blocks, and one event is one", () => {
  assertEquals(cutBlocks(0, null, []), BLOCK_EVENTS.map(() => [0]));
  assertEquals(cutBlocks(1, null, []), BLOCK_EVENTS.map(() => [0, 1]));
  assertEquals(new BlockLevel(sharedMemorySource.allocate(4), 0, 0).firstNotBefore(0), 0);
});
