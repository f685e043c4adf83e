import { linearAxis, logarithmicAxis } from "./axis.ts";
import { formatQuantity } from "./quantity.ts";
import { drawing, drawLine, drawText, place, textWidth } from "./svg.ts";

/** A line and its points, in the order of x. */
export interface Line {
  label: string;
  points: readonly { x: number; value: number }[];
}

/** Lines over the same x. */
export interface LineChart {
  title: string;
  xUnit: string;
  unit: string;
  isXLogarithmic: boolean;
  isYLogarithmic: boolean;
  lines: readonly Line[];
}

const TEXT_SIZE = 13;
const LINE_HEIGHT = 16;
/** Lines with more points show no marks. */
const MARKED_POINTS_MAX = 24;
/** A drawing this wide or wider has the labels at the ends of the lines, else they stand below it. */
const LABELS_BESIDE_MIN = 500;
/** One shape for each line, so that colour is not all that tells them apart. */
const SHAPES: readonly ((x: number, y: number) => string)[] = [
  (x, y) => `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0-8 0z`,
  (x, y) => `M${x - 3.5} ${y - 3.5}h7v7h-7z`,
  (x, y) => `M${x} ${y - 5}l4.5 8h-9z`,
  (x, y) => `M${x} ${y - 5}l5 5l-5 5l-5-5z`,
  (x, y) => `M${x} ${y + 5}l4.5-8h-9z`,
  (x, y) => `M${x - 4} ${y - 1.5}h8v3h-8z`,
];

/**
 * Draws lines.
 *
 * @param id Unique in the page
 * @param width Of the drawing, whose letters have 13 units
 */
export function drawLineChart(chart: LineChart, id: string, width: number): string {
  const { lines, unit, xUnit } = chart;
  const isBeside = width >= LABELS_BESIDE_MIN;
  const points = lines.flatMap(({ points }) => points);
  const make = (isLogarithmic: boolean) => isLogarithmic ? logarithmicAxis : linearAxis;
  const xAxis = make(chart.isXLogarithmic)(points.map(({ x }) => x), isBeside ? 8 : 5);
  const yAxis = make(chart.isYLogarithmic)(points.map(({ value }) => value), 6);
  const ticks = yAxis.ticks.map(formatTick);
  const left = Math.max(...ticks.map((tick) => textWidth(tick, TEXT_SIZE))) + 8;
  const labels = Math.max(...lines.map(({ label }) => textWidth(label, TEXT_SIZE)));
  const right = isBeside ? width - Math.min(labels + 18, width * 0.35) : width - 14;
  const top = unit === "" ? 10 : 26;
  const bottom = top + Math.round(Math.min(300, (right - left) * 0.6));
  const x = (value: number) => left + xAxis.at(value) * (right - left);
  const y = (value: number) => bottom - yAxis.at(value) * (bottom - top);

  const parts = [
    ...yAxis.ticks.flatMap((tick, i) => [
      drawLine(left, y(tick), right, y(tick), i === 0 ? "base" : "grid"),
      drawText(left - 6, y(tick) + 4, ticks[i], "tick", "end"),
    ]),
    ...xAxis.ticks.flatMap((tick) => [
      drawLine(x(tick), bottom, x(tick), bottom + 4, "base"),
      drawText(x(tick), bottom + 18, formatTick(tick), "tick", "middle"),
    ]),
    drawText(right, bottom + 35, xUnit, "tick", "end"),
  ];
  if (unit !== "") parts.push(drawText(0, 12, unit, "tick"));
  lines.forEach(({ points }, i) => {
    const path = points.map((point, j) =>
      `${j === 0 ? "M" : "L"}${place(x(point.x))} ${place(y(point.value))}`
    );
    parts.push(`<path d="${path.join("")}" class="line c${i}"/>`);
    if (points.length > MARKED_POINTS_MAX) return;
    parts.push(
      `<path d="${
        points.map((p) => drawMark(i, x(p.x), y(p.value))).join("")
      }" class="mark c${i}"/>`,
    );
  });
  let end = bottom + 42;
  if (isBeside) {
    const places = spreadOut(lines.map(({ points }) => y(points.at(-1)!.value)), top, bottom);
    lines.forEach(({ label }, i) => {
      parts.push(drawText(right + 12, places[i] + 4.5, label, `label c${i}`));
    });
  } else {
    lines.forEach(({ label }, i) => {
      end += LINE_HEIGHT + 2;
      parts.push(
        `<path d="${drawMark(i, left + 6, end - 9)}" class="mark c${i}"/>`,
        drawText(left + 18, end - 4.5, label, `label c${i}`),
      );
    });
  }
  return drawing({
    id,
    width,
    height: end,
    title: chart.title,
    description: describeLines(chart),
    body: parts.join(""),
  });
}

/** The lines in words: where each begins, ends, and is greatest. */
export function describeLines({ lines, unit, xUnit }: LineChart): string {
  const words = lines.map(({ label, points }) => {
    const at = (point: { x: number; value: number }) =>
      `${formatQuantity({ value: point.value, unit })} at ${
        formatQuantity({ value: point.x, unit: xUnit })
      }`;
    const greatest = points.reduce((a, b) => b.value > a.value ? b : a);
    return `${label} from ${at(points[0])} to ${at(points.at(-1)!)}, greatest ${at(greatest)}`;
  });
  return `Lines over ${xUnit}: ${words.join("; ")}.`;
}

function drawMark(line: number, x: number, y: number): string {
  return SHAPES[line % SHAPES.length](Math.round(x * 10) / 10, Math.round(y * 10) / 10);
}

/** Moves labels apart that would lie on each other, and keeps them within the chart. */
function spreadOut(places: readonly number[], top: number, bottom: number): number[] {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const spread = [...places];
  for (let i = 1; i < order.length; i++) {
    spread[order[i]] = Math.max(spread[order[i]], spread[order[i - 1]] + LINE_HEIGHT);
  }
  // What was pushed out below comes back, and pushes those above it.
  for (let i = order.length - 1, floor = bottom; i >= 0; i--, floor -= LINE_HEIGHT) {
    spread[order[i]] = Math.max(top, Math.min(spread[order[i]], floor));
    floor = spread[order[i]];
  }
  return spread;
}

function formatTick(tick: number): string {
  return tick.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}
