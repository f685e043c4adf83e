import type { RunRecord } from "../bench/sample_reader.ts";
import { type BarChart, drawBarChart } from "./bar_chart.ts";
import { addressOfRow, type ChartSpec, type Row, type TableSpec } from "./block_spec.ts";
import { describeCommit, type Figure, type Figures, MissingFigure } from "./figures.ts";
import { BARS_MAX, LINE_POINTS_MAX, TABLE_ROWS_MAX } from "./limits.ts";
import { drawLineChart, type LineChart } from "./line_chart.ts";
import {
  convert,
  formatNumber,
  formatQuantity,
  isMeasured,
  naturalUnit,
  type Quantity,
} from "./quantity.ts";
import { escapeText } from "./svg.ts";

/** Widths of the drawings: one is shown on a phone, the other where there is room. */
const NARROW = 328;
const WIDE = 660;

/** A table or a chart as it stands in the page. */
export interface Block {
  html: string;
  /** The runs that it draws on. */
  runs: RunRecord[];
  /** What quick runs do not have, and is left out. */
  missing: string[];
}

/**
 * Draws a table.
 *
 * @param id Unique in the page
 * @throws {MissingFigure} If no run has a figure of it
 */
export function renderTable(spec: TableSpec, figures: Figures, id: string): Block {
  if (spec.rows.length > TABLE_ROWS_MAX) {
    throw new RangeError(`a table has at most ${TABLE_ROWS_MAX} rows, not ${spec.rows.length}`);
  }
  const found = new Found();
  const columns = spec.columns.map(({ label, address }) => {
    const cells = spec.rows.map((row) =>
      found.add(() => figures.figure(addressOfRow(address, row)))
    );
    const seen = cells.filter((cell) => cell !== null)
      .map(({ median, unit }) => ({ value: median, unit }));
    const unit = address.options.unit ?? commonUnit(seen);
    const texts = cells.map((cell) =>
      cell === null ? "—" : formatNumber(
        convert({ value: cell.median, unit: cell.unit }, unit),
        address.options.digits,
      )
    );
    return { label: isMeasured(unit) ? `${label}, ${unit}` : label, texts };
  });
  const rows = spec.rows.map(({ label }, i) => [label, ...columns.map(({ texts }) => texts[i])]);
  const table = htmlTable([spec.first, ...columns.map(({ label }) => label)], rows);
  const html = figureHtml(id, `<div class="scroll" tabindex="0">${table}</div>`, [
    ...[escapeText(spec.title.replace(/\.?$/, ".")), found.medians("")],
    found.caption(),
  ]);
  return { html, runs: found.runs, missing: found.missing };
}

/**
 * Draws a chart, with its figures in a table that can be opened.
 *
 * @param id Unique in the page
 * @throws {MissingFigure} If no run has a figure of it
 */
export function renderChart(spec: ChartSpec, figures: Figures, id: string): Block {
  const found = new Found();
  const drawn = spec.kind === "bars" ? bars(spec, figures, found) : lines(spec, figures, found);
  const pictures = drawn === null
    ? `<p class="missing">None of it is in this quick run.</p>`
    : `<div class="narrow">${drawn.draw(`${id}-narrow`, NARROW)}</div>` +
      `<div class="wide">${drawn.draw(`${id}-wide`, WIDE)}</div>`;
  const details = drawn === null
    ? ""
    : `<details><summary>The figures of this chart</summary><div class="scroll" tabindex="0">${drawn.table}</div></details>`;
  const html = figureHtml(id, pictures, [
    escapeText(spec.title.replace(/\.?$/, ".")),
    spec.kind === "bars" ? found.medians(", with the least and the greatest") : "",
    found.caption(),
  ], details);
  return { html, runs: found.runs, missing: found.missing };
}

/** A chart with its figures. */
interface Drawn {
  draw(id: string, width: number): string;
  table: string;
}

function bars(spec: ChartSpec, figures: Figures, found: Found): Drawn | null {
  if (spec.rows.length > BARS_MAX) {
    throw new RangeError(`a chart has at most ${BARS_MAX} bars, not ${spec.rows.length}`);
  }
  const seen: { row: Row; figure: Figure }[] = [];
  for (const row of spec.rows) {
    const figure = found.add(() => figures.figure(addressOfRow(spec.address, row)));
    if (figure !== null) seen.push({ row, figure });
  }
  if (seen.length === 0) return null;
  const unit = spec.address.options.unit ??
    commonUnit(seen.map(({ figure: { median, unit } }) => ({ value: median, unit })));
  const bars = seen.map(({ row, figure }) => {
    const of = (value: number) => convert({ value, unit: figure.unit }, unit).value;
    return {
      label: row.label,
      median: of(figure.median),
      min: of(figure.min),
      max: of(figure.max),
      isHighlighted: spec.highlight !== "" && row.label.startsWith(spec.highlight),
    };
  });
  if (spec.isOrderedByValue) bars.sort((a, b) => a.median - b.median);
  const chart: BarChart = { title: spec.title, unit, bars };
  const cells = chart.bars.map(({ label, median, min, max }) => [
    label,
    ...[median, min, max].map((value) => formatNumber({ value, unit })),
  ]);
  const headings = ["", "median", "least", "greatest"]
    .map((heading) => heading === "" || unit === "" ? heading : `${heading}, ${unit}`);
  return {
    draw: (id, width) => drawBarChart(chart, id, width),
    table: htmlTable(headings, cells),
  };
}

function lines(spec: ChartSpec, figures: Figures, found: Found): Drawn | null {
  const all = spec.rows.flatMap((row) => {
    const series = found.add(() => figures.series(addressOfRow(spec.address, row)));
    return series === null ? [] : [{ label: row.label, ...series }];
  });
  if (all.length === 0) return null;
  const [{ xUnit }] = all;
  const unit = spec.address.options.unit ??
    commonUnit(all.flatMap(({ unit, points }) => points.map(({ value }) => ({ value, unit }))));
  const chart: LineChart = {
    title: spec.title,
    unit,
    xUnit,
    isXLogarithmic: spec.isXLogarithmic,
    isYLogarithmic: spec.isYLogarithmic,
    lines: all.map(({ label, unit: own, points }) => ({
      label,
      points: thin(points).map(({ x, value }) => ({
        x,
        value: convert({ value, unit: own }, unit).value,
      })),
    })),
  };
  const places = [...new Set(chart.lines.flatMap(({ points }) => points.map(({ x }) => x)))]
    .sort((a, b) => a - b);
  const rows = places.map((x) => [
    formatQuantity({ value: x, unit: xUnit }, Number.isInteger(x) ? undefined : 4),
    ...chart.lines.map(({ points }) => {
      const point = points.find((point) => point.x === x);
      return point === undefined ? "" : formatNumber({ value: point.value, unit });
    }),
  ]);
  const headings = chart.lines.map(({ label }) => unit === "" ? label : `${label}, ${unit}`);
  return {
    draw: (id, width) => drawLineChart(chart, id, width),
    table: htmlTable([xUnit, ...headings], rows),
  };
}

/**
 * The unit in which figures stand beside each other.
 *
 * @throws {RangeError} If there is none
 */
function commonUnit(figures: readonly Quantity[]): string {
  const unit = figures[0]?.unit ?? "";
  return naturalUnit(figures.map((figure) => convert(figure, unit).value), unit);
}

/** Figures that were looked for, and the runs they come from. */
class Found {
  readonly runs: RunRecord[] = [];
  readonly missing: string[] = [];
  readonly #counts: number[] = [];
  /** Whether each figure has a value of each round of its run: some suites take phases, or seconds, down instead. */
  #areRounds = true;

  /** @returns `null` for what a quick run, which is allowed, does not have */
  add<T extends { run: RunRecord; count?: number }>(find: () => T): T | null {
    try {
      const found = find();
      if (!this.runs.some(({ id }) => id === found.run.id)) this.runs.push(found.run);
      if (found.count !== undefined) {
        this.#counts.push(found.count);
        this.#areRounds &&= found.count === found.run.settings.rounds;
      }
      return found;
    } catch (error) {
      if (!(error instanceof MissingFigure) || !error.isOfQuickRun) throw error;
      this.missing.push(error.message);
      return null;
    }
  }

  medians(shown: string): string {
    const least = Math.min(...this.#counts), most = Math.max(...this.#counts);
    if (most < 2) return "";
    const many = least === most ? most : `${least} to ${most}`;
    return `Medians of ${many} ${this.#areRounds ? "rounds" : "values"}${shown}.`;
  }

  caption(): string {
    return this.runs.map((run) =>
      `<a href="#run-${run.id}">Run ${run.id}</a>${run.isQuick ? ", quick" : ""}, ` +
      `${run.startedAt.slice(0, 10)}, ${escapeText(describeCommit(run))}, ${
        escapeText(`${run.cores} cores of ${run.cpu}`)
      }.`
    ).join(" ");
  }
}

function figureHtml(
  id: string,
  body: string,
  caption: readonly string[],
  details = "",
): string {
  const [title, ...rest] = caption.filter((part) => part !== "");
  return `<figure id="${id}"><figcaption><strong>${title}</strong> <small>${
    rest.join(" ")
  }</small></figcaption>${body}${details}</figure>\n`;
}

/** The first cell of a row is its heading. */
function htmlTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = headings.map((heading) =>
    heading === "" ? "<td></td>" : `<th scope="col">${escapeText(heading)}</th>`
  );
  const body = rows.map(([first, ...cells]) =>
    `<tr><th scope="row">${escapeText(first)}</th>${
      cells.map((cell) => `<td>${escapeText(cell)}</td>`).join("")
    }</tr>`
  );
  return `<table class="figures"><thead><tr>${head.join("")}</tr></thead><tbody>${
    body.join("\n")
  }</tbody></table>`;
}

/** Not more points than can be seen; the first and the last are among them. */
function thin<T>(points: readonly T[]): readonly T[] {
  if (points.length <= LINE_POINTS_MAX) return points;
  const step = (points.length - 1) / (LINE_POINTS_MAX - 1);
  return Array.from({ length: LINE_POINTS_MAX }, (_, i) => points[Math.round(i * step)]);
}
