import { assertEquals, assertNotEquals } from "@std/assert";
import { providerNames } from "./provider_names.ts";

Deno.test("feeds that differ in their query alone have names of their own, in whatever order they are given", () => {
  const urls = [
    "http://a.example/feed?c=1",
    "http://b.example/feed?c=1",
    "http://a.example/feed?c=2",
  ];
  const names = providerNames(urls);
  assertEquals(names[1], "http://b.example/feed");
  assertNotEquals(names[0], names[2]);
  assertEquals(providerNames(urls.toReversed()), names.toReversed());
  assertEquals(names.join().includes("c="), false, "a query may hold a key");
});
