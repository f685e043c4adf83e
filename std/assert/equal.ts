/**
 * Says whether two values are equal in depth: the same kind of object, with equal contents. NaN equals NaN, 0 equals -0,
 * the order in sets, maps and of keys doesn't matter, a key that is undefined is not one that is missing. An object without
 * a prototype equals a plain one.
 *
 * @throws {TypeError} If both are weak maps or both weak sets, whose contents can't be seen
 *
 * @example
 * ```ts
 * import { assert, assertFalse, equal } from "@std/assert";
 *
 * assert(equal({ a: [1, new Set([2])] }, { a: [1, new Set([2])] }));
 * assertFalse(equal({ a: undefined }, {}));
 * ```
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

type Comparison = (a: unknown, b: unknown) => boolean;
type Keyed = Record<PropertyKey, unknown>;

/** `underWay` holds, for each object on the way here, those it is being compared with: in a cycle they count as equal. */
function compare(a: unknown, b: unknown, underWay: Map<object, Set<object>>): boolean {
  if (isSameValue(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (prototypeOf(a) !== prototypeOf(b)) return false;

  const partners = underWay.get(a) ?? new Set();
  if (partners.has(b)) return true;
  underWay.set(a, partners.add(b));
  const same: Comparison = (x, y) => compare(x, y, underWay);
  const result = equalInside(a, b, same) &&
    (hidesAll(a) || equalKeys(a as Keyed, b as Keyed, same));
  partners.delete(b);
  return result;
}

function isSameValue(a: unknown, b: unknown): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

function prototypeOf(value: object): unknown {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype ? null : prototype;
}

/** Compares what two objects with the same prototype hold out of sight, in no key of theirs. */
function equalInside(a: object, b: object, same: Comparison): boolean {
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError("weak maps and weak sets can't be compared: their contents can't be seen");
  }
  if (a instanceof WeakRef) return same(a.deref(), (b as typeof a).deref());
  if (a instanceof Date) return same(a.getTime(), (b as Date).getTime());
  if (a instanceof Error) {
    const { name, message, cause } = b as Error;
    return a.name === name && a.message === message && same(a.cause, cause);
  }
  if (a instanceof Set || a instanceof Map) {
    return equalInSomeOrder([...a], [...b as typeof a], same);
  }
  if (a instanceof Headers || a instanceof URLSearchParams) return same([...a], [...b as typeof a]);
  if (Array.isArray(a)) return a.length === (b as unknown[]).length; // holes at its end have no keys
  if (a instanceof ArrayBuffer || ArrayBuffer.isView(a)) {
    const [x, y] = [a, b as typeof a].map(elementsOf);
    return x.length === y.length && x.every((element, index) => isSameValue(element, y[index]));
  }
  return !holdsText(a) || String(a) === String(b);
}

/** The elements of a typed array, or the bytes of what has none. */
function elementsOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (!(value instanceof DataView)) return value as Uint8Array;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Whether the keys of an object are not worth looking at: its elements again, or the runtime's own. */
function hidesAll(value: object): boolean {
  return ArrayBuffer.isView(value) || value instanceof Headers || value instanceof URLSearchParams;
}

/** Whether an object shows all that it holds in its text, and nowhere else. */
function holdsText(value: object): boolean {
  return value instanceof RegExp || value instanceof URL || value instanceof Number ||
    value instanceof String || value instanceof Boolean ||
    Object.prototype.toString.call(value).startsWith("[object Temporal.");
}

function equalKeys(a: Keyed, b: Keyed, same: Comparison): boolean {
  const keys = enumerableKeys(a);
  return keys.length === enumerableKeys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function enumerableKeys(value: object): PropertyKey[] {
  const isEnumerable = Object.prototype.propertyIsEnumerable;
  return Reflect.ownKeys(value).filter((key) => isEnumerable.call(value, key));
}

/** Compares as bags. Takes quadratic time, unless the order is much the same. */
function equalInSomeOrder(a: unknown[], b: unknown[], same: Comparison): boolean {
  return a.length === b.length && a.every((item, place) => {
    const found = b.findIndex((candidate, index) => index >= place && same(item, candidate));
    if (found < 0) return false;
    [b[place], b[found]] = [b[found], b[place]]; // what stands before `place` has its partner
    return true;
  });
}
