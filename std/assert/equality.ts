import { format, formatDifference } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/**
 * Asserts that two values are equal in depth, as {@linkcode equal} has it.
 *
 * @throws {AssertionError} If they are not, with what differs, line by line
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals({ ids: [1, 2] }, { ids: [1, 2] });
 * ```
 */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(describe("Values are not equal", msg, actual, expected));
}

/**
 * Asserts that two values are not equal in depth, as {@linkcode equal} has it.
 *
 * @throws {AssertionError} If they are
 *
 * @example
 * ```ts
 * import { assertNotEquals } from "@std/assert";
 *
 * assertNotEquals([1, 2], [2, 1]);
 * ```
 */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  const suffix = msg ? `: ${msg}` : "";
  throw new AssertionError(`Expected something not equal to ${format(expected)}${suffix}`);
}

/**
 * Asserts that two values are one and the same, as `Object.is` has it.
 *
 * @throws {AssertionError} If they are not
 *
 * @example
 * ```ts
 * import { assertStrictEquals } from "@std/assert";
 *
 * const list = [1];
 * assertStrictEquals(list, list);
 * ```
 */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  throw new AssertionError(describe("Values are not the same", msg, actual, expected));
}

function describe(
  what: string,
  msg: string | undefined,
  actual: unknown,
  expected: unknown,
): string {
  return `${what}${msg ? `: ${msg}` : ""}\n    ${formatDifference(actual, expected)}\n`;
}
