import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { createLimit, LIMIT_ALGORITHMS } from "./limit_algorithms.ts";
import type { Limit } from "./limit.ts";
import { cliff, flat, gentle, SCENARIOS } from "./scenarios.ts";
import { simulationTable } from "./simulate.ts";
import { type Scenario, simulate } from "./simulator.ts";

function scenario(name: string): Scenario {
  const found = SCENARIOS.find((one) => one.name === name);
  assert(found !== undefined, name);
  return found;
}

function fixedLimit(value: number): Limit {
  return {
    name: "fixed",
    value,
    update: () => ({
      limit: value,
      previous: value,
      state: "holding",
      reason: "fixed",
      figures: {},
    }),
  };
}

Deno.test("no limit does better than the one that is always right, and that one loses nothing", () => {
  for (const one of SCENARIOS) {
    const short = { ...one, hours: 1 };
    const { knee } = one.capacity(0);
    const right = simulate(short, fixedLimit(knee)).lostShare;
    assert(Math.abs(right) < 0.01, `${one.name}: the right limit lost ${right}`);
    // Noise may favour a limit past the knee: a period with more capacity bears more connections.
    if (one.noise !== undefined) continue;
    for (let limit = 50; limit < 4_000; limit = Math.ceil(limit * 1.3)) {
      const { lostShare } = simulate(short, fixedLimit(limit));
      assert(lostShare > -1e-9, `${one.name}: a limit of ${limit} lost ${lostShare}`);
    }
  }
});

for (const name of ["cliff at 400", "cliff at 1500", "noise, cliff at 400"]) {
  Deno.test(`gradient finds the knee in fewer periods than step: ${name}`, () => {
    const gradient = simulate(scenario(name), createLimit("gradient")).convergenceSeconds;
    const step = simulate(scenario(name), createLimit("step")).convergenceSeconds;
    assert(gradient !== null && step !== null);
    assert(gradient < step, `gradient ${gradient} s, step ${step} s`);
  });
}

for (const { name } of SCENARIOS) {
  Deno.test(`gradient stays near the best all day: ${name}`, () => {
    const result = simulate(scenario(name), createLimit("gradient"));
    assert(result.lostShare < 0.08, `lost ${result.lostShare}`);
    assertNotEquals(result.convergenceSeconds, null);
  });
}

for (const algorithm of LIMIT_ALGORITHMS) {
  for (const name of ["flat", "cliff at 400", "gentle, peak at 400", "noise, cliff at 400"]) {
    Deno.test(`${algorithm} does not drift in a day: ${name}`, () => {
      const { limits } = simulate(scenario(name), createLimit(algorithm));
      const hour = 720;
      const mean = (from: number) =>
        limits.slice(from, from + 2 * hour).reduce((sum, one) => sum + one) / (2 * hour);
      const early = mean(2 * hour), late = mean(22 * hour);
      assert(late > early * 0.8 && late < early * 1.25, `from ${early} to ${late}`);
    });
  }

  Deno.test(`${algorithm} is where it was after a day of low traffic`, () => {
    const quiet: Scenario = {
      name: "quiet",
      hours: 24,
      capacity: () => cliff(400),
      demand: () => ({ kind: "closed", clients: 100, thinkSeconds: 0.004 }),
      lifetimeSeconds: 5,
      noise: 0.1,
    };
    const { limits } = simulate(quiet, createLimit(algorithm));
    assertEquals(new Set(limits), new Set([800]));
  });

  Deno.test(`${algorithm} finds the knee through the tiers of a packet filter`, () => {
    const result = simulate(scenario("cliff at 400"), createLimit(algorithm), 1, 50);
    assertNotEquals(result.convergenceSeconds, null);
    assert(result.lostShare < 0.05, `lost ${result.lostShare}`);
  });

  Deno.test(`${algorithm} leaves the least limit again through the tiers of a packet filter`, () => {
    const limit = createLimit(algorithm, { minimum: 50, initial: 50 });
    const { limits } = simulate({ ...scenario("cliff at 400"), hours: 1 }, limit, 1, 50);
    const last = limits.slice(-100);
    assert(last.reduce((sum, one) => sum + one) / last.length >= 300, last.join(" "));
  });
}

Deno.test("in every service and demand, a limit stays within its bounds and gives the same again", () => {
  const capacity = fc.oneof(
    fc.integer({ min: 20, max: 3_000 }).map((knee) => cliff(knee)),
    fc.integer({ min: 20, max: 3_000 }).map((knee) => gentle(knee)),
    fc.constant(flat(0.02)),
  );
  const demand = fc.oneof(
    fc.record({
      kind: fc.constant("closed" as const),
      clients: fc.integer({ min: 0, max: 5_000 }),
      thinkSeconds: fc.constantFrom(0, 0.001, 1),
    }),
    fc.record({
      kind: fc.constant("open" as const),
      perSecond: fc.integer({ min: 0, max: 300_000 }),
    }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...LIMIT_ALGORITHMS),
      capacity,
      demand,
      fc.constantFrom(0, 0.1, 0.3),
      fc.constantFrom(1, 5, 600),
      fc.integer(),
      (algorithm, capacity, demand, noise, lifetimeSeconds, seed) => {
        const bounds = { minimum: 70, maximum: 1_900 };
        const one: Scenario = {
          name: "drawn",
          hours: 0.5,
          capacity: () => capacity,
          demand: () => demand,
          lifetimeSeconds,
          noise,
          slowPeriods: 0.05,
        };
        const result = simulate(one, createLimit(algorithm, bounds), seed);
        assertEquals(result.limits.length, 360);
        assert(
          result.limits.every((limit) =>
            Number.isInteger(limit) && limit >= bounds.minimum && limit <= bounds.maximum
          ),
        );
        assertEquals(simulate(one, createLimit(algorithm, bounds), seed).limits, result.limits);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("the table is the same for the same seed, and another for another", () => {
  const table = simulationTable(1);
  assertEquals(simulationTable(1), table);
  assertNotEquals(simulationTable(2), table);
  assertMatch(table, /^\| cliff at 400 +\| gradient +\|/m);
  assertEquals(table.trim().split("\n").length, 2 + SCENARIOS.length * LIMIT_ALGORITHMS.length);
});
