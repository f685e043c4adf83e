/**
 * Randomness without state: every value of a season is a hash of what it belongs to, so that any
 * base plan can be told at any instant without telling the ones before it.
 *
 * @module
 */

/**
 * Hashes two integers into an unsigned one of 32 bits.
 *
 * @example
 * ```ts
 * import { assertEquals, assertNotEquals } from "@std/assert";
 * assertEquals(mix(1, 2), mix(1, 2));
 * assertNotEquals(mix(1, 2), mix(2, 1));
 * ```
 *
 * @param a Usually the hash of the thing the value belongs to.
 * @param b Usually an index, or a number that stands for the field.
 * @returns An integer from 0 to 2^32 - 1.
 */
export function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b + 0x3c6ef372, 0x9e3779b1), 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 13;
  return hash >>> 0;
}

/**
 * Draws an integer below `count` for one field of a thing.
 *
 * @example
 * ```ts
 * import { assertLess } from "@std/assert";
 * assertLess(draw(mix(1, 2), 3, 10), 10);
 * ```
 *
 * @param hash The hash of the thing.
 * @param field A number that stands for the field, so that fields are independent.
 * @param count How many outcomes there are; at least 1.
 * @returns An integer from 0 to `count - 1`.
 */
export function draw(hash: number, field: number, count: number): number {
  return mix(hash, field) % count;
}

/**
 * Picks one of a list for one field of a thing.
 *
 * @example
 * ```ts
 * import { assertArrayIncludes } from "@std/assert";
 * assertArrayIncludes(["a", "b"], [pick(7, 1, ["a", "b"])]);
 * ```
 *
 * @param hash The hash of the thing.
 * @param field A number that stands for the field.
 * @param list What to pick from; not empty.
 * @returns One element of `list`.
 */
export function pick<T>(hash: number, field: number, list: readonly T[]): T {
  return list[mix(hash, field) % list.length];
}
