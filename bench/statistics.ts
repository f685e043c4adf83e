/**
 * How samples of one figure become what is shown, for every bench and for the book: the median, with the least and
 * the greatest beside it. Rounds are few and odd in number, so that one of them is the middle, and nothing is assumed of
 * their distribution.
 *
 * @module
 */

/** Samples of one figure, summed up. */
export interface Spread {
  median: number;
  min: number;
  max: number;
  /** How many samples there were. */
  count: number;
}

/**
 * The middle one of some numbers; of an even number of them, the upper of the two in the middle, so that it is always
 * one that was seen. Of two that is the greater one: what is measured a few times is measured an odd number of times.
 *
 * @throws {RangeError} Without numbers
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { median } from "./statistics.ts";
 *
 * assertEquals(median([9, 1, 5]), 5);
 * ```
 */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("there is no median of no numbers");
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/**
 * Sums samples up.
 *
 * @throws {RangeError} Without samples
 */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: median(sorted), min: sorted[0], max: sorted.at(-1)!, count: sorted.length };
}

/**
 * How many times another figure one is: of samples that were taken in turns, the spread of the ratios within each
 * turn, since what slows a machine slows both.
 *
 * @param over Samples of the figure to divide by, in the order of `values`
 * @throws {RangeError} If there is not one for each, or one is not above 0
 */
export function ratio(values: readonly number[], over: readonly number[]): Spread {
  if (values.length !== over.length) {
    throw new RangeError(`${values.length} samples have no ratio to ${over.length}`);
  }
  if (over.some((value) => !(value > 0))) throw new RangeError("a ratio wants samples above 0");
  return spread(values.map((value, i) => value / over[i]));
}
