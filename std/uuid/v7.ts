import { v7, validate as validateUuid, version } from "uuid";

/** The time has 48 bits. */
const TIMESTAMP_MAX = 2 ** 48 - 1;

/**
 * Makes a UUID of a point in time and chance. Later ones sort behind earlier ones, from one millisecond to the next.
 *
 * @param timestamp Milliseconds since the Unix epoch
 * @throws {RangeError} If the timestamp is not a whole number from 0 to 2^48 - 1
 *
 * @example
 * ```ts
 * import { v7 } from "@std/uuid";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(v7.extractTimestamp(v7.generate(1645557742000)), 1645557742000);
 * ```
 */
export function generate(timestamp: number = Date.now()): string {
  if (!Number.isInteger(timestamp) || timestamp < 0 || timestamp > TIMESTAMP_MAX) {
    throw new RangeError(`timestamp must be a whole number from 0 to 2^48 - 1, not ${timestamp}`);
  }
  return v7({ msecs: timestamp });
}

/**
 * Says whether a string is a UUID of version 7.
 *
 * @example
 * ```ts
 * import { v7 } from "@std/uuid";
 * import { assert } from "@std/assert";
 *
 * assert(v7.validate("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
 * ```
 */
export function validate(id: string): boolean {
  return validateUuid(id) && version(id) === 7;
}

/**
 * Reads the time from a UUID of version 7.
 *
 * @returns Milliseconds since the Unix epoch
 * @throws {TypeError} If it is no UUID of version 7
 *
 * @example
 * ```ts
 * import { v7 } from "@std/uuid";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(v7.extractTimestamp("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), 1645557742000);
 * ```
 */
export function extractTimestamp(uuid: string): number {
  if (!validate(uuid)) {
    throw new TypeError(`not a UUID of version 7: ${JSON.stringify(uuid.slice(0, 64))}`);
  }
  return parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}
