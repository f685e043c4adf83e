import { validate as validateUuid, version as versionOf } from "uuid";

/**
 * Says whether a string is a UUID, of any version, the nil UUID included.
 *
 * @example
 * ```ts
 * import { validate } from "@std/uuid";
 * import { assert, assertFalse } from "@std/assert";
 *
 * assert(validate("2ed6657d-e927-568b-95e1-2665a8aea6a2"));
 * assertFalse(validate("2ed6657d"));
 * ```
 */
export function validate(uuid: string): boolean {
  return validateUuid(uuid);
}

/**
 * Reads the version of a UUID; that of the nil UUID is 0.
 *
 * @throws {TypeError} If it is no UUID
 *
 * @example
 * ```ts
 * import { version } from "@std/uuid";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(version("2ed6657d-e927-568b-95e1-2665a8aea6a2"), 5);
 * ```
 */
export function version(uuid: string): number {
  if (!validateUuid(uuid)) throw new TypeError(`not a UUID: ${JSON.stringify(uuid.slice(0, 64))}`);
  return versionOf(uuid);
}
