import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { Measurement } from "./measurement.ts";
import { StepLimit } from "./step_limit.ts";

function used(connections: number, throughput: number): Measurement {
  return { periodMs: 5_000, throughput, latencyNs: 1_000_000, connections, rejectionRate: 1 };
}

/** Feeds what a service gives at each limit, for so many periods. */
function run(limit: StepLimit, gives: (limit: number) => number, periods: number): number[] {
  return Array.from({ length: periods }, () => {
    limit.update(used(limit.value, gives(limit.value)));
    return limit.value;
  });
}

Deno.test("three steady periods move the limit up by 100", () => {
  const limit = new StepLimit();
  assertEquals(run(limit, (limit) => limit * 100, 3), [800, 800, 900]);
});

Deno.test("throughput more than 10 % under the peak moves the limit down by 100", () => {
  const limit = new StepLimit();
  const limits = run(limit, (limit) => limit <= 800 ? 80_000 : 50_000, 6);
  // The first period at 900 is not counted, and the second may be noise.
  assertEquals(limits, [800, 800, 900, 900, 900, 800]);
});

Deno.test("a step that gave no more is not tried again while that is remembered", () => {
  const limit = new StepLimit({ memoryPeriods: 100 });
  const limits = run(limit, (limit) => 100 * Math.min(limit, 800), 100);
  assertEquals(limits.filter((one, index) => one > 800 && limits[index - 1] === 800).length, 1);
  assertEquals(limits.at(-1), 800);
});

Deno.test("it looks whether fewer connections give as much", () => {
  const limit = new StepLimit();
  run(limit, (limit) => 100 * Math.min(limit, 500), 60);
  assertEquals(limit.value, 500);
});

Deno.test("a service that became slower as a whole does not pull the limit down", () => {
  const limit = new StepLimit();
  run(limit, (limit) => 100 * Math.min(limit, 800), 60);
  const limits = run(limit, (limit) => 40 * Math.min(limit, 800), 300);
  assertEquals(Math.min(...limits) >= 600, true, `${limits}`);
  assertEquals(limit.value, 800);
});

Deno.test("what connections gave before the limit was used is remembered", () => {
  const limit = new StepLimit();
  for (let connections = 50; connections <= 400; connections += 50) {
    limit.update({ ...used(connections, connections * 200), rejectionRate: 0 });
  }
  limit.update(used(800, 40_000));
  const { limit: after, reason } = limit.update(used(800, 40_000));
  assertEquals(after, 700);
  assertMatch(reason, /40000\/s against a peak of 80000\/s at 400/);
});

Deno.test("options out of range are refused by name", () => {
  assertThrows(() => new StepLimit({ step: 0 }), RangeError, "step of 0");
  assertThrows(() => new StepLimit({ step: 1, maximum: 1_000_000 }), RangeError, "10000 steps");
  assertThrows(() => new StepLimit({ drop: 1 }), RangeError, "drop of 1");
});
