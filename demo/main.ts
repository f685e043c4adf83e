/**
 * The demo provider's command line; `--help` tells the options.
 *
 * @module
 */

import type { FaultName } from "./faults.ts";
import type { Vocabulary } from "./feed.ts";
import { FAULT_NAMES, type RunningDemoProvider, serveDemoProvider } from "./mod.ts";

const OPTIONS: Record<string, string> = {
  "port": "port to listen on, 0 for any free one (8090)",
  "host": "address to listen on (127.0.0.1)",
  "plans": "how many plans the feed lists, up to 1000000 (600)",
  "seed": "another number is another season (1)",
  "vocabulary": "plan, or event for the older vocabulary of the feed (plan)",
  "fault": `how the feed fails (none): ${FAULT_NAMES.join(", ")}`,
  "bad-plans": "how many plans cannot be read (3)",
  "change-share": "fraction of plans that change every ten minutes; 0 freezes the season (0.005)",
  "season-speed": "times faster than the clock that the season goes; 0 freezes the clock (1)",
  "latency-scale": "what the delays of latency and flaky are multiplied with (1)",
};

const HELP = `Serves the demo provider's feed.

${Object.entries(OPTIONS).map(([name, text]) => `  --${name.padEnd(14)} ${text}`).join("\n")}
  --help           this
`;

if (import.meta.main) main(Deno.args);

function main(args: string[]): void {
  let running: RunningDemoProvider;
  try {
    const values = read(args);
    if (!values) return console.log(HELP);
    running = serve(values);
  } catch (error) {
    if (error instanceof RangeError) fail(2, `${error.message} (--help tells the options)`);
    const reason = error instanceof Error ? error.message : error;
    fail(1, `cannot listen: ${reason} (give another --host or --port)`);
  }
  console.log(`The demo provider listens on ${running.url}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => void running.shutdown().then(() => Deno.exit(0)));
  }
}

function serve(values: Map<string, string>): RunningDemoProvider {
  return serveDemoProvider({
    port: port(values.get("port") ?? "8090"),
    hostname: values.get("host") ?? "127.0.0.1",
    plans: number(values, "plans"),
    seed: number(values, "seed"),
    vocabulary: values.get("vocabulary") as Vocabulary | undefined,
    fault: values.get("fault") as FaultName | undefined,
    badPlans: number(values, "bad-plans"),
    changeShare: number(values, "change-share"),
    seasonSpeed: number(values, "season-speed"),
    latencyScale: number(values, "latency-scale"),
  });
}

/** The options given as `--name value` or `--name=value`, or undefined if help is wanted. */
function read(args: string[]): Map<string, string> | undefined {
  const values = new Map<string, string>();
  // `deno task provider -- --port 0` hands the two dashes on.
  const rest = args[0] === "--" ? args.slice(1) : [...args];
  while (rest.length > 0) {
    const argument = rest.shift()!;
    const [, name, inline] = argument.match(/^--([a-z-]+)(?:=(.*))?$/s) ?? [];
    if (name === "help") return undefined;
    if (name === undefined || !Object.hasOwn(OPTIONS, name)) {
      throw new RangeError(`unknown argument ${JSON.stringify(argument)}`);
    }
    const value = inline ?? rest.shift();
    if (!value) throw new RangeError(`--${name} needs a value`);
    values.set(name, value);
  }
  return values;
}

function number(values: Map<string, string>, name: string): number | undefined {
  const value = values.get(name);
  if (value === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value);
  throw new RangeError(`--${name} is ${JSON.stringify(value)}: give a number`);
}

function port(value: string): number {
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
  throw new RangeError(`--port is ${JSON.stringify(value)}: give a whole number from 0 to 65535`);
}

function fail(code: number, message: string): never {
  console.error(`demo provider: ${message}`);
  Deno.exit(code);
}
