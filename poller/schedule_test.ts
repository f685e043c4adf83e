import { assertEquals, assertGreater } from "@std/assert";
import { cronExpression, schedule } from "./schedule.ts";

Deno.test("whole minutes and hours that come out even are crons, all else is a timer", () => {
  const minute = 60_000;
  const cases: [number, string | null][] = [
    [1_000, null],
    [90_000, null],
    [minute, "* * * * *"],
    [5 * minute, "*/5 * * * *"],
    [7 * minute, null],
    [30 * minute, "*/30 * * * *"],
    [60 * minute, "0 * * * *"],
    [90 * minute, null],
    [120 * minute, "0 */2 * * *"],
    [300 * minute, null],
    [1_440 * minute, "0 0 * * *"],
  ];
  for (const [interval, expression] of cases) assertEquals(cronExpression(interval), expression);
});

Deno.test("a timer ticks until it is told to stop", async () => {
  const stop = new AbortController();
  let ticks = 0;
  assertEquals(schedule(10, () => Promise.resolve(ticks++), stop.signal), "timer");
  await new Promise((resolve) => setTimeout(resolve, 200));
  stop.abort();
  assertGreater(ticks, 2);
  const then = ticks;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assertEquals(ticks, then);
});
