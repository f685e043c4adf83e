import { createHash } from "node:crypto";

/**
 * What providers are called in the store, the log and the metrics, from their URLs: origin and path, since a query may
 * hold a key. Those that differ in their query alone get a digest of it as well: by the same name each would take the
 * other's events for gone.
 *
 * @param urls Each different
 *
 * @example
 * ```ts
 * import { providerNames } from "./provider_names.ts";
 * import { assertEquals, assertMatch } from "@std/assert";
 *
 * assertEquals(providerNames(["https://one.example/feed?key=1"]), ["https://one.example/feed"]);
 * const [first] = providerNames(["https://one.example/feed?city=1", "https://one.example/feed?city=2"]);
 * assertMatch(first, /^https:\/\/one\.example\/feed#[0-9a-f]{8}$/);
 * ```
 */
export function providerNames(urls: readonly string[]): string[] {
  const plain = urls.map((url) => {
    const { origin, pathname } = new URL(url);
    return origin + pathname;
  });
  return plain.map((name, i) => {
    const isAlone = plain.indexOf(name) === plain.lastIndexOf(name);
    return isAlone ? name : `${name}#${digest(urls[i])}`;
  });
}

function digest(url: string): string {
  return createHash("sha256").update(new URL(url).href).digest("hex").slice(0, 8);
}
