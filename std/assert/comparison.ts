import { format } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/**
 * Asserts that a value is greater than another.
 *
 * @throws {AssertionError} If it is not
 *
 * @example
 * ```ts
 * import { assertGreater } from "@std/assert";
 *
 * assertGreater(2, 1);
 * ```
 */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  check(actual > expected, actual, ">", expected, msg);
}

/**
 * Asserts that a value is greater than another, or equal to it.
 *
 * @throws {AssertionError} If it is not
 *
 * @example
 * ```ts
 * import { assertGreaterOrEqual } from "@std/assert";
 *
 * assertGreaterOrEqual(2, 2);
 * ```
 */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  check(actual >= expected, actual, ">=", expected, msg);
}

/**
 * Asserts that a value is less than another.
 *
 * @throws {AssertionError} If it is not
 *
 * @example
 * ```ts
 * import { assertLess } from "@std/assert";
 *
 * assertLess("a", "b");
 * ```
 */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  check(actual < expected, actual, "<", expected, msg);
}

/**
 * Asserts that a value is less than another, or equal to it.
 *
 * @throws {AssertionError} If it is not
 *
 * @example
 * ```ts
 * import { assertLessOrEqual } from "@std/assert";
 *
 * assertLessOrEqual(2, 2);
 * ```
 */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  check(actual <= expected, actual, "<=", expected, msg);
}

/** What a number may differ by, as a part of the one expected; and as it is, where that one is infinite or NaN. */
const TOLERANCE = 1e-7;

/**
 * Asserts that a number is nearly another.
 *
 * @param tolerance What it may differ by; without it, a ten-millionth of the number expected
 * @throws {AssertionError} If it differs by more
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 *
 * assertAlmostEquals(0.1 + 0.2, 0.3);
 * assertAlmostEquals(10, 9.5, 0.5);
 * ```
 */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ??
    (Number.isFinite(expected) ? Math.abs(expected * TOLERANCE) : TOLERANCE);
  const isNear = Math.abs(expected - actual) <= allowed;
  check(isNear, actual, `within ${allowed} of`, expected, msg);
}

function check<T>(
  holds: boolean,
  actual: T,
  relation: string,
  expected: T,
  msg: string | undefined,
): void {
  if (holds) return;
  const suffix = msg ? `: ${msg}` : "";
  throw new AssertionError(`Expected ${format(actual)} ${relation} ${format(expected)}${suffix}`);
}
