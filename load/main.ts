/**
 * The load generator's command: reads the command line, makes the load, shows it while it runs and when it is over.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { type LoadArguments, readArguments, USAGE } from "./arguments.ts";
import { type LoadOptions, LoadOptionsError } from "./options.ts";
import { startLoad } from "./run.ts";
import { progressLine, summary } from "./summary.ts";

const encoder = new TextEncoder();
/** What begins a line of a terminal anew (ECMA-48, EL). */
const AGAIN = "\r\x1b[K";

try {
  const asked = readArguments(Deno.args);
  if (asked.isHelp) console.log(USAGE);
  else Deno.exit(await load(asked));
} catch (error) {
  console.error(`load: ${(error as Error).message}`);
  Deno.exit(error instanceof LoadOptionsError ? 2 : 1);
}

/** @returns The exit code */
async function load(asked: LoadArguments): Promise<number> {
  const isLive = !asked.isJson && Deno.stderr.isTerminal();
  const running = startLoad({
    ...await optionsOf(asked),
    onProgress: (sample) => {
      if (isLive) Deno.stderr.writeSync(encoder.encode(AGAIN + progressLine(sample)));
    },
  });
  const stop = () => {
    running.stop();
    // Once more, and it ends without a word.
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
  };
  const signals: Deno.Signal[] = ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  const report = await running.report;
  if (isLive) Deno.stderr.writeSync(encoder.encode(AGAIN));
  console.log(asked.isJson ? JSON.stringify(report) : summary(report));
  return report.requests.answered > 0 ? 0 : 1;
}

async function optionsOf(asked: LoadArguments): Promise<LoadOptions> {
  const { pathsFile, statuses, length, oracle, isHelp: _, isJson: __, ...options } = asked;
  return {
    ...options,
    paths: pathsFile === undefined ? null : await pathsIn(pathsFile),
    expect: {
      statuses,
      length,
      oracle: oracle === undefined ? undefined : pathToFileURL(oracle),
    },
  };
}

/** The lines of a file that are not empty. */
async function pathsIn(file: string): Promise<string[]> {
  try {
    const text = await Deno.readTextFile(file);
    return text.split(/\r?\n/).filter((line) => line !== "");
  } catch (error) {
    throw new LoadOptionsError(`--paths: ${file} cannot be read: ${(error as Error).message}`);
  }
}
