/**
 * Names with figures in them, which measure nothing. The list is short on purpose: a code span does for the rest
 * (`503`), and `{{fact …; source}}` for numbers of the world outside.
 */
const NAMES: readonly RegExp[] = [
  /\bRFC \d{3,5}\b/g,
  /\bchapters? \d{1,2}(?:(?:, | and | to )\d{1,2})*\b/gi,
  /\b\d{4}-\d{2}-\d{2}\b/g, // a date, ISO 8601
  // A version has a point, or it could be a count.
  /\b(?:Linux|Deno|Node|Go|nginx|nftables|liburing|OpenAPI|TLS|TypeScript|V8|version) \d+(?:\.\d+)+/g,
  /\bHTTP\/\d(?:\.\d)?(?![\d.])/g,
  /\bp(?:50|90|95|99)(?:\.9+)?(?![\d.]*\d)/g, // percentiles
  /\b(?:IPv[46]|x86-64|arm64|UTF-8|CRC-32|SHA-256|UUIDv5|C10K|V8)\b/g,
];

/** Any digit of any script, fractions and superscripts, with what clings to it. */
const NUMBER = /[^\s(]*\p{N}[^\s)]*/gu;

/** A number in words is a magnitude before a unit, "times" or a fraction; alone it counts what there is. */
const COUNT = "(?:[a-z]+ty-)?(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|" +
  "(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)";
const UNIT = "(?:(?:nano|micro|milli)?seconds?|minutes?|hours?|days?|weeks?|" +
  "(?:kilo|mega|giga|kibi|mebi|gibi)?bytes?)";
const PART = "(?:third|quarter|fifth|sixth|seventh|eighth|ninth|tenth|hundredth|thousandth)";
/** Magnitudes in words, which lie as well as figures do. Small counts in words ("two drivers") are design. */
const MAGNITUDES: readonly string[] = [
  "tens of|hundreds?|thousands?|millions?|billions?|dozens?|orders? of magnitude",
  "per ?cent",
  "\\w+fold|twice(?: as)?|thrice|(?:doubl|tripl|halv|quadrupl)(?:es|ed|ing)",
  `(?:${COUNT}|many|several) times|factors? of ${COUNT}`,
  `${COUNT} ${UNIT}`,
  `half (?:as|of|the|an? ${UNIT})|by half`,
  `(?:an?|one) ${PART} of|${COUNT} (?:halves|${PART}s)(?: of)?`,
];
const WORDS = new RegExp(`\\b(?:${MAGNITUDES.join("|")})\\b`, "gi");
/** What WORDS takes for magnitudes and is none. */
const NO_MAGNITUDES = /\b(?:mani|un|scaf|bill|two)fold\w*|\bblindfold\b/gi;

/** A code span that is nothing but a measured number: the way around that would be taken first. */
const MEASURED_CODE =
  /^[~<>≈]?\s*[\d.,]+\s*(?:ns|µs|us|ms|s|min|B|bytes|[kKMG]i?B|%|x|×|requests\/s|times)$/;

/** A number that nothing vouches for. */
export interface BareNumber {
  text: string;
  /** Where in the prose it begins. */
  index: number;
}

/**
 * The numbers in a piece of prose, its references taken out, that nothing vouches for.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { bareNumbers } from "./bare_numbers.ts";
 *
 * assertEquals(bareNumbers("HTTP/1.1 on Linux 6.1 took 5 µs"), [{ text: "5", index: 27 }]);
 * ```
 */
export function bareNumbers(prose: string): BareNumber[] {
  let rest = prose.replaceAll("\n", " ");
  // What is taken out leaves blanks, so that the places of the rest stay.
  for (const name of NAMES) rest = rest.replaceAll(name, blank);
  const found = (pattern: RegExp, text: string) =>
    [...text.matchAll(pattern)].map(({ 0: text, index }) => ({ text, index }));
  return [...found(NUMBER, rest), ...found(WORDS, rest.replaceAll(NO_MAGNITUDES, blank))]
    .sort((a, b) => a.index - b.index);
}

function blank(text: string): string {
  return " ".repeat(text.length);
}

/** Whether a code span hides a measured number. */
export function isMeasuredCode(code: string): boolean {
  return MEASURED_CODE.test(code.trim());
}
