import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DateRangeError, parseDateRange, UNBOUNDED } from "./date_range.ts";
import { formatDate, formatDateTime } from "./local_date_time.ts";

const moment = fc.integer({ min: -6e10, max: 2.5e11 });

Deno.test("two moments in order are a range, and in the wrong order an error that names starts_at", () => {
  fc.assert(fc.property(moment, moment, (a, b) => {
    const [from, to] = a <= b ? [a, b] : [b, a];
    assertEquals(parseDateRange(formatDateTime(from), `${formatDateTime(to)}Z`), { from, to });
    if (from === to) return;
    const error = assertThrows(
      () => parseDateRange(formatDateTime(to), formatDateTime(from)),
      DateRangeError,
      "is after ends_at",
    );
    assertEquals(error.parameter, "starts_at");
  }));
});

Deno.test("a bare date begins at its midnight and ends with its last second", () => {
  fc.assert(fc.property(moment, (seconds) => {
    const date = formatDate(seconds);
    const midnight = Math.floor(seconds / 86_400) * 86_400;
    assertEquals(parseDateRange(date, date), { from: midnight, to: midnight + 86_399 });
  }));
});

Deno.test("an end that is not given does not bound", () => {
  assertEquals(parseDateRange(null, null), { ...UNBOUNDED });
  assertEquals(parseDateRange("1970-01-01", null), { from: 0, to: Infinity });
  assertEquals(parseDateRange(null, "1970-01-01T00:00:00"), { from: -Infinity, to: 0 });
});

Deno.test("a fraction moves the lower bound to the next second and the upper one nowhere", () => {
  assertEquals(parseDateRange("1970-01-01T00:00:00.001", "1970-01-01T00:00:01.999"), {
    from: 1,
    to: 1,
  });
  assertThrows(
    () => parseDateRange("1970-01-01T00:00:00.2", "1970-01-01T00:00:00.1"),
    DateRangeError,
  );
});

Deno.test("a leap second is after the second before it and before the next", () => {
  const [leap, next] = ["1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"];
  assertEquals(parseDateRange(leap, null).from, parseDateRange(next, null).from);
  assertEquals(parseDateRange(null, leap).to, parseDateRange(null, "1990-12-31T23:59:59Z").to);
  assertThrows(() => parseDateRange(next, leap), DateRangeError);
  assertThrows(() => parseDateRange("1990-12-31T23:59:61Z", null), DateRangeError);
});

Deno.test("what cannot be read is an error that names the parameter and says what to write", () => {
  for (
    const [start, end, parameter] of [["soon", null, "starts_at"], [
      null,
      "2021-02-30",
      "ends_at",
    ]] as const
  ) {
    const error = assertThrows(() => parseDateRange(start, end), DateRangeError, `${parameter}: `);
    assertEquals(error.parameter, parameter);
    assertEquals(error.message.includes("RFC 3339"), true);
  }
  const long = assertThrows(() => parseDateRange("x".repeat(5_000), null), DateRangeError);
  assertEquals(long.message.length < 250, true);
});
