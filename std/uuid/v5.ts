/**
 * UUIDs of version 5: the SHA-1 of a name in a namespace.
 *
 * @module
 */

import { v5, validate as validateUuid, version } from "uuid";

/**
 * Makes the UUID of a name in a namespace: always the same for the same two.
 *
 * @param namespace A UUID
 * @param data The name's bytes
 * @throws {TypeError} If the namespace is no UUID
 *
 * @example
 * ```ts
 * import { NAMESPACE_DNS, v5 } from "@std/uuid";
 * import { assertEquals } from "@std/assert";
 *
 * const name = new TextEncoder().encode("www.example.com");
 * assertEquals(await v5.generate(NAMESPACE_DNS, name), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
 * ```
 */
// Async as the real one is, so that a bad namespace rejects; the hash itself is faster made here than by Web Crypto.
// deno-lint-ignore require-await
export async function generate(namespace: string, data: Uint8Array): Promise<string> {
  if (!validateUuid(namespace)) {
    throw new TypeError(`the namespace is not a UUID: ${JSON.stringify(namespace.slice(0, 64))}`);
  }
  return v5(data, namespace);
}

/**
 * Says whether a string is a UUID of version 5.
 *
 * @example
 * ```ts
 * import { validate } from "@std/uuid/v5";
 * import { assert, assertFalse } from "@std/assert";
 *
 * assert(validate("2ed6657d-e927-568b-95e1-2665a8aea6a2"));
 * assertFalse(validate(crypto.randomUUID()));
 * ```
 */
export function validate(id: string): boolean {
  return validateUuid(id) && version(id) === 5;
}
