import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { UNBOUNDED } from "./date_range.ts";
import { type EventSummary, search, toSearchResult } from "./search.ts";

const event = fc.record({
  id: fc.uuid(),
  title: fc.constant("Tosca"),
  start: fc.integer({ min: 0, max: 20 }),
  end: fc.option(fc.integer({ min: 0, max: 25 })),
  minPrice: fc.constant(null),
  maxPrice: fc.constant(null),
});

Deno.test("a search finds exactly the events within the range, in order, and changes nothing", () => {
  const bound = fc.oneof(fc.integer({ min: -1, max: 26 }), fc.constantFrom(-Infinity, Infinity));
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 40, size: "max" }),
      bound,
      bound,
      (events, from, to) => {
        const before = structuredClone(events);
        const found = search(events, { from, to });
        assertEquals(events, before);
        const expected: EventSummary[] = [];
        for (const one of events) {
          const end = one.end === null ? one.start : one.end;
          if (!(one.start < from) && !(end > to)) expected.push(one);
        }
        assertEquals(new Set(found), new Set(expected));
        assertEquals(found.length, expected.length);
        for (let i = 1; i < found.length; i++) {
          const [a, b] = [found[i - 1], found[i]].map((
            one,
          ) => [one.start, one.end ?? one.start, one.id]);
          const different = a.findIndex((value, k) => value !== b[k]);
          assertEquals(different === -1 || a[different] < b[different], true);
        }
      },
    ),
  );
});

Deno.test("a search without bounds finds everything, in the same order whatever it was given in", () => {
  fc.assert(fc.property(fc.uniqueArray(event, { selector: ({ id }) => id }), (events) => {
    const found = search(events, UNBOUNDED);
    assertEquals(found.length, events.length);
    assertEquals(search(events.toReversed(), UNBOUNDED), found);
  }));
});

Deno.test("a result has its eight keys in order, and null where there is nothing", () => {
  const summary = {
    id: "a",
    title: "Tosca",
    start: 86_399,
    end: 86_400,
    minPrice: 5,
    maxPrice: 7.5,
  };
  assertEquals(
    JSON.stringify(toSearchResult(summary)),
    '{"id":"a","title":"Tosca","start_date":"1970-01-01","start_time":"23:59:59",' +
      '"end_date":"1970-01-02","end_time":"00:00:00","min_price":5,"max_price":7.5}',
  );
  const { end_date, end_time, min_price, max_price } = toSearchResult({
    ...summary,
    end: null,
    minPrice: null,
    maxPrice: null,
  });
  assertEquals([end_date, end_time, min_price, max_price], [null, null, null, null]);
});
