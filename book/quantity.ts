/** A value and what it counts; the unit of a ratio is empty. */
export interface Quantity {
  value: number;
  unit: string;
}

/** Units that can be turned into each other, the prose's own first to last in size. */
const FAMILIES: readonly Readonly<Record<string, number>>[] = [
  { "ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60 },
  { "bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2 ** 10, "MiB": 2 ** 20, "GiB": 2 ** 30 },
];
/** Units that are chosen without being asked for. */
const NATURAL = ["ns", "µs", "ms", "s", "bytes", "kB", "MB", "GB"];
/** Figures of what is measured; what is counted is shown in full. */
const DIGITS = 3;
const MEASURED = new Set(["%", "requests/s", ...FAMILIES.flatMap((family) => Object.keys(family))]);
const NO_BREAK_SPACE = "\u00a0";

/**
 * Turns a value into another unit.
 *
 * @throws {RangeError} If there is no way from one to the other
 */
export function convert({ value, unit }: Quantity, to: string): Quantity {
  if (unit === to) return { value, unit };
  if (unit === "" && to === "%") return { value: value * 100, unit: to };
  const family = FAMILIES.find((family) => unit in family && to in family);
  if (family === undefined) throw new RangeError(`${unit || "a ratio"} can't be shown in ${to}`);
  return { value: value * family[unit] / family[to], unit: to };
}

/** The unit in which the greatest of some values is a number of one to three figures before the point. */
export function naturalUnit(values: readonly number[], unit: string): string {
  const family = FAMILIES.find((family) => unit in family);
  const greatest = Math.max(...values.map(Math.abs));
  if (family === undefined || !NATURAL.includes(unit) || greatest === 0) return unit;
  if (greatest >= 0.1 && greatest < 1_000) return unit;
  const base = greatest * family[unit];
  const fitting = NATURAL.filter((other) => other in family && base >= family[other]);
  return fitting.at(-1) ?? unit;
}

/**
 * A number as it is shown: what was measured with three figures, a ratio below 1 with two, what was counted in full.
 *
 * @param digits Another number of figures
 */
export function formatNumber({ value, unit }: Quantity, digits?: number): string {
  const isCount = !isMeasured(unit) && Number.isInteger(value);
  if (value === 0) return "0";
  if (isCount && digits === undefined) return value.toLocaleString("en-US");
  const figures = digits ?? (unit === "" && Math.abs(value) < 1 ? DIGITS - 1 : DIGITS);
  return value.toLocaleString("en-US", {
    minimumSignificantDigits: figures,
    maximumSignificantDigits: figures,
  });
}

/** Whether a unit is of what is measured, not of what is counted: then a number means nothing without it. */
export function isMeasured(unit: string): boolean {
  return MEASURED.has(unit);
}

/** A number with its unit, which no line break parts. */
export function formatQuantity(quantity: Quantity, digits?: number): string {
  const number = formatNumber(quantity, digits);
  return quantity.unit === "" ? number : `${number}${NO_BREAK_SPACE}${quantity.unit}`;
}
