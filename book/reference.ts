import type { SampleKey } from "../bench/sample_reader.ts";

/** What a reference names. Of a ratio there is another sample beside the first. */
export type Reference =
  | { kind: "setting"; suite: string; name: string }
  | { kind: "figure"; suite: string; of: SampleKey; over: SampleKey | null; options: Options }
  | { kind: "fact"; text: string; source: string };

/** How a figure is to be shown, and what must hold of it. */
export interface Options {
  /** The unit; else one that fits. */
  unit?: string;
  /** How many figures; else as many as suit. */
  digits?: number;
  /** From the least to the greatest instead of the median. */
  isRange?: boolean;
  /** Without the unit. */
  isBare?: boolean;
  /** Bounds of the median as it is shown: what the prose says of it holds only within them. */
  below?: number;
  above?: number;
}

/** What stands for each row in the address of a table's column or of a chart. */
export const ROW = "*";

/**
 * Reads what stands between {{ and }}: `SUITE / SUBJECT / WORKLOAD / MEASURE; OPTION; …`, `SUITE / SETTING`, or
 * `fact TEXT; SOURCE`. "A over B" in a part makes it a ratio.
 *
 * @throws {SyntaxError} That says what is wrong and what was expected
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseReference } from "./reference.ts";
 *
 * assertEquals(parseReference("poll / plans"), { kind: "setting", suite: "poll", name: "plans" });
 * ```
 */
export function parseReference(text: string): Reference {
  const words = text.trim().replaceAll(/\s+/g, " ");
  if (words.startsWith("fact ")) return parseFact(words.slice("fact ".length));
  const [address, ...options] = words.split(";").map((part) => part.trim());
  const parts = address.split(" / ");
  if (parts.some((part) => part.trim() === "")) throw new SyntaxError("a part of it is empty");
  if (parts.length === 2) {
    if (options.length > 0) throw new SyntaxError("a setting has no options");
    return { kind: "setting", suite: parts[0], name: parts[1] };
  }
  if (parts.length !== 4) {
    throw new SyntaxError(
      `it has ${parts.length} parts; write "suite / subject / workload / measure" or "suite / setting"`,
    );
  }
  const [suite, ...names] = parts;
  const isRatio = names.some((name) => name.includes(" over "));
  const key = (side: 0 | 1): SampleKey => {
    const [subject, workload, measure] = names.map((name) => {
      const sides = name.split(" over ");
      if (sides.length > 2) throw new SyntaxError(`"${name}" has more than one "over"`);
      return sides[side] ?? sides[0];
    });
    return { subject, workload, measure };
  };
  return {
    kind: "figure",
    suite,
    of: key(0),
    over: isRatio ? key(1) : null,
    options: parseOptions(options),
  };
}

/** A reference as an author would write it, without its options. */
export function formatReference(reference: Reference): string {
  switch (reference.kind) {
    case "fact":
      return `fact ${reference.text}`;
    case "setting":
      return `${reference.suite} / ${reference.name}`;
    case "figure": {
      const { suite, of, over } = reference;
      const names = (["subject", "workload", "measure"] as const).map((name) =>
        over === null || over[name] === of[name] ? of[name] : `${of[name]} over ${over[name]}`
      );
      return [suite, ...names].join(" / ");
    }
  }
}

function parseFact(words: string): Reference {
  const [text, ...source] = words.split(";").map((part) => part.trim());
  if (text === "" || source.join("; ") === "") {
    throw new SyntaxError(
      'a fact says where it is from: "fact 36 %; the live feed, before the project began"',
    );
  }
  return { kind: "fact", text, source: source.join("; ") };
}

function parseOptions(words: readonly string[]): Options {
  const options: Options = {};
  for (const word of words) {
    const [, name, value] = word.match(/^(in|<|>) (.+)$/) ?? word.match(/^()(\d) digits?$/) ??
      [null, word, ""];
    if (name === "in") options.unit = value;
    else if (name === "") options.digits = Number(value);
    else if (name === "<") options.below = readNumber(value);
    else if (name === ">") options.above = readNumber(value);
    else if (name === "range") options.isRange = true;
    else if (name === "bare") options.isBare = true;
    else {
      throw new SyntaxError(
        `"${word}" is no option; there are: in UNIT, N digits, range, bare, < NUMBER, > NUMBER`,
      );
    }
  }
  if (options.digits === 0) throw new SyntaxError("0 digits show nothing");
  return options;
}

function readNumber(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number)) throw new SyntaxError(`"${text}" is no number`);
  return number;
}
