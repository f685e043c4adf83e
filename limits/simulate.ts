/**
 * Compares the algorithms of a connection limit on services that are only arithmetic, a day each: how soon they find
 * the best throughput, what they lose against a limit that is always right, and whether they drift. The same seed
 * prints the same table. `deno task bench:limits [--seed 1] [--log SCENARIO ALGORITHM] [--quick]`
 *
 * @module
 */
import { parseArgs } from "node:util";
import { createLimit, isLimitAlgorithm, LIMIT_ALGORITHMS } from "./limit_algorithms.ts";
import type { Limit } from "./limit.ts";
import { PERIOD_MS } from "./limits.ts";
import { SCENARIOS } from "./scenarios.ts";
import { simulate, type SimulationResult } from "./simulator.ts";

const COLUMNS = [
  "scenario",
  "algorithm",
  "found in s",
  "lost %",
  "limit at the end",
  "in the second half",
  "changes/hour",
  "p95 at best",
  "p95 in ms",
];

/**
 * The table of all scenarios and algorithms, in Markdown.
 *
 * @throws {Error} when a scenario gave no answers, so that it cannot silently measure nothing
 */
export function simulationTable(seed: number): string {
  const rows = SCENARIOS.flatMap((scenario) =>
    LIMIT_ALGORITHMS.map((algorithm) => {
      const result = simulate(scenario, createLimit(algorithm), seed);
      if (!(result.answers > 0)) throw new Error(`${scenario.name}: nothing was answered`);
      return [scenario.name, algorithm, ...cells(result)];
    })
  );
  const widths = COLUMNS.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length))
  );
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, column) => text.padEnd(widths[column])).join(" | ")} |\n`;
  return line(COLUMNS) + line(widths.map((width) => "-".repeat(width))) + rows.map(line).join("");
}

function cells(result: SimulationResult): string[] {
  return [
    result.convergenceSeconds?.toFixed(0) ?? "never",
    (result.lostShare * 100).toFixed(1),
    String(result.limitEnd),
    result.limitRange.join(" to "),
    result.changesPerHour.toFixed(1),
    result.latencyBestMs.toFixed(2),
    result.latencyMs.toFixed(2),
  ];
}

/** The first bytes of the SHA-256 of a text. */
async function hashOf(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(hash, 0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Prints every decision of one simulation that moved the limit. */
function printLog(name: string, algorithm: string): void {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined || !isLimitAlgorithm(algorithm)) {
    console.error(
      `--log ${name} ${algorithm}: use one of ${
        SCENARIOS.map((one) => `"${one.name}"`).join(", ")
      } ` +
        `and ${LIMIT_ALGORITHMS.join(" or ")}`,
    );
    Deno.exit(2);
  }
  const limit = createLimit(algorithm);
  let period = 0;
  const logged: Limit = {
    name: limit.name,
    get value() {
      return limit.value;
    },
    update(measurement) {
      const decision = limit.update(measurement);
      period++;
      if (decision.limit !== decision.previous) {
        const { previous, limit: next, state, reason } = decision;
        console.log(`${period * PERIOD_MS / 1_000} s ${state} ${previous} to ${next}: ${reason}`);
      }
      return decision;
    },
  };
  simulate(scenario, logged);
}

/** What the command line asks for. */
function readArguments(): { seed: string; log?: string; algorithm: string } {
  try {
    const { values, positionals } = parseArgs({
      // `deno task` hands a bare -- through.
      args: Deno.args.filter((arg) => arg !== "--"),
      options: {
        seed: { type: "string" },
        log: { type: "string" },
        // Every bench takes it; this one is quick anyway.
        quick: { type: "boolean" },
      },
      allowPositionals: true,
    });
    const { seed = "1", log } = values;
    const [algorithm = "", ...others] = positionals;
    const unknown = log === undefined ? positionals : others;
    if (unknown.length > 0) throw new TypeError(`Unexpected argument '${unknown[0]}'`);
    return { seed, log, algorithm };
  } catch (error) {
    const [problem] = (error as Error).message.split(/\.\s/);
    console.error(`${problem}: use --seed NUMBER or --log SCENARIO ALGORITHM`);
    Deno.exit(2);
  }
}

if (import.meta.main) {
  const { seed: text, log, algorithm } = readArguments();
  if (log !== undefined) {
    printLog(log, algorithm);
  } else {
    const seed = Number(text);
    if (!Number.isInteger(seed)) {
      console.error(`--seed ${text}: use a whole number`);
      Deno.exit(2);
    }
    const table = simulationTable(seed);
    console.log(table);
    console.log(`seed ${seed}, hash ${await hashOf(table)}`);
  }
}
