/**
 * The journey: each step of the design under the same workload, random one-day ranges over 100,000 events, so that
 * what a step gained is measured and not remembered. A list of Deno KV for each request; an array with an index;
 * answers kept; editions, all on Deno.serve; then the listener on io_uring with a constant, with editions, and with
 * compressed ones. Kept connections and a connection for each request, from 1 connection to 500. One run, server and
 * client on a core each, medians of interleaved rounds. First of all, every server must give the same answers. Needs
 * taskset.
 * `deno task bench:journey [--quick] [--help]`
 *
 * @module
 */
import type { LoadReport } from "../load/mod.ts";
import { transportProblem } from "../native/mod.ts";
import { checkAnswers } from "./checked_answers.ts";
import {
  type JourneyArguments,
  JourneyArgumentsError,
  readJourneyArguments,
  USAGE,
  type Workload,
} from "./journey/arguments.ts";
import type { ClientJob } from "./journey/client.ts";
import { ANSWERS_KEPT, type ServerInputs, type Variant } from "./journey/variants.ts";
import { MeasuredProcess } from "./measured_process.ts";
import {
  EVENTS,
  EVENTS_QUICK,
  expectedAnswers,
  rangeEvents,
  rangePaths,
  toResultsJson,
} from "./range_events.ts";
import { type MeasuredLoad, MEASURES, recordLoad } from "./record_load.ts";
import { type Run, Samples } from "./samples.ts";
import { START_FLAGS } from "./start_flags.ts";
import { median } from "./statistics.ts";

/** More ranges than answers are kept, drawn from three million: what comes again does so by chance. */
const PATHS = 50_000;
const PATHS_CHECKED = 200;
const WARMUP_MS = 1_000;
const WARMUP_MS_QUICK = 300;
/** A machine that is busy with other things is slow, not wrong. */
const TIMEOUT_MS = 30_000;
/** How much longer than its bound a load may take before its client counts as lost. */
const CLIENT_LATE_MS_MAX = 60_000;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

const COLUMNS = [
  "requests/s",
  "CPU µs",
  "CPU %",
  "p50 ms",
  "p99 ms",
  "wire bytes",
  "errors",
  "requests",
];

/** A server that listens. */
interface Running {
  process: MeasuredProcess;
  port: number;
}

/** A step that takes part. */
interface Contender extends Running {
  variant: Variant;
  /** Mean bytes of the bodies that were checked. */
  bodyBytes: number;
  /** Requests so far: the next load goes on behind them. */
  sent: number;
}

type Round = Required<Omit<MeasuredLoad, "maxMs">> & {
  /** How much of its core the server had. */
  cpuPercent: number;
  requests: number;
};

/** Everything at one number of connections. */
interface Cell {
  workload: Workload;
  connections: number;
}

const asked = readArgumentsOrExit();
if (asked === null) console.log(USAGE);
else await measureJourney(asked);

function readArgumentsOrExit(): JourneyArguments | null {
  try {
    return readJourneyArguments(Deno.args);
  } catch (error) {
    if (!(error instanceof JourneyArgumentsError)) throw error;
    console.error(`journey: ${error.message}`);
    Deno.exit(2);
  }
}

async function measureJourney(asked: JourneyArguments): Promise<void> {
  const { isQuick, isPartial, requests, secondsMax, workloads, concurrencies } = asked;
  const count = isQuick ? EVENTS_QUICK : EVENTS;
  const rounds = isQuick ? 1 : 5;
  using samples = Samples.open();
  const run = samples.begin("journey", {
    quick: isQuick,
    partial: isPartial,
    settings: {
      ...{ events: count, paths: PATHS, answersKept: ANSWERS_KEPT },
      ...{ requests, secondsMax, rounds, concurrencies },
    },
  });
  await using started = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  started.defer(() => Deno.remove(folder, { recursive: true }));

  const paths = rangePaths(PATHS, count);
  const contenders = await startContenders(started, asked.variants, { folder, count, paths });
  const pathsFile = `${folder}/paths.txt`;
  await Deno.writeTextFile(pathsFile, paths.join("\n"));
  const client = started.use(
    new MeasuredProcess(CLIENT_CORE, [
      ...["--allow-net", "--allow-read", "--allow-ffi", here("journey/client.ts"), pathsFile],
    ]),
  );
  console.log(
    `${count} events; ${PATHS} random one-day ranges; ${requests} requests a cell, or as many as ${secondsMax} s ` +
      `have time for, in ${rounds} rounds; server and client on a core each`,
  );

  const load = (contender: Contender, cell: Cell, share: { requests: number; ms: number }) =>
    measure(client, contender, cell, share);
  const share = { requests: Math.ceil(requests / rounds), ms: secondsMax * 1_000 / rounds };
  const warmup = { requests: share.requests, ms: isQuick ? WARMUP_MS_QUICK : WARMUP_MS };
  for (const workload of workloads) {
    for (const connections of concurrencies) {
      const cell = { workload, connections };
      const measured = new Map<Contender, Round[]>(contenders.map((one) => [one, []]));
      for (const contender of contenders) await load(contender, cell, warmup);
      for (let round = 0; round < rounds; round++) {
        for (const [contender, taken] of measured) {
          taken.push(await load(contender, cell, share));
        }
      }
      print(cell, measured);
      for (const [{ variant }, taken] of measured) record(run, variant, cell, taken);
    }
  }
  for (const { variant, bodyBytes } of contenders) {
    const named = { subject: variant.subject, workload: variant.coding };
    run.record({ ...named, measure: "body_bytes", unit: "bytes", value: bodyBytes });
  }
  await recordKept(run, contenders);
  run.end();
}

/**
 * Starts the servers, each on the servers' core, and compares their answers with those of the definition.
 *
 * @throws {Error} If one gives another answer
 */
async function startContenders(
  started: AsyncDisposableStack,
  variants: readonly Variant[],
  { folder, count, paths }: { folder: string; count: number; paths: readonly string[] },
): Promise<Contender[]> {
  const events = rangeEvents(count);
  const checked = paths.slice(0, PATHS_CHECKED);
  const bodies = expectedAnswers(events, checked);
  const bytes = bodies.reduce((sum, body) => sum + new TextEncoder().encode(body).length, 0);
  const inputs: ServerInputs = {
    events: count,
    results: `${folder}/results.json`,
    folder,
    bodyBytes: Math.round(bytes / bodies.length),
  };
  await Deno.writeTextFile(inputs.results, toResultsJson(events));
  const contenders: Contender[] = [];
  const servers = new Map<string, Running>();
  for (const variant of variants) {
    const problem = variant.transport === null ? null : transportProblem(variant.transport);
    if (problem !== null) {
      console.log(`${variant.name} is left out: ${problem}`);
      continue;
    }
    const running = servers.get(variant.server) ?? await start(started, variant.command(inputs));
    servers.set(variant.server, running);
    const bodyBytes = variant.isSearch
      ? (await checkAnswers(running.port, checked, bodies, variant.coding)).meanBytes
      : inputs.bodyBytes;
    contenders.push({ ...running, variant, bodyBytes, sent: 0 });
  }
  if (contenders.length === 0) throw new Error("there is no server to measure");
  console.log(`${PATHS_CHECKED} answers of each server are those of domain/search.ts`);
  return contenders;
}

async function start(
  started: AsyncDisposableStack,
  [program, ...args]: string[],
): Promise<Running> {
  const process = new MeasuredProcess(SERVER_CORE, [...START_FLAGS, here(program), ...args]);
  started.use(process);
  const [, port] = await process.line(/"port":(\d+)/);
  return { process, port: Number(port) };
}

/** Makes one load and sees what it cost the server. */
async function measure(
  client: MeasuredProcess,
  contender: Contender,
  { workload, connections }: Cell,
  { requests, ms }: { requests: number; ms: number },
): Promise<Round> {
  const { process, port, variant, bodyBytes } = contender;
  const pathsMax = variant.pathsMax ?? PATHS;
  const job: ClientJob = {
    options: {
      url: `http://127.0.0.1:${port}/`,
      connections,
      close: workload === "connection per request",
      requests,
      durationMs: ms,
      timeoutMs: TIMEOUT_MS,
      headers: { "Accept-Encoding": variant.coding },
      expect: { statuses: [200] },
    },
    pathsMax,
    first: contender.sent % pathsMax,
    pathname: variant.isSearch ? "/search" : "/answer",
  };
  const before = await process.cpuMicroseconds();
  await client.write(JSON.stringify(job));
  const [line] = await client.line(/^\{.*\}$/, ms + TIMEOUT_MS + CLIENT_LATE_MS_MAX);
  const used = await process.cpuMicroseconds() - before;
  const report: LoadReport = JSON.parse(line);
  const { answered, sent } = report.requests;
  contender.sent += sent;
  const wireBytes = report.bytes.received / answered;
  if (!(wireBytes >= bodyBytes * 0.9)) {
    throw new Error(
      `${variant.name} sent ${wireBytes} bytes an answer under load, not ${bodyBytes} and a head: ${
        report.examples.join("; ")
      }`,
    );
  }
  return {
    requestsPerSecond: report.rate,
    cpuMicroseconds: used / answered,
    cpuPercent: used / report.elapsedMs / 10,
    p50Ms: report.latency.p50Ms,
    p99Ms: report.latency.p99Ms,
    wireBytes,
    errors: report.errorsTotal,
    requests: answered,
  };
}

function record(run: Run, { subject }: Variant, cell: Cell, rounds: readonly Round[]): void {
  const { workload, connections } = cell;
  const unitOf = connections === 1 ? "connection" : "connections";
  recordLoad(run, subject, `${workload}, ${connections} ${unitOf}`, rounds);
  for (const figure of ["requestsPerSecond", "cpuMicroseconds", "p50Ms", "p99Ms"] as const) {
    const [measure, unit] = MEASURES[figure];
    const value = median(rounds.map((round) => round[figure]));
    run.series({ subject, workload, measure, unit, x: connections, xUnit: "connections", value });
  }
}

/** Takes down how many answers the caches had, warm-up and all. */
async function recordKept(run: Run, contenders: readonly Contender[]): Promise<void> {
  for (const { process, variant } of contenders) {
    if (!variant.name.startsWith("cached")) continue;
    await process.write("kept");
    const [, kept, asked] = await process.line(/"kept":(\d+),"asked":(\d+)/);
    const value = 100 * Number(kept) / Number(asked);
    console.log(`${variant.subject}: ${value.toFixed(1)} % of the answers were kept ones`);
    const named = { subject: variant.subject, workload: "all", measure: "hit_rate", unit: "%" };
    run.record({ ...named, value });
  }
}

function print({ workload, connections }: Cell, measured: ReadonlyMap<Contender, Round[]>): void {
  const rows = [...measured].map(([{ variant }, rounds]) => {
    const of = (figure: keyof Round) => median(rounds.map((round) => round[figure]));
    const sum = (figure: keyof Round) => rounds.reduce((sum, round) => sum + round[figure], 0);
    return [
      variant.subject,
      of("requestsPerSecond").toFixed(0),
      of("cpuMicroseconds").toFixed(1),
      of("cpuPercent").toFixed(0),
      of("p50Ms").toFixed(2),
      of("p99Ms").toFixed(2),
      of("wireBytes").toFixed(0),
      String(sum("errors")),
      String(sum("requests")),
    ];
  });
  const title = `${workload}, ${connections} at a time`;
  console.log();
  for (const row of [[title, ...COLUMNS], ...rows]) {
    console.log(row.map((cell, i) => i === 0 ? cell.padEnd(38) : cell.padStart(12)).join(""));
  }
}

function here(file: string): string {
  return new URL(file, import.meta.url).pathname;
}
