import { assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import type { SearchQuery } from "../catalogue/mod.ts";
import { encodeCursor } from "../catalogue/mod.ts";
import { DateRangeError, formatDate, formatDateTime, parseDateRange } from "../domain/mod.ts";
import { HttpError, invalidParameter } from "./http_error.ts";
import { parseQuery } from "./query.ts";
import { parseSearchQuery, SEARCH_PARAMETERS } from "./search_query.ts";

const encoder = new TextEncoder();

/** The same by the way that every other route takes. */
function expected(raw: string): SearchQuery {
  const values = parseQuery(raw, SEARCH_PARAMETERS);
  try {
    const range = parseDateRange(values.starts_at, values.ends_at);
    return { range, limit: values.limit, after: values.cursor };
  } catch (error) {
    if (!(error instanceof DateRangeError)) throw error;
    throw invalidParameter(error.parameter, error.message.slice(error.parameter.length + 2));
  }
}

/** Reads a query that lies amid other bytes, as in a request. */
function read(raw: string): SearchQuery {
  const query: SearchQuery = { range: { from: 1, to: 2 }, limit: 3, after: null };
  const bytes = encoder.encode(`?${raw}&limit=9 HTTP/1.1`);
  parseSearchQuery(bytes, 1, bytes.length - "&limit=9 HTTP/1.1".length, query);
  return query;
}

function outcome(parse: (raw: string) => SearchQuery, raw: string): unknown {
  try {
    return parse(raw);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return { status: error.status, code: error.code, message: error.message };
  }
}

const moment = fc.oneof(
  fc.integer({ min: 1_600_000_000, max: 1_600_400_000 }),
  fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
);
const suffix = fc.constantFrom(
  "",
  "Z",
  "z",
  "+02:00",
  "-11:30",
  " 02:00",
  "%2B02:00",
  ".5Z",
  ".25",
);
const date = fc.oneof(
  { weight: 4, arbitrary: moment.map(formatDate) },
  {
    weight: 6,
    arbitrary: fc.tuple(moment, suffix).map(([at, zone]) => formatDateTime(at) + zone),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(moment, suffix, fc.constantFrom("%3A", "%3a", "%3", "%20", "%zz"))
      .map(([at, zone, colon]) => (formatDateTime(at) + zone).replaceAll(":", colon)),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "",
      "2021-02-29",
      "2021-13-01",
      "0000-01-01",
      "0001-01-01",
      "9999-12-31T23:59:59Z",
      "2016-12-31T23:59:60Z",
      "2021-02-01T24:00:00",
      "2021-02-01T00:60:00",
      "2021-2-1",
      "2021-02-01T00:00",
      "2021-02-01t00:00:00z",
      "2021-02-01 00:00:00",
      "2021-02-01+00:00:00",
      "2021:02:01",
      "２０２１-02-01",
      "%32021-02-01",
      "2021-02-01%",
      "2021-02-01T00%3A00%3A00Z%00",
      "20210201",
      "é",
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 24 }).map(encodeURIComponent) },
);
const cursor = fc.constantFrom(
  encodeCursor({ version: 3, start: 0, end: 60, id: "2ed6657d-e927-568b-95e1-2665a8aea6a2" }),
  "bm9uZQ",
  "",
);
const limit = fc.oneof(
  fc.integer({ min: -1, max: 10_001 }).map(String),
  fc.constantFrom("", "1e3", " 5", "+5", "%35", "05"),
);
const pair = fc.oneof(
  fc.tuple(fc.constantFrom("starts_at", "ends_at"), date).map((both) => both.join("=")),
  limit.map((text) => `limit=${text}`),
  cursor.map((text) => `cursor=${text}`),
  fc.constantFrom(
    "",
    "=",
    "x",
    "x=1",
    "starts_at",
    "%73tarts_at=2021-01-01",
    "starts%5Fat=2021-01-02",
    "STARTS_AT=1",
    "starts_at==2021-01-01",
    "%zz=1",
    "toString=1",
    "starts_at+=1",
  ),
);
const raw = fc.array(pair, { maxLength: 5 }).map((pairs) => pairs.join("&"));

Deno.test("a query read from bytes means what the same query read as text means, errors included", () => {
  let good = 0, bad = 0;
  fc.assert(
    fc.property(raw, (raw) => {
      const wanted = outcome(expected, raw);
      assertEquals(outcome(read, raw), wanted, raw);
      if (typeof wanted === "object" && wanted !== null && "status" in wanted) bad++;
      else good++;
    }),
    { numRuns: 8_000 },
  );
  assertGreater(good, 1_000);
  assertGreater(bad, 1_000);
});

Deno.test("nothing of the last query is left in the next one", () => {
  const query: SearchQuery = { range: { from: 0, to: 0 }, limit: null, after: null };
  for (const raw of ["starts_at=2021-01-01&ends_at=2021-01-02&limit=5", "x=1", ""]) {
    const bytes = encoder.encode(raw);
    parseSearchQuery(bytes, 0, bytes.length, query);
    assertEquals(query, expected(raw));
  }
});
