// @ts-types="npm:@types/d3-array@3.2.2"
import { nice, ticks } from "d3-array";

/** A range of values along a side of a chart. */
export interface Axis {
  /** Where the marks are, within the range. */
  ticks: number[];
  /** Where a value is, from 0 at the least to 1 at the greatest. */
  at(value: number): number;
}

/**
 * An axis from 0 to a bit above the greatest value.
 *
 * @param count About how many marks it has
 */
export function linearAxis(values: readonly number[], count: number): Axis {
  const [, greatest] = nice(0, Math.max(...values, Number.MIN_VALUE), count);
  return { ticks: ticks(0, greatest, count), at: (value) => value / greatest };
}

/**
 * An axis on which a factor is a distance, from the power of ten (or twice or five times one) below the least value to
 * the one above the greatest.
 *
 * @param count About how many marks it has at most
 * @throws {RangeError} If a value is not above 0
 */
export function logarithmicAxis(values: readonly number[], count: number): Axis {
  if (values.some((value) => !(value > 0))) {
    throw new RangeError("a logarithmic axis has no place for 0 and below");
  }
  const least = Math.floor(Math.log10(Math.min(...values)));
  const greatest = Math.ceil(Math.log10(Math.max(...values)));
  const all = Array.from({ length: greatest - least + 1 }, (_, i) => least + i)
    .flatMap((power) => [1, 2, 5].map((factor) => factor * 10 ** power));
  // The range begins at the last mark that is not above the least value, and ends likewise.
  const from = all.findLast((mark) => mark <= Math.min(...values) * (1 + 1e-9)) ?? all[0];
  const to = all.find((mark) => mark >= Math.max(...values) * (1 - 1e-9) && mark > from) ??
    10 * from;
  const within = all.filter((mark) => mark >= from && mark <= to);
  const powers = within.filter((mark) =>
    Number.isInteger(Math.round(Math.log10(mark) * 1e9) / 1e9)
  );
  const span = Math.log10(to / from);
  return {
    ticks: within.length <= count || powers.length < 2 ? within : powers,
    at: (value) => Math.log10(value / from) / span,
  };
}
