import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatDate,
  formatDateTime,
  formatTime,
  parseDate,
  parseDateTime,
} from "./local_date_time.ts";

const FIRST = Date.UTC(2000, 0, 1) / 1_000 - 63_082_281_600; // 0001-01-01T00:00:00
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59) / 1_000;
const moment = fc.integer({ min: FIRST, max: LAST });

Deno.test("every second of the years 0001 to 9999 is written and read as the platform's Date does", () => {
  fc.assert(
    fc.property(moment, (seconds) => {
      const text = new Date(seconds * 1_000).toISOString().slice(0, 19);
      assertEquals(formatDateTime(seconds), text);
      assertEquals([formatDate(seconds), formatTime(seconds)], [text.slice(0, 10), text.slice(11)]);
      assertEquals(parseDateTime(text), { seconds, nanoseconds: 0 });
      assertEquals(parseDate(text.slice(0, 10)), Math.floor(seconds / 86_400) * 86_400);
    }),
    { numRuns: 5_000 },
  );
  assertEquals([formatDateTime(FIRST), formatDateTime(LAST)], [
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59",
  ]);
});

Deno.test("what is no date or time is null", () => {
  for (
    const text of [
      "2021-09-31T20:00:00",
      "2021-02-29T00:00:00",
      "1900-02-29T00:00:00",
      "2021-00-10T00:00:00",
      "2021-13-10T00:00:00",
      "2021-01-00T00:00:00",
      "0000-01-01T00:00:00",
      "2021-01-01T24:00:00",
      "2021-01-01T23:60:00",
      "2016-12-31T23:59:60Z",
      "2021-01-01T00:00:00+24:00",
      "2021-01-01T00:00:00+00:60",
      "2021-01-01T00:00:00+0000",
      "2021-01-01T00:00:00.",
      "2021-01-01T00:00",
      "2021-1-1T00:00:00",
      "2021-01-01",
      "12021-01-01T00:00:00",
      " 2021-01-01T00:00:00",
      "2021-01-01T00:00:00Z\n",
      "",
    ]
  ) assertEquals(parseDateTime(text), null, text);
  for (const text of ["2021-02-29", "2021-2-1", "20210201", "2021-02-01T00:00:00", ""]) {
    assertEquals(parseDate(text), null, text);
  }
});

Deno.test("an offset is read and ignored, a fraction is kept to the nanosecond", () => {
  const { seconds } = parseDateTime("2021-02-01T10:20:30")!;
  for (const suffix of ["Z", "z", "+00:00", "-11:30", "+23:59", " 02:00"]) {
    assertEquals(
      parseDateTime(`2021-02-01T10:20:30${suffix}`),
      { seconds, nanoseconds: 0 },
      suffix,
    );
  }
  assertEquals(parseDateTime("2021-02-01 10:20:30"), { seconds, nanoseconds: 0 });
  assertEquals(parseDateTime("2021-02-01t10:20:30.1Z"), { seconds, nanoseconds: 1e8 });
  assertEquals(parseDateTime("2021-02-01T10:20:30.0000000019Z"), { seconds, nanoseconds: 1 });
});

Deno.test("no text makes it throw", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789-:TtZz.+ /") });
  fc.assert(fc.property(fc.oneof(fc.string(), digits), (text) => {
    parseDate(text);
    const parsed = parseDateTime(text);
    if (parsed !== null) {
      assertEquals(parseDateTime(formatDateTime(parsed.seconds))!.seconds, parsed.seconds);
    }
  }));
});
