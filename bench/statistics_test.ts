import { assertEquals, assertThrows } from "@std/assert";
import { median, ratio, spread } from "./statistics.ts";

Deno.test("a median is a sample that was seen", () => {
  assertEquals(median([5, 1, 9, 7]), 7);
  assertThrows(() => median([]), RangeError, "no numbers");
});

Deno.test("a spread has the least and the greatest", () => {
  assertEquals(spread([5, 1, 9]), { median: 5, min: 1, max: 9, count: 3 });
});

Deno.test("a ratio is taken within each round, so that a slow round does not move it", () => {
  assertEquals(ratio([2, 20, 2], [4, 40, 4]), { median: 0.5, min: 0.5, max: 0.5, count: 3 });
  assertThrows(() => ratio([1, 2], [1]), RangeError, "2 samples have no ratio to 1");
  assertThrows(() => ratio([1], [0]), RangeError, "above 0");
});
