/**
 * A date and time without a zone, as seconds since 1970-01-01T00:00:00 on the event's own clock (proleptic
 * Gregorian calendar, years 0001 to 9999, no leap seconds). The provider's times are local to each event, so
 * two of them are compared as written, never converted.
 */
export type LocalDateTime = number;

/** A local date and time as a user wrote it: whole seconds, and the nanoseconds past them (0 to 999,999,999). */
export interface ParsedDateTime {
  seconds: LocalDateTime;
  nanoseconds: number;
}

/** Seconds in a day. */
export const SECONDS_PER_DAY = 86_400;

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
// RFC 3339 section 5.6, and the same without an offset. The "+" of an offset, or of a separator, reads as a space when
// a client forgot to percent-encode it, so both stand for one another.
const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|[+\- ](\d\d):(\d\d))?$/;

/**
 * Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
 *
 * @returns The number of days, or `null` when there is no such date
 */
export function daysFromDate(year: number, month: number, day: number): number | null {
  if (year < 1 || month < 1 || month > 12 || day < 1) return null;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const daysInMonth = month === 2 ? (leap ? 29 : 28) : 30 + ((month + (month >> 3)) & 1);
  if (day > daysInMonth) return null;
  // Years that begin in March put the leap day last, so that the days before a month are a linear formula.
  const y = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear -
    719_468;
}

/**
 * Reads a bare date, `YYYY-MM-DD`.
 *
 * @returns Its midnight, or `null` when it is no date (`2021-09-31`)
 *
 * @example
 * ```ts
 * import { parseDate } from "./local_date_time.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDate("1970-01-02"), 86_400);
 * assertEquals(parseDate("2021-09-31"), null);
 * ```
 */
export function parseDate(text: string): LocalDateTime | null {
  const match = DATE.exec(text);
  if (match === null) return null;
  const days = daysFromDate(Number(match[1]), Number(match[2]), Number(match[3]));
  return days === null ? null : days * SECONDS_PER_DAY;
}

/**
 * Reads a date and time as RFC 3339 (section 5.6) writes it; the offset may be missing, and is checked and then
 * ignored where it is there. 24:00 is no time, and a leap second only where it is asked for.
 *
 * @param options `hasLeapSeconds`: second 60 is read as the last nanosecond of second 59, since no event is in it: it is
 *   after every second that there is, and before the next
 * @returns Seconds and nanoseconds (digits past the ninth are dropped), or `null` when there is no such moment
 *
 * @example
 * ```ts
 * import { parseDateTime } from "./local_date_time.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDateTime("1970-01-01T01:00:00.5+02:00"), { seconds: 3_600, nanoseconds: 5e8 });
 * assertEquals(parseDateTime("2021-06-30T24:00:00"), null);
 * ```
 */
export function parseDateTime(
  text: string,
  { hasLeapSeconds = false } = {},
): ParsedDateTime | null {
  const match = DATE_TIME.exec(text);
  if (match === null) return null;
  const days = daysFromDate(Number(match[1]), Number(match[2]), Number(match[3]));
  const hour = Number(match[4]), minute = Number(match[5]);
  const isLeap = hasLeapSeconds && match[6] === "60";
  const second = isLeap ? 59 : Number(match[6]);
  if (days === null || hour > 23 || minute > 59 || second > 59) return null;
  if (match[8] !== undefined && (Number(match[8]) > 23 || Number(match[9]) > 59)) return null;
  const fraction = match[7] ?? "";
  return {
    seconds: days * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second,
    nanoseconds: isLeap ? 999_999_999 : Number(fraction.slice(0, 9).padEnd(9, "0")),
  };
}

/**
 * Writes the date of a local date and time as `YYYY-MM-DD`.
 *
 * @example
 * ```ts
 * import { formatDate } from "./local_date_time.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatDate(86_399), "1970-01-01");
 * ```
 */
export function formatDate(value: LocalDateTime): string {
  // The inverse of daysFromDate, by 400-year eras that begin in March.
  const shifted = Math.floor(value / SECONDS_PER_DAY) + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra -
    (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${String(year).padStart(4, "0")}-${twoDigits(month)}-${twoDigits(day)}`;
}

/**
 * Writes the time of day of a local date and time as `HH:MM:SS`.
 *
 * @example
 * ```ts
 * import { formatTime } from "./local_date_time.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatTime(86_399), "23:59:59");
 * ```
 */
export function formatTime(value: LocalDateTime): string {
  const second = value - Math.floor(value / SECONDS_PER_DAY) * SECONDS_PER_DAY;
  return `${twoDigits(Math.floor(second / 3_600))}:${twoDigits(Math.floor(second / 60) % 60)}:${
    twoDigits(second % 60)
  }`;
}

/**
 * Writes a local date and time as `YYYY-MM-DDTHH:MM:SS`, as the feed does.
 *
 * @example
 * ```ts
 * import { formatDateTime } from "./local_date_time.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatDateTime(0), "1970-01-01T00:00:00");
 * ```
 */
export function formatDateTime(value: LocalDateTime): string {
  return `${formatDate(value)}T${formatTime(value)}`;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
