import { parse } from "yaml";
import { bareNumbers } from "./bare_numbers.ts";
import { BAR_LABEL_LENGTH_MAX, LINE_LABEL_LENGTH_MAX, LINES_MAX } from "./limits.ts";
import { parseReference, type Reference, ROW } from "./reference.ts";

/** A row of a table, a bar, or a line. */
export interface Row {
  /** What stands for * in the address. */
  name: string;
  label: string;
}

/** A reference with * for each row. */
export type Address = Extract<Reference, { kind: "figure" }>;

/** What a ```table block says. */
export interface TableSpec {
  title: string;
  rows: Row[];
  /** The word above the rows. */
  first: string;
  columns: { label: string; address: Address }[];
}

/** What a ```chart block says. */
export interface ChartSpec {
  title: string;
  kind: "bars" | "lines";
  address: Address;
  rows: Row[];
  /** Rows whose label begins with it are the ones to look at. */
  highlight: string;
  isOrderedByValue: boolean;
  isXLogarithmic: boolean;
  isYLogarithmic: boolean;
}

/**
 * Reads a ```table block, which is YAML.
 *
 * @throws {SyntaxError} That says which key is wrong and what was expected
 */
export function parseTableSpec(text: string): TableSpec {
  const map = readMap(text, ["title", "rows", "first", "columns"]);
  const columns = map.columns;
  if (!isMap(columns) || Object.keys(columns).length === 0) {
    throw new SyntaxError('columns is no map of "heading: address"');
  }
  return {
    title: readProse(map, "title"),
    rows: readRows(map.rows),
    first: "first" in map ? readProse(map, "first") : "",
    columns: Object.entries(columns).map(([label, address]) => ({
      label: checkProse("a heading", label),
      address: readAddress("a column", address),
    })),
  };
}

/**
 * Reads a ```chart block, which is YAML.
 *
 * @throws {SyntaxError} That says which key is wrong and what was expected
 */
export function parseChartSpec(text: string): ChartSpec {
  const map = readMap(text, ["title", "bars", "lines", "rows", "highlight", "order", "log"]);
  if (("bars" in map) === ("lines" in map)) {
    throw new SyntaxError('a chart has either "bars" or "lines", with an address');
  }
  const kind = "bars" in map ? "bars" : "lines";
  const rows = readRows(map.rows);
  if (kind === "lines" && rows.length > LINES_MAX) {
    throw new SyntaxError(`${rows.length} lines can't be told apart; ${LINES_MAX} can`);
  }
  const length = kind === "bars" ? BAR_LABEL_LENGTH_MAX : LINE_LABEL_LENGTH_MAX;
  const long = rows.find(({ label }) => label.length > length);
  if (long !== undefined) {
    throw new SyntaxError(
      `"${long.label}" is no label: over ${length} characters, write "- name: label"`,
    );
  }
  const log = [map.log ?? []].flat();
  if (log.some((axis) => axis !== "x" && axis !== "y") || kind === "bars" && log.length > 0) {
    throw new SyntaxError(
      "log is x, y or [x, y], of lines alone: a bar has no length on such an axis",
    );
  }
  if (!["rows", "value", undefined].includes(map.order as string | undefined)) {
    throw new SyntaxError("order is rows or value");
  }
  const address = readAddress(kind, map[kind]);
  if (kind === "lines" && address.over !== null) throw new SyntaxError("lines have no ratios");
  return {
    title: readProse(map, "title"),
    kind,
    address,
    rows,
    highlight: String(map.highlight ?? ""),
    isOrderedByValue: map.order === "value",
    isXLogarithmic: log.includes("x"),
    isYLogarithmic: log.includes("y"),
  };
}

/** The address with a row's name for *. */
export function addressOfRow(address: Address, row: Row): Address {
  const fill = (key: Address["of"]) => ({
    subject: key.subject === ROW ? row.name : key.subject,
    workload: key.workload === ROW ? row.name : key.workload,
    measure: key.measure === ROW ? row.name : key.measure,
  });
  const over = address.over === null ? null : fill(address.over);
  return { ...address, of: fill(address.of), over };
}

function readMap(text: string, keys: readonly string[]): Record<string, unknown> {
  const map: unknown = parse(text);
  if (!isMap(map)) throw new SyntaxError(`it is no map of ${keys.join(", ")}`);
  const unknown = Object.keys(map).filter((key) => !keys.includes(key));
  if (unknown.length > 0) {
    throw new SyntaxError(`${unknown.join(", ")} is unknown; there are ${keys.join(", ")}`);
  }
  return map;
}

function readRows(rows: unknown): Row[] {
  if (!Array.isArray(rows) || rows.length === 0) {
    throw new SyntaxError('rows is no list of "- name" or "- name: label"');
  }
  return rows.map((row) => {
    // A label is the author's, a name the run's.
    if (typeof row === "string") return { name: row, label: row };
    const [entry, ...rest] = isMap(row) ? Object.entries(row) : [];
    if (entry === undefined || rest.length > 0 || typeof entry[1] !== "string") {
      throw new SyntaxError(`${JSON.stringify(row)} is no row: write "- name" or "- name: label"`);
    }
    return { name: entry[0], label: checkProse("a label", entry[1]) };
  });
}

function readAddress(what: string, address: unknown): Address {
  if (typeof address !== "string") throw new SyntaxError(`${what} has no address`);
  const reference = parseReference(address);
  if (reference.kind !== "figure" || !Object.values(reference.of).includes(ROW)) {
    throw new SyntaxError(`"${address}" has no part ${ROW}, which stands for each row`);
  }
  const { below, above, isRange, isBare } = reference.options;
  if ((below ?? above ?? isRange ?? isBare) !== undefined) {
    throw new SyntaxError(`"${address}" has an option that only prose has`);
  }
  return reference;
}

function readProse(map: Record<string, unknown>, key: string): string {
  const prose = map[key];
  if (typeof prose !== "string" || prose.trim() === "") throw new SyntaxError(`${key} is missing`);
  return checkProse(key, prose);
}

function checkProse(what: string, prose: string): string {
  const [number] = bareNumbers(prose);
  if (number === undefined) return prose;
  throw new SyntaxError(`${what} has the number "${number.text}", which no run vouches for`);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
