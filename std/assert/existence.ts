import { format } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** The values that count as false. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/**
 * Asserts that a value counts as true.
 *
 * @throws {AssertionError} If it counts as false
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * assert("text");
 * ```
 */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg || `Expected something true, got ${format(expr)}`);
}

/**
 * Asserts that a value counts as false.
 *
 * @throws {AssertionError} If it counts as true
 *
 * @example
 * ```ts
 * import { assertFalse } from "@std/assert";
 *
 * assertFalse("");
 * ```
 */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg || `Expected something false, got ${format(expr)}`);
}

/**
 * Asserts that a value is neither null nor undefined.
 *
 * @throws {AssertionError} If it is
 *
 * @example
 * ```ts
 * import { assertExists } from "@std/assert";
 *
 * assertExists(0);
 * ```
 */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError(`Expected neither null nor undefined, got ${actual}${suffix(msg)}`);
}

/**
 * Asserts that an object is an instance of a class.
 *
 * @throws {AssertionError} If it is not
 *
 * @example
 * ```ts
 * import { assertInstanceOf } from "@std/assert";
 *
 * assertInstanceOf(new TypeError("x"), Error);
 * ```
 */
export function assertInstanceOf<
  // deno-lint-ignore no-explicit-any
  T extends abstract new (...args: any[]) => any,
>(actual: unknown, expectedType: T, msg = ""): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  const kind = typeof actual === "object" && actual !== null
    ? `an instance of ${actual.constructor?.name ?? "no class"}`
    : `${format(actual)}`;
  throw new AssertionError(
    `Expected an instance of ${expectedType.name}, got ${kind}${suffix(msg)}`,
  );
}

function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : "";
}
