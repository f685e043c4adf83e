import { parseArgs } from "node:util";
import { readCount } from "../../load/arguments.ts";
import { type Variant, VARIANTS } from "./variants.ts";

/** How clients come: a connection that they keep, or one for each request. */
export type Workload = "keep-alive" | "connection per request";

/** What a run of the journey is made of. */
export interface JourneyArguments {
  isQuick: boolean;
  /** Whether variants, workloads or numbers of connections were left out. */
  isPartial: boolean;
  variants: readonly Variant[];
  workloads: readonly Workload[];
  /** Numbers of connections. */
  concurrencies: readonly number[];
  /** Requests of a cell, over all its rounds. */
  requests: number;
  /** Where a cell ends if it takes longer, over all its rounds. */
  secondsMax: number;
}

/** What was asked for and makes no sense. */
export class JourneyArgumentsError extends Error {
  override name = "JourneyArgumentsError";
}

const WORKLOADS: Readonly<Record<string, Workload>> = {
  "keep-alive": "keep-alive",
  "connection": "connection per request",
};
const CONCURRENCIES = [1, 10, 50, 100, 500];
/** Which of them a quick run has. */
const CONCURRENCIES_QUICK = [1, 50];
const REQUESTS = 1_000_000;
const SECONDS_MAX = 60;
const QUICK = { requests: 20_000, secondsMax: 0.5 };

/** The most connections: the service of bench/catalogue_server.ts takes 1,000, some of them about to close. */
const CONCURRENCY_MAX = 500;
const REQUESTS_MAX = 100_000_000;
const SECONDS_ASKED_MAX = 3_600;

/** What `--help` says. */
export const USAGE = `deno task bench:journey [options]

Measures each step of the design against the same workload.

  --variant LIST       of ${VARIANTS.map(({ name }) => name).join(", ")}
  --workload LIST      of ${Object.keys(WORKLOADS).join(", ")}
  --concurrency LIST   numbers of connections, each up to ${CONCURRENCY_MAX}; ${
  CONCURRENCIES.join(",")
} if left out
  --requests N         for each cell of the table, as 100k or 1M; 1M if left out
  --seconds N          where a cell ends that takes longer; ${SECONDS_MAX} if left out
  --quick              fewer events, connections and requests: under a minute, to see that it works
  --help               this

Lists are separated by commas; everything if left out. A run without some variants, workloads or numbers
of connections is recorded as partial.`;

/**
 * Reads the command line.
 *
 * @returns `null` if help was asked for
 * @throws {JourneyArgumentsError} If it cannot be understood
 */
export function readJourneyArguments(args: readonly string[]): JourneyArguments | null {
  const values = parse(args[0] === "--" ? args.slice(1) : [...args]);
  if (values.help) return null;
  const isQuick = values.quick ?? false;
  const names = listOf(values.variant);
  const variants = names === null ? VARIANTS : VARIANTS.filter(({ name }) => names.has(name));
  checkKnown("--variant", names, VARIANTS.map(({ name }) => name));
  const asked = listOf(values.workload);
  checkKnown("--workload", asked, Object.keys(WORKLOADS));
  const concurrencies = listOf(values.concurrency);
  return {
    isQuick,
    isPartial: names !== null || asked !== null || concurrencies !== null,
    variants,
    workloads: Object.keys(WORKLOADS).filter((name) => asked?.has(name) ?? true)
      .map((name) => WORKLOADS[name]),
    concurrencies: concurrencies === null
      ? isQuick ? CONCURRENCIES_QUICK : CONCURRENCIES
      : [...concurrencies].map((text) => count("--concurrency", text, CONCURRENCY_MAX))
        .sort((a, b) => a - b),
    requests: values.requests === undefined
      ? isQuick ? QUICK.requests : REQUESTS
      : count("--requests", values.requests, REQUESTS_MAX),
    secondsMax: values.seconds === undefined
      ? isQuick ? QUICK.secondsMax : SECONDS_MAX
      : count("--seconds", values.seconds, SECONDS_ASKED_MAX),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        variant: { type: "string" },
        workload: { type: "string" },
        concurrency: { type: "string" },
        requests: { type: "string" },
        seconds: { type: "string" },
        quick: { type: "boolean" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new JourneyArgumentsError(`${(error as Error).message.split(". ")[0]}; --help lists all`);
  }
}

function listOf(text: string | undefined): Set<string> | null {
  return text === undefined ? null : new Set(text.split(",").map((word) => word.trim()));
}

function checkKnown(option: string, asked: Set<string> | null, known: readonly string[]): void {
  for (const name of asked ?? []) {
    if (known.includes(name)) continue;
    throw new JourneyArgumentsError(
      `${option}: ${JSON.stringify(name)} is none of ${known.join(", ")}`,
    );
  }
}

function count(option: string, text: string, max: number): number {
  let value: number;
  try {
    value = readCount(option, text);
  } catch (error) {
    throw new JourneyArgumentsError((error as Error).message);
  }
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new JourneyArgumentsError(`${option}: ${text} is no whole number from 1 to ${max}`);
  }
  return value;
}
