import { assert, assertEquals, assertLess } from "@std/assert";
import { AnswerCache } from "./answer_cache.ts";

const body = (byte: number, length = 100) => new Uint8Array(length).fill(byte);

Deno.test("an answer is kept from the second time on, as a copy", () => {
  const cache = new AnswerCache(100_000);
  const scratch = body(1);
  cache.offer("a", scratch);
  assertEquals(cache.get("a"), undefined);
  cache.offer("a", scratch);
  const kept = cache.get("a");
  assertEquals(kept, body(1));
  assert(kept !== scratch);
  scratch.fill(2);
  assertEquals(cache.get("a"), body(1));
});

Deno.test("a cache keeps what is used, drops what is not, and never passes its budget", () => {
  const cache = new AnswerCache(20_000);
  const keep = (query: string) => {
    cache.offer(query, body(3, 1_000));
    cache.offer(query, body(3, 1_000));
  };
  keep("used");
  for (let n = 0; n < 200; n++) {
    keep(`query ${n}`);
    assertEquals(cache.get("used"), body(3, 1_000), `after ${n}`);
  }
  const kept = Array.from({ length: 200 }, (_, n) => cache.get(`query ${n}`))
    .filter((found) => found !== undefined);
  assertLess(kept.length * 1_300, 20_000);
  assertEquals(cache.get("query 0"), undefined);
});

Deno.test("an answer that alone would fill a generation is not kept", () => {
  const cache = new AnswerCache(2_000);
  for (let n = 0; n < 3; n++) cache.offer("large", body(1, 900));
  assertEquals(cache.get("large"), undefined);
});
