/** A minute, in milliseconds: the step of Deno.cron. */
const MINUTE_MS = 60_000;

/**
 * The cron expression for an interval, where Deno.cron can keep it: whole minutes that divide an hour, or whole hours
 * that divide a day.
 *
 * @returns `null` where a timer has to keep the interval
 *
 * @example
 * ```ts
 * import { cronExpression } from "./schedule.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(cronExpression(60_000), "* * * * *");
 * assertEquals(cronExpression(5 * 60_000), "*\/5 * * * *");
 * assertEquals(cronExpression(10_000), null);
 * ```
 */
export function cronExpression(intervalMs: number): string | null {
  const minutes = intervalMs / MINUTE_MS;
  if (!Number.isInteger(minutes) || minutes < 1) return null;
  if (minutes === 1) return "* * * * *";
  if (minutes < 60) return 60 % minutes === 0 ? `*/${minutes} * * * *` : null;
  const hours = minutes / 60;
  if (!Number.isInteger(hours) || 24 % hours !== 0) return null;
  return hours === 24 ? "0 0 * * *" : hours === 1 ? "0 * * * *" : `0 */${hours} * * *`;
}

/**
 * Calls `tick` at every interval, until the signal aborts: by Deno.cron where it can keep the interval,
 * by a timer elsewhere. Deno.cron has to be registered before the first request is served on some hosts, so this
 * belongs in the first, synchronous part of a program; what runs before `tick` is ready is the caller's to hold back.
 *
 * @param tick Never rejects; it sees to it itself that two calls do not overlap
 * @returns What keeps the interval
 */
export function schedule(
  intervalMs: number,
  tick: () => Promise<unknown>,
  signal: AbortSignal,
): "cron" | "timer" {
  const expression = cronExpression(intervalMs);
  if (expression !== null) {
    // An own backoff schedule would run a failed tick again between two ticks.
    Deno.cron("poll the providers", expression, { signal, backoffSchedule: [] }, async () => {
      await tick();
    });
    return "cron";
  }
  const timer = setInterval(tick, intervalMs);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  return "timer";
}
