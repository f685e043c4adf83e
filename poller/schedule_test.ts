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
    [2_880 * minute, null],
    [minute + 1, null],
    [minute / 2, null],
    [0, null],
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

Deno.test("every cron keeps its interval exactly, over the turn of hours and days", () => {
  for (let minutes = 1; minutes <= 1_500; minutes++) {
    const expression = cronExpression(minutes * 60_000);
    if (expression === null) continue;
    const [minute, hour, ...rest] = expression.split(" ");
    assertEquals(rest, ["*", "*", "*"], expression);
    const fits = (field: string, value: number) =>
      field === "*" || (field.startsWith("*/") ? value % +field.slice(2) === 0 : value === +field);
    const ticks: number[] = [];
    for (let t = 0; t <= 2 * 1_440; t++) {
      if (fits(minute, t % 60) && fits(hour, Math.floor(t / 60) % 24)) ticks.push(t);
    }
    for (let i = 1; i < ticks.length; i++) {
      assertEquals(ticks[i] - ticks[i - 1], minutes, expression);
    }
    assertGreater(ticks.length, 1, expression);
  }
});

Deno.test("a whole minute is left to Deno.cron, and ends with the signal", () => {
  const stop = new AbortController();
  assertEquals(schedule(60_000, () => Promise.resolve(), stop.signal), "cron");
  stop.abort();
});
