import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { linearAxis, logarithmicAxis } from "./axis.ts";

Deno.test("every value lies within its axis, in order, and so do the marks", () => {
  const value = fc.double({ min: 1e-6, max: 1e9, noNaN: true });
  fc.assert(fc.property(
    fc.array(value, { minLength: 1, maxLength: 20 }),
    fc.constantFrom(linearAxis, logarithmicAxis),
    (values, make) => {
      const { ticks, at } = make(values, 6);
      const places = [...values, ...ticks].sort((a, b) => a - b).map(at);
      const isWithin = places.every((place) => place >= -1e-9 && place <= 1 + 1e-9);
      const isOrdered = places.every((place, i) => i === 0 || place >= places[i - 1]);
      return isWithin && isOrdered && ticks.length >= 2 && ticks.length <= 20;
    },
  ));
});

Deno.test("marks are round numbers", () => {
  assertEquals(linearAxis([19.3], 5).ticks, [0, 5, 10, 15, 20]);
  assertEquals(logarithmicAxis([1, 4_096], 8).ticks, [1, 10, 100, 1_000]);
  assertEquals(logarithmicAxis([0.6, 15], 6).ticks, [0.5, 1, 2, 5, 10, 20]);
});

Deno.test("a logarithmic axis refuses what it has no place for", () => {
  assertThrows(() => logarithmicAxis([1, 0], 5), RangeError, "no place for 0");
});
