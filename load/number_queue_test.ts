import { assertEquals, assertThrows } from "@std/assert";
import { NumberQueue } from "./number_queue.ts";

Deno.test("a queue of numbers gives them back in order, round its end, and refuses more than it holds", () => {
  const queue = new NumberQueue(3);
  for (let i = 0; i < 10; i++) {
    queue.push(i);
    queue.push(i + 100);
    assertEquals([queue.size, queue.first], [2, i]);
    assertEquals([queue.shift(), queue.shift(), queue.size], [i, i + 100, 0]);
  }
  for (const number of [1, 2, 3]) queue.push(number);
  assertThrows(() => queue.push(4), RangeError, "full");
});
