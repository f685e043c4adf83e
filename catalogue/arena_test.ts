import { assertEquals, assertGreater, assertLess } from "@std/assert";
import fc from "fast-check";
import { Arena } from "./arena.ts";
import { ARENA_SEGMENT_BYTES, ARENA_SHARED_RECORD_BYTES_MAX } from "./limits.ts";
import { sharedMemorySource } from "./memory.ts";
import { MemoryPool } from "./memory_pool.ts";

function newArena(): Arena {
  const pool = new MemoryPool(sharedMemorySource);
  return new Arena((byteLength) => pool.allocate(byteLength));
}

/** Adds a record whose bytes are all one number. */
function add(arena: Arena, byte: number, byteLength: number): number {
  const position = arena.add(byteLength);
  arena.at(position, byteLength).fill(byte);
  return position;
}

const segmentsOf = (arena: Arena) => arena.memories.filter((memory) => memory !== null).length;

Deno.test("whatever is added, dropped and moved, every current record keeps its bytes", () => {
  const length = fc.oneof(
    fc.integer({ min: 1, max: 400 }),
    fc.integer({ min: 20_000, max: ARENA_SHARED_RECORD_BYTES_MAX }),
    fc.integer({ min: ARENA_SHARED_RECORD_BYTES_MAX + 1, max: 2 * ARENA_SEGMENT_BYTES }),
  );
  const step = fc.record({ length, drops: fc.array(fc.nat(), { maxLength: 2 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: "max" }), (steps) => {
      const arena = newArena();
      let records: { byte: number; position: number; length: number }[] = [];
      steps.forEach(({ length, drops }, n) => {
        records.push({ byte: n % 255 + 1, position: add(arena, n % 255 + 1, length), length });
        for (const drop of drops) {
          if (records.length === 0) break;
          const [{ position, length }] = records.splice(drop % records.length, 1);
          arena.drop(position, length);
        }
        if (arena.isSparse) {
          records = records.map((record) => ({
            ...record,
            position: arena.moved(record.position, record.length),
          }));
        }
      });
      for (const { byte, position, length } of records) {
        assertGreater(position, 0);
        assertEquals(arena.at(position, length).every((one) => one === byte), true);
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("room comes back: a segment without current records is dropped, a sparse one is emptied", () => {
  const arena = newArena();
  const kilobyte = 1_024;
  const positions = Array.from({ length: 10_000 }, (_, n) => add(arena, n % 256, kilobyte));
  const full = segmentsOf(arena);
  assertGreater(full, 9);
  // All but every tenth: each segment stays, with a tenth of its records.
  positions.forEach((position, n) => n % 10 === 0 || arena.drop(position, kilobyte));
  assertEquals([segmentsOf(arena), arena.isSparse], [full, true]);
  const kept = positions.filter((_, n) => n % 10 === 0)
    .map((position) => arena.moved(position, kilobyte));
  assertLess(segmentsOf(arena), 4);
  kept.forEach((position, n) => {
    assertEquals(arena.at(position, kilobyte)[1_023], n * 10 % 256);
    arena.drop(position, kilobyte);
  });
  assertLess(segmentsOf(arena), 2);
});

Deno.test("a long record stays where it is until it is dropped", () => {
  const arena = newArena();
  const length = ARENA_SHARED_RECORD_BYTES_MAX + 1;
  const long = add(arena, 1, length);
  add(arena, 2, 8);
  assertEquals([arena.isSparse, arena.moved(long, length)], [false, long]);
  arena.drop(long, length);
  assertEquals(segmentsOf(arena), 1);
});
