import { linearAxis } from "./axis.ts";
import { formatNumber, formatQuantity } from "./quantity.ts";
import { drawing, drawLine, drawText, place, textWidth } from "./svg.ts";

/** A bar: the median, with the least and the greatest that were seen. */
export interface Bar {
  label: string;
  median: number;
  min: number;
  max: number;
  isHighlighted: boolean;
}

/** Bars under each other. */
export interface BarChart {
  title: string;
  unit: string;
  bars: readonly Bar[];
}

/** A drawing this wide or wider has the labels beside the bars, if they leave enough for those, else above them. */
const LABELS_BESIDE_MIN = 500;
const LABELS_SHARE_MAX = 0.45;
const TEXT_SIZE = 13;
const BAR_HEIGHT = 18;

/**
 * Draws bars.
 *
 * @param id Unique in the page
 * @param width Of the drawing, whose letters have 13 units
 */
export function drawBarChart(chart: BarChart, id: string, width: number): string {
  const { bars, unit, title } = chart;
  const labels = Math.max(...bars.map(({ label }) => textWidth(label, TEXT_SIZE))) + 10;
  const isBeside = width >= LABELS_BESIDE_MIN && labels <= width * LABELS_SHARE_MAX;
  const texts = bars.map(({ median }) => formatNumber({ value: median, unit }));
  const axis = linearAxis(bars.map(({ max }) => max), isBeside ? 6 : 4);
  const left = isBeside ? labels : 2;
  const right = width - Math.max(...texts.map((text) => textWidth(text, TEXT_SIZE))) - 12;
  const x = (value: number) => left + axis.at(value) * (right - left);
  const step = isBeside ? BAR_HEIGHT + 10 : BAR_HEIGHT + 26;
  const bottom = bars.length * step + 4;

  const parts = axis.ticks.flatMap((tick) => [
    drawLine(x(tick), 0, x(tick), bottom, tick === 0 ? "base" : "grid"),
    drawText(x(tick), bottom + 15, formatTick(tick), "tick", tick === 0 ? "start" : "middle"),
  ]);
  bars.forEach(({ label, median, min, max, isHighlighted }, i) => {
    const top = i * step + (isBeside ? 5 : 21);
    const middle = top + BAR_HEIGHT / 2;
    const classes = isHighlighted ? "bar ours" : "bar";
    parts.push(
      isBeside
        ? drawText(left - 8, middle + 4.5, label, isHighlighted ? "strong" : "", "end")
        : drawText(left, top - 6, label, isHighlighted ? "strong" : ""),
      `<rect x="${place(left)}" y="${place(top)}" width="${
        place(x(median) - left)
      }" height="${BAR_HEIGHT}" class="${classes}"/>`,
    );
    if (max > min) {
      parts.push(
        drawLine(x(min), middle, x(max), middle, "range"),
        drawLine(x(min), middle - 4, x(min), middle + 4, "range"),
        drawLine(x(max), middle - 4, x(max), middle + 4, "range"),
      );
    }
    parts.push(drawText(x(max) + 6, middle + 4.5, texts[i], isHighlighted ? "strong" : ""));
  });
  if (unit !== "") parts.push(drawText(right, bottom + 32, unit, "tick", "end"));
  return drawing({
    id,
    width,
    height: bottom + (unit === "" ? 20 : 36),
    title,
    description: describeBars(chart),
    body: parts.join(""),
  });
}

/** The bars in words, from the least to the greatest. */
export function describeBars({ bars, unit }: BarChart): string {
  const sorted = bars.toSorted((a, b) => a.median - b.median);
  const words = sorted.map(({ label, median }) =>
    `${label} ${formatQuantity({ value: median, unit })}`
  );
  return `Bars, from the least to the greatest: ${words.join("; ")}.`;
}

function formatTick(tick: number): string {
  return tick.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}
