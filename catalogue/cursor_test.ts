import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { type Cursor, decodeCursor, encodeCursor } from "./mod.ts";

const cursor: fc.Arbitrary<Cursor> = fc.record({
  version: fc.nat(),
  start: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
  end: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
  id: fc.uuid(),
}, { noNullPrototype: true });

Deno.test("a cursor comes back as it was given out, and needs no encoding in a URL", () => {
  fc.assert(fc.property(cursor, (cursor) => {
    const text = encodeCursor(cursor);
    assertMatch(text, /^[A-Za-z0-9_-]+$/);
    assertEquals(decodeCursor(text), cursor);
  }));
});

Deno.test("what is no cursor is null, never an error", () => {
  const plain = btoa("1.2.3.4");
  for (
    const text of ["", "null", "%", "a b", plain, `${plain}=`, "A".repeat(201), "é", btoa("x")]
  ) {
    assertEquals(decodeCursor(text), null, text);
  }
  fc.assert(fc.property(fc.string(), (text) => {
    const found = decodeCursor(text);
    assertEquals(found, null);
  }));
});

Deno.test("a cursor that is cut short or changed is none, or another place, never half a place", () => {
  fc.assert(fc.property(cursor, fc.nat(), (cursor, at) => {
    const text = encodeCursor(cursor);
    const cut = decodeCursor(text.slice(0, at % text.length));
    assertEquals(cut, null);
    const flipped = text.slice(0, at % text.length) + "-" + text.slice(at % text.length + 1);
    const found = decodeCursor(flipped);
    if (found !== null) assertMatch(found.id, /^[0-9a-f-]{36}$/);
  }));
});
