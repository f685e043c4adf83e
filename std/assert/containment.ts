import { format, formatDifference } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/** Something with a length and indices that is no string. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/**
 * Asserts that a text matches a pattern.
 *
 * @throws {AssertionError} If it does not
 *
 * @example
 * ```ts
 * import { assertMatch } from "@std/assert";
 *
 * assertMatch("port 8080", /\d+$/);
 * ```
 */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) throw missing(actual, "to match", expected, msg);
}

/**
 * Asserts that a text contains another.
 *
 * @throws {AssertionError} If it does not
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 *
 * assertStringIncludes("port 8080", "80");
 * ```
 */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) throw missing(actual, "to contain", expected, msg);
}

/**
 * Asserts that a list contains every item of another, in any order, equal in depth.
 *
 * @throws {AssertionError} If it does not, with the items that it lacks
 *
 * @example
 * ```ts
 * import { assertArrayIncludes } from "@std/assert";
 *
 * assertArrayIncludes([{ id: 1 }, { id: 2 }, { id: 3 }], [{ id: 3 }, { id: 1 }]);
 * ```
 */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const items = Array.from(actual);
  const lacking = Array.from(expected).filter((item) => !items.some((other) => equal(other, item)));
  if (lacking.length > 0) throw missing(actual, "to contain", lacking, msg);
}

/**
 * Asserts that an object has what another has: the same keys with matching values, and any others. Arrays are matched from
 * their start, maps by key, sets by item.
 *
 * @throws {AssertionError} If it does not, with what differs, line by line
 *
 * @example
 * ```ts
 * import { assertObjectMatch } from "@std/assert";
 *
 * assertObjectMatch({ id: 1, at: { line: 2, column: 3 } }, { at: { line: 2 } });
 * ```
 */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  for (const value of [actual, expected]) {
    if (typeof value === "object" && value !== null) continue;
    throw new TypeError(`assertObjectMatch takes objects, not ${format(value)}`);
  }
  const relevant = select(actual, expected, new Map());
  if (equal(relevant, select(expected, expected, new Map()))) return;
  const suffix = msg ? `: ${msg}` : "";
  const difference = formatDifference(relevant, expected);
  throw new AssertionError(`The object does not match${suffix}\n    ${difference}\n`);
}

function missing(
  actual: unknown,
  relation: string,
  expected: unknown,
  msg: string | undefined,
): AssertionError {
  const suffix = msg ? `: ${msg}` : "";
  return new AssertionError(`Expected ${format(actual)} ${relation} ${format(expected)}${suffix}`);
}

/**
 * Copies of a value what a template speaks of, as plain objects. `selected` holds the copies, by template and value: the
 * template may have cycles, and so may the value, where the template need not follow them.
 */
function select(
  value: unknown,
  template: unknown,
  selected: Map<unknown, Map<unknown, unknown>>,
): unknown {
  if (!isContainer(value) || !isContainer(template)) return value;
  if (!selected.has(template)) selected.set(template, new Map());
  const copies = selected.get(template)!;
  if (copies.has(value)) return copies.get(value);
  const keep = <Copy>(copy: Copy): Copy => (copies.set(value, copy), copy);

  if (template instanceof Set) {
    if (!(value instanceof Set)) return value;
    const items = [...template];
    return keep(new Set([...value].filter((item) => items.some((wanted) => equal(item, wanted)))));
  }
  if (template instanceof Map) {
    if (!(value instanceof Map)) return value;
    const copy = keep(new Map());
    for (const [key, wanted] of template) {
      if (value.has(key)) copy.set(key, select(value.get(key), wanted, selected));
    }
    return copy;
  }
  if (Array.isArray(template) !== Array.isArray(value)) return value;
  const copy = keep(Array.isArray(template) ? [] as unknown as Keyed : {} as Keyed);
  for (const key of Reflect.ownKeys(template)) {
    if (key === "length" || !(key in value)) continue;
    const selection = select((value as Keyed)[key], (template as Keyed)[key], selected);
    Object.defineProperty(copy, key, {
      value: selection,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

type Keyed = Record<PropertyKey, unknown>;

/** Whether an object is to be matched in part: maps, sets, arrays and what has nothing but its keys. */
function isContainer(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof Map || value instanceof Set || Array.isArray(value) ||
    Object.prototype.toString.call(value) === "[object Object]";
}
