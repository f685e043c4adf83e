import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Schedule } from "./schedule.ts";

Deno.test("a request is due from its time on, and not before", () => {
  fc.assert(fc.property(
    fc.double({ min: 0.1, max: 1e6, noNaN: true }),
    fc.double({ min: 0, max: 1e9, noNaN: true }),
    fc.nat(1_000_000),
    (rate, startMs, number) => {
      const schedule = new Schedule(rate, Infinity, startMs);
      const at = schedule.timeOf(number), interval = 1_000 / rate;
      assertEquals(schedule.dueBy(at + interval / 2), number + 1);
      if (number > 0) assertEquals(schedule.dueBy(at - interval / 2), number);
    },
  ));
});

Deno.test("no more requests are due than there are, and none before it begins", () => {
  const schedule = new Schedule(100, 5, 1_000);
  assertEquals([schedule.dueBy(999), schedule.dueBy(1_000), schedule.dueBy(9_000)], [0, 1, 5]);
  assertEquals([schedule.timeOf(4), schedule.timeOf(5)], [1_040, Infinity]);
});
