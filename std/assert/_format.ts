import { structuredPatch } from "diff";

/** Equal lines shown around each difference. */
const CONTEXT_LINES = 4;
/** Lines of a value or a difference that are shown; the rest is counted. */
const SHOWN_LINES_MAX = 120;
/** Lines that may differ; beyond that both values are shown whole, as finding the shortest difference takes quadratic time. */
const DIFFERENT_LINES_MAX = 4_000;

/** Renders a value for a message. */
export function format(value: unknown): string {
  return shorten(inspect(value).split("\n")).join("\n");
}

/** Renders what differs between two values, line by line: `-` is only in the actual one, `+` only in the expected one. */
export function formatDifference(actual: unknown, expected: unknown): string {
  const asText = typeof actual === "string" && typeof expected === "string" &&
    /\n/.test(actual + expected);
  const [left, right] = [actual, expected].map((value) =>
    asText ? value as string : inspect(value)
  );
  const patch = left === right
    ? undefined // they look alike, so that there is no difference to show
    : structuredPatch("", "", left, right, "", "", {
      context: CONTEXT_LINES,
      maxEditLength: DIFFERENT_LINES_MAX,
    });
  const lines = patch?.hunks.flatMap(({ lines }, index) =>
    index === 0 ? lines : ["  ...", ...lines]
  );
  const shown =
    lines?.filter((line) => !line.startsWith("\\")).map((line) => `${line[0]} ${line.slice(1)}`) ??
      [...prefix("-", left), ...prefix("+", right)];
  return ["- actual, + expected", "", ...shorten(shown)].join("\n    ");
}

function prefix(sign: string, text: string): string[] {
  return shorten(text.split("\n")).map((line) => `${sign} ${line}`);
}

function inspect(value: unknown): string {
  return Deno.inspect(value, {
    depth: 100,
    sorted: true,
    trailingComma: true,
    compact: false,
    iterableLimit: Infinity,
    strAbbreviateSize: Infinity,
  });
}

function shorten(lines: string[]): string[] {
  if (lines.length <= SHOWN_LINES_MAX) return lines;
  return [...lines.slice(0, SHOWN_LINES_MAX), `... ${lines.length - SHOWN_LINES_MAX} more lines`];
}
