import {
  type LocalDateTime,
  parseDate,
  parseDateTime,
  type ParsedDateTime,
  SECONDS_PER_DAY,
} from "./local_date_time.ts";

/** The span that an event must lie in: it starts at or after `from` and ends at or before `to`, in whole seconds. */
export interface DateRange {
  /** `-Infinity` without a lower bound. */
  from: LocalDateTime;
  /** `Infinity` without an upper bound. */
  to: LocalDateTime;
}

/** The range that holds every event. */
export const UNBOUNDED: Readonly<DateRange> = { from: -Infinity, to: Infinity };

/** A date range that cannot be read. The message names the parameter and says what is accepted. */
export class DateRangeError extends Error {
  override name = "DateRangeError";
  /** The parameter at fault. */
  readonly parameter: "starts_at" | "ends_at";
  constructor(parameter: "starts_at" | "ends_at", problem: string) {
    super(`${parameter}: ${problem}`);
    this.parameter = parameter;
  }
}

/**
 * Reads the two ends of a range as a user writes them: RFC 3339, the same without an offset, or a bare date, which
 * means its midnight as `startsAt` and its last second as `endsAt`. An offset is read and ignored: the times of
 * events are local to each.
 *
 * @throws {DateRangeError} If an end cannot be read, or the range ends before it starts
 *
 * @example
 * ```ts
 * import { parseDateRange } from "./date_range.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDateRange("1970-01-01", "1970-01-01"), { from: 0, to: 86_399 });
 * ```
 */
export function parseDateRange(startsAt: string | null, endsAt: string | null): DateRange {
  const start = startsAt === null ? null : parseBound("starts_at", startsAt);
  const end = endsAt === null ? null : parseBound("ends_at", endsAt);
  if (
    start !== null && end !== null &&
    (start.seconds > end.seconds ||
      (start.seconds === end.seconds && start.nanoseconds > end.nanoseconds))
  ) {
    throw new DateRangeError("starts_at", `${shown(startsAt!)} is after ends_at ${shown(endsAt!)}`);
  }
  // Events have whole seconds: a fraction moves a lower bound to the next second, and an upper one nowhere.
  return {
    from: start === null ? -Infinity : start.seconds + (start.nanoseconds > 0 ? 1 : 0),
    to: end === null ? Infinity : end.seconds,
  };
}

function parseBound(parameter: "starts_at" | "ends_at", text: string): ParsedDateTime {
  const midnight = parseDate(text);
  if (midnight !== null) {
    const seconds = parameter === "starts_at" ? midnight : midnight + SECONDS_PER_DAY - 1;
    return { seconds, nanoseconds: 0 };
  }
  const parsed = parseDateTime(text, { hasLeapSeconds: true });
  if (parsed !== null) return parsed;
  throw new DateRangeError(
    parameter,
    `${
      shown(text)
    } is no date: write 2021-02-01, 2021-02-01T00:00:00 or 2021-02-01T00:00:00Z (RFC 3339)`,
  );
}

function shown(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}
