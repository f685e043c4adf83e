import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createLimit, isLimitAlgorithm, LIMIT_ALGORITHMS } from "./limit_algorithms.ts";
import type { Measurement } from "./measurement.ts";

const PERIOD: Measurement = {
  periodMs: 5_000,
  throughput: 50_000,
  latencyNs: 60_000,
  connections: 800,
  rejectionRate: 10,
};

Deno.test("algorithms are known by name", () => {
  for (const name of LIMIT_ALGORITHMS) {
    assert(isLimitAlgorithm(name));
    assertEquals(createLimit(name).name, name);
  }
  assertEquals(isLimitAlgorithm("toString"), false);
});

Deno.test("bounds that contradict each other are refused by name", () => {
  for (const name of LIMIT_ALGORITHMS) {
    assertThrows(() => createLimit(name, { minimum: 0 }), RangeError, "minimum limit of 0");
    assertThrows(() => createLimit(name, { maximum: 1.5 }), RangeError, "maximum limit of 1.5");
    assertThrows(() => createLimit(name, { initial: Number.NaN }), RangeError, "initial limit");
    assertThrows(() => createLimit(name, { minimum: 900, maximum: 800 }), RangeError, "greater");
    assertThrows(() => createLimit(name, { minimum: 100, initial: 50 }), RangeError, "use 100 to");
    assertEquals(createLimit(name, { maximum: 300 }).value, 300);
    assertEquals(createLimit(name, { minimum: 2_000 }).value, 2_000);
  }
});

const anything = fc.oneof(
  fc.double({ min: 0, max: 1e6, noNaN: true }),
  fc.double(),
  fc.constantFrom(0, -0, -1, Number.NaN, Infinity, -Infinity, Number.MAX_VALUE, 5e-324),
);
const garbage: fc.Arbitrary<Measurement> = fc.record({
  periodMs: fc.oneof(fc.constant(5_000), anything),
  throughput: anything,
  latencyNs: fc.oneof(fc.constant(null), anything),
  connections: anything,
  rejectionRate: anything,
});
const plausible: fc.Arbitrary<Measurement> = fc.record({
  periodMs: fc.constant(5_000),
  throughput: fc.integer({ min: 0, max: 200_000 }),
  latencyNs: fc.integer({ min: 1_000, max: 50_000_000 }),
  connections: fc.integer({ min: 0, max: 3_000 }),
  rejectionRate: fc.constantFrom(0, 0, 500),
});

Deno.test("whatever is measured, a limit is a whole number within its bounds", () => {
  let moved = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...LIMIT_ALGORITHMS),
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 0, max: 5_000 }),
      fc.array(fc.oneof(garbage, plausible, plausible, plausible), {
        minLength: 20,
        maxLength: 80,
      }),
      (name, minimum, width, measurements) => {
        const maximum = minimum + width;
        const limit = createLimit(name, { minimum, maximum });
        for (const measurement of measurements) {
          const before = limit.value;
          const decision = limit.update(measurement);
          assertEquals([decision.previous, decision.limit], [before, limit.value]);
          assert(Number.isInteger(limit.value), `${limit.value}`);
          assert(limit.value >= minimum && limit.value <= maximum, `${limit.value}`);
          assert(Object.values(decision.figures).every(Number.isFinite), "figures");
          assert(decision.reason.length > 0);
          if (decision.limit !== before) moved++;
        }
      },
    ),
    { numRuns: 300 },
  );
  assert(moved > 100, `the limit moved ${moved} times only`);
});

Deno.test("the same measurements give the same decisions", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...LIMIT_ALGORITHMS),
      fc.array(plausible, { maxLength: 40 }),
      (name, measurements) => {
        const one = createLimit(name), other = createLimit(name);
        for (const measurement of measurements) {
          assertEquals(one.update(measurement), other.update(measurement));
        }
      },
    ),
    { numRuns: 50 },
  );
});

for (const name of LIMIT_ALGORITHMS) {
  Deno.test(`${name}: a limit that is not used does not grow, however good the figures`, () => {
    const limit = createLimit(name);
    for (let period = 0; period < 1_000; period++) {
      limit.update({ ...PERIOD, connections: 300, rejectionRate: 0 });
    }
    assertEquals(limit.value, 800);
  });

  Deno.test(`${name}: traffic that falls to nothing does not move the limit`, () => {
    const limit = createLimit(name);
    for (let connections = 700; connections >= 0; connections -= 7) {
      const throughput = connections * 100;
      limit.update({ ...PERIOD, connections, throughput, rejectionRate: 0 });
    }
    for (let period = 0; period < 1_000; period++) {
      limit.update({ ...PERIOD, connections: 0, throughput: 0, latencyNs: null, rejectionRate: 0 });
    }
    assertEquals(limit.value, 800);
  });

  Deno.test(`${name}: one slow period lowers no limit that was steady`, () => {
    const limit = createLimit(name, { maximum: 800 });
    for (let period = 0; period < 2; period++) limit.update(PERIOD);
    limit.update({ ...PERIOD, throughput: 10_000, latencyNs: 40_000_000 });
    assertEquals(limit.value, 800);
    limit.update(PERIOD);
    assertEquals(limit.value, 800);
  });
}
