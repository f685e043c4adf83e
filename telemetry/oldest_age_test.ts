import { assertEquals } from "@std/assert";
import { oldestAgeSeconds } from "./mod.ts";

Deno.test("the age is that of the feed that was read longest ago, and of one never read since the start", () => {
  assertEquals(oldestAgeSeconds([9_000, 7_000], 1_000, 10_000), 3);
  assertEquals(oldestAgeSeconds([9_000, undefined], 1_000, 10_000), 9);
  // From before this start, as the store knows it.
  assertEquals(oldestAgeSeconds([500, undefined], 1_000, 10_000), 9.5);
  assertEquals(oldestAgeSeconds([undefined, undefined], 1_000, 10_000), null);
});
