/**
 * The command line of a bench: `--quick`, `--help` and what options it has of its own. An argument that no option
 * takes ends the bench before anything starts: a full run would be in vain.
 *
 * @module
 */
import { parseArgs } from "node:util";

/** What stands behind an option: nothing, a whole number above 0, a regular expression, or one of some words. */
export type OptionKind = "flag" | "count" | "pattern" | readonly string[];

/** The options of a bench by their names, without the dashes. */
export type BenchOptions = Readonly<Record<string, OptionKind>>;

/** What was asked for; `null` for an option that was left out. */
export type BenchArguments<Options extends BenchOptions> =
  & { quick: boolean; help: boolean }
  & { [Name in keyof Options]: ValueOf<Options[Name]> };

type ValueOf<Kind extends OptionKind> = Kind extends "flag" ? boolean
  : Kind extends "count" ? number | null
  : Kind extends "pattern" ? RegExp | null
  : Kind extends readonly (infer Word)[] ? Word | null
  : never;

/** What was asked for and makes no sense. */
export class BenchArgumentsError extends Error {
  override name = "BenchArgumentsError";
}

/**
 * Reads the command line of this process. With `--help` it prints the options and exits 0; of what makes no sense it
 * prints a line and exits 2.
 *
 * @param options What the bench takes beside `--quick` and `--help`
 */
export function readBenchArguments<const Options extends BenchOptions>(
  options: Options,
): BenchArguments<Options> {
  try {
    const asked = parseBenchArguments(Deno.args, options);
    if (!asked.help) return asked;
  } catch (error) {
    if (!(error instanceof BenchArgumentsError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
  console.log(usageOf(options));
  Deno.exit(0);
}

/**
 * Reads a command line. A bare `--`, which `deno task` passes on, is ignored wherever it stands.
 *
 * @throws {BenchArgumentsError} If it cannot be understood
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseBenchArguments } from "./bench_arguments.ts";
 *
 * const { quick, only } = parseBenchArguments(["--", "--only", "nginx"], { only: "pattern" });
 * assertEquals([quick, only], [false, /nginx/]);
 * ```
 */
export function parseBenchArguments<const Options extends BenchOptions>(
  args: readonly string[],
  options: Options,
): BenchArguments<Options> {
  const values = parse(args, options);
  const read = Object.entries(allOf(options)).map(([name, kind]) =>
    [name, readValue(name, kind, values[name])] as const
  );
  return Object.fromEntries(read) as BenchArguments<Options>;
}

function parse(
  args: readonly string[],
  options: BenchOptions,
): Record<string, string | boolean | undefined> {
  const types: Record<string, { type: "boolean" | "string" }> = {};
  for (const [name, kind] of Object.entries(allOf(options))) {
    types[name] = { type: kind === "flag" ? "boolean" : "string" };
  }
  try {
    const { values } = parseArgs({ args: args.filter((arg) => arg !== "--"), options: types });
    return values as Record<string, string | boolean | undefined>;
  } catch (error) {
    // What follows the first sentence is about arguments that begin with a dash.
    const [problem] = (error as Error).message.split(/\.\s/);
    throw new BenchArgumentsError(`${problem}; ${usageOf(options)}`);
  }
}

function readValue(
  name: string,
  kind: OptionKind,
  value: string | boolean | undefined,
): boolean | number | RegExp | string | null {
  if (kind === "flag") return value === true;
  if (typeof value !== "string") return null;
  const refuse = (wanted: string): never => {
    throw new BenchArgumentsError(`--${name}: ${JSON.stringify(value)} is ${wanted}`);
  };
  if (kind === "count") {
    const count = Number(value);
    return Number.isInteger(count) && count > 0 ? count : refuse("no whole number above 0");
  }
  if (kind === "pattern") {
    if (value === "") return refuse("no pattern");
    try {
      return new RegExp(value);
    } catch (error) {
      return refuse(`no pattern (${(error as Error).message})`);
    }
  }
  return kind.includes(value) ? value : refuse(`none of ${kind.join(", ")}`);
}

function allOf(options: BenchOptions): BenchOptions {
  return { quick: "flag", ...options, help: "flag" };
}

function usageOf(options: BenchOptions): string {
  const words = Object.entries(allOf(options)).map(([name, kind]) => {
    if (kind === "flag") return `--${name}`;
    if (kind === "count") return `--${name} N`;
    return `--${name} ${kind === "pattern" ? "PATTERN" : kind.join("|")}`;
  });
  return `this bench takes ${words.join(", ")}`;
}
