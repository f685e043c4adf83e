import { format } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

// deno-lint-ignore no-explicit-any
type ErrorClassOf<E extends Error> = abstract new (...args: any[]) => E;

/**
 * Asserts that a value is an error, and which.
 *
 * @param ErrorClass The class that it is to be an instance of
 * @param msgMatches What its message is to contain or match
 * @throws {AssertionError} If it is not
 *
 * @example
 * ```ts
 * import { assertIsError } from "@std/assert";
 *
 * assertIsError(new TypeError("no such port: -1"), TypeError, "port");
 * ```
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass?: abstract new (...args: any[]) => E,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  const suffix = msg ? `: ${msg}` : "";
  const refuse = (reason: string): never => {
    throw new AssertionError(`${reason}${suffix}`, { cause: error });
  };
  if (!(error instanceof Error)) return refuse(`Expected an error, got ${format(error)}`);
  if (ErrorClass && !(error instanceof ErrorClass)) {
    refuse(`Expected an instance of ${ErrorClass.name}, got ${error.name}: ${error.message}`);
  }
  const matches = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches?.test(error.message) ?? true;
  if (!matches) {
    const relation = typeof msgMatches === "string" ? "containing" : "matching";
    refuse(`Expected a message ${relation} ${format(msgMatches)}, got ${format(error.message)}`);
  }
}

/**
 * Asserts that a function throws.
 *
 * @returns What it threw
 * @throws {AssertionError} If it does not throw
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(assertThrows(() => { throw "text"; }), "text");
 * ```
 */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Asserts that a function throws an error, and which.
 *
 * @param ErrorClass The class that the error is to be an instance of
 * @param msgIncludes What its message is to contain
 * @returns The error
 * @throws {AssertionError} If it does not throw, or something else
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new URL("nowhere"), TypeError, "Invalid URL");
 * ```
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClassOrMsg?: ErrorClassOf<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  try {
    fn();
  } catch (error) {
    return check(error, errorClassOrMsg, msgIncludes, msg);
  }
  throw new AssertionError(`Expected the function to throw${suffixOf(errorClassOrMsg, msg)}`);
}

/**
 * Asserts that a function returns a promise that rejects.
 *
 * @returns What it was rejected with
 * @throws {AssertionError} If it is fulfilled, or the function throws or returns no promise
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => Promise.reject("text"));
 * ```
 */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/**
 * Asserts that a function returns a promise that rejects with an error, and which.
 *
 * @param ErrorClass The class that the error is to be an instance of
 * @param msgIncludes What its message is to contain
 * @returns The error
 * @throws {AssertionError} If it does not, or rejects with something else
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => Promise.reject(new RangeError("port 70000")), RangeError, "70000");
 * ```
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorClassOf<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const suffix = suffixOf(errorClassOrMsg, msg);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (cause) {
    throw new AssertionError(`Expected a promise that rejects, but the function threw${suffix}`, {
      cause,
    });
  }
  if (typeof promise?.then !== "function") {
    throw new AssertionError(`Expected a promise that rejects, got ${format(promise)}${suffix}`);
  }
  try {
    await promise;
  } catch (error) {
    return check(error, errorClassOrMsg, msgIncludes, msg);
  }
  throw new AssertionError(`Expected the promise to reject${suffix}`);
}

function check<E extends Error>(
  error: unknown,
  errorClassOrMsg: ErrorClassOf<E> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): unknown {
  if (typeof errorClassOrMsg === "function") {
    assertIsError(error, errorClassOrMsg, msgIncludes, msg);
  }
  return error;
}

function suffixOf(errorClassOrMsg: unknown, msg: string | undefined): string {
  const text = typeof errorClassOrMsg === "string" ? errorClassOrMsg : msg;
  return text ? `: ${text}` : "";
}
