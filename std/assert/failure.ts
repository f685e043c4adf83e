import { AssertionError } from "./assertion_error.ts";

/**
 * Fails, always.
 *
 * @throws {AssertionError} Always
 *
 * @example
 * ```ts
 * import { assertThrows, fail } from "@std/assert";
 *
 * assertThrows(() => fail("not here"), Error, "not here");
 * ```
 */
export function fail(msg?: string): never {
  throw new AssertionError(msg ? `Failed: ${msg}` : "Failed");
}

/**
 * Marks a place that is never reached.
 *
 * @throws {AssertionError} Always
 *
 * @example
 * ```ts
 * import { assertThrows, unreachable } from "@std/assert";
 *
 * assertThrows(() => unreachable());
 * ```
 */
export function unreachable(msg?: string): never {
  throw new AssertionError(msg ? `Reached the unreachable: ${msg}` : "Reached the unreachable");
}
