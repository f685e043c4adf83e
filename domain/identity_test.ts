import { assertEquals, assertNotEquals } from "@std/assert";
import { validate, version } from "@std/uuid";
import fc from "fast-check";
import { eventId } from "./identity.ts";

/** Computed with Python's uuid.uuid5: an id must never change. */
const KNOWN = [
  ["291", "291", "b7cab08c-e992-5710-8361-219aa609c54e"],
  ["322", "1642", "b67af630-6067-50da-9b6f-6cd40c0b4a7a"],
  ["1591", "1642", "2e46ad23-900f-5f13-9898-5022333cf48d"],
  ["444", "1642", "e29672a1-69ef-5182-a389-724433a28521"],
  ["é", "1", "29064106-77ea-5562-bcdf-b43077dc92c3"],
] as const;

Deno.test("an event has the id that it always had", async () => {
  for (const [basePlanId, planId, id] of KNOWN) {
    assertEquals(await eventId({ basePlanId, planId }), id);
  }
});

Deno.test("the same key gives the same id, another key another one", async () => {
  const part = fc.string({ minLength: 1, maxLength: 64 }).map((text) => text.replaceAll(":", ""));
  const key = fc.record({ basePlanId: part, planId: part });
  await fc.assert(fc.asyncProperty(key, key, async (a, b) => {
    const id = await eventId(a);
    assertEquals([validate(id), version(id)], [true, 5]);
    assertEquals(await eventId({ ...a }), id);
    const isSame = a.basePlanId === b.basePlanId && a.planId === b.planId;
    if (!isSame) assertNotEquals(await eventId(b), id);
  }));
});
