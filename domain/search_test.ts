import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type EventSummary, search } from "./search.ts";

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
  fc.assert(fc.property(fc.array(event), bound, bound, (events, from, to) => {
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
  }));
});
