import { assert, assertEquals, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { AnswerCache } from "./answer_cache.ts";

Deno.test("a cache never holds more bytes than its budget", () => {
  const step = fc.record({
    key: fc.nat({ max: 60 }),
    cost: fc.integer({ min: 1, max: 700 }),
    isRead: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const cache = new AnswerCache<{ cost: number; key: string }>(1_000);
    for (const { key, cost, isRead } of steps) {
      const name = `key ${key}`;
      if (isRead) cache.get(name);
      else cache.set(name, { cost, key: name });
    }
    // Reading moves entries about, so everything is read at once, from one state.
    const held = new Set<{ cost: number; key: string }>();
    for (let key = 0; key <= 60; key++) {
      const found = cache.get(`key ${key}`);
      if (found === undefined) continue;
      assertEquals(found.key, `key ${key}`);
      held.add(found);
    }
    // While they are read, a generation may be replaced once.
    const bytes = [...held].reduce((sum, { cost }) => sum + cost, 0);
    assertLessOrEqual(bytes, 1_500);
  }));
});

Deno.test("what is used stays, what is not used goes", () => {
  const cache = new AnswerCache<{ cost: number }>(1_000);
  const used = { cost: 10 };
  cache.set("used", used);
  cache.set("unused", { cost: 10 });
  for (let n = 0; n < 1_000; n++) {
    cache.set(`other ${n}`, { cost: 10 });
    assertStrictEquals(cache.get("used"), used);
  }
  assertEquals(cache.get("unused"), undefined);
});

Deno.test("what was kept last stays for as much as half of the budget, however much came before", () => {
  const cache = new AnswerCache<{ cost: number }>(10_000);
  for (let n = 0; n < 1_000; n++) cache.set(String(n).padStart(5), { cost: 90 });
  for (let n = 960; n < 1_000; n++) {
    assert(cache.get(String(n).padStart(5)) !== undefined, `${n} is gone`);
  }
});

Deno.test("an answer that alone would fill a generation is not kept, and drives nothing out", () => {
  const cache = new AnswerCache<{ cost: number }>(1_000);
  cache.set("small", { cost: 10 });
  for (let n = 0; n < 10; n++) cache.set(`large ${n}`, { cost: 501 });
  assertEquals(cache.get("large 0"), undefined);
  assert(cache.get("small") !== undefined);
});

Deno.test("the length of a key counts, so long queries cannot fill the memory", () => {
  const cache = new AnswerCache<{ cost: number }>(10_000);
  for (let n = 0; n < 100; n++) cache.set(String(n).padStart(1_000), { cost: 1 });
  let kept = 0;
  for (let n = 0; n < 100; n++) {
    if (cache.get(String(n).padStart(1_000)) !== undefined) kept++;
  }
  assertLessOrEqual(kept, 5);
});
