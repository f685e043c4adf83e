/**
 * What requests notice of publishing: latencies of /search on 100,000 events at rest, with one core kept busy by
 * something that has nothing to do with the service, and while editions with 1 % of the events changed are published
 * one after the other. What publishing costs above a busy core, the service could do better. Once with 5,000
 * requests/s, each at its time whatever the others take, and once with wrk's 64 connections that ask as fast as they
 * can. CPU for a request is that of the whole server: while editions are published, building them is in it. Nothing is
 * pinned: server, builder and client share the machine's cores. In the end the answers must be those of the last
 * edition. Needs wrk; without io_uring it is fetch that has to keep the rate.
 * `deno task bench:publish [--quick] [--help]`
 *
 * @module
 */
import type { LoadReport } from "../load/mod.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import { checkAnswers } from "./checked_answers.ts";
import type { ClientJob } from "./journey/client.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { median } from "./statistics.ts";
import {
  CHANGE_SETS,
  changedEvents,
  EVENTS,
  EVENTS_QUICK,
  expectedAnswers,
  rangeEvents,
  rangePaths,
} from "./range_events.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { START_FLAGS } from "./start_flags.ts";
import { CONNECTIONS, runWrk, writeWrkScript } from "./wrk.ts";

const { quick } = readBenchArguments({});
const count = quick ? EVENTS_QUICK : EVENTS;
const rounds = quick ? 1 : 5;
const seconds = quick ? 1 : 3;
const REQUESTS_PER_SECOND = 5_000;
/** What a client with a constant rate asks before it counts: it has to be compiled first. */
const WARM_UP_SECONDS = 0.5;
const PATHS = 10_000;
const PATHS_CHECKED = 200;
const LIMIT_MS = 30_000;

/** What one load showed. */
interface Figures {
  requestsPerSecond: number;
  /** Of the server for each request. */
  cpuMicroseconds: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** The 99th percentile of how long after its time a request was sent; 0 where requests have none. */
  lateP99Ms: number;
}

/** What the table shows of a load, with digits after the point. */
const ROWS: readonly [figure: keyof Figures, name: string, digits: number][] = [
  ["requestsPerSecond", "requests/s", 0],
  ["cpuMicroseconds", "CPU µs", 1],
  ["p50Ms", "p50 ms", 2],
  ["p99Ms", "p99 ms", 2],
  ["maxMs", "max ms", 2],
  ["lateP99Ms", "sent late, p99 ms", 2],
];

/** The same load at rest, beside a busy core, and while editions are published. */
interface Round {
  rest: Figures;
  busy: Figures;
  publishing: Figures;
}

using samples = Samples.open();
const run = samples.begin("publish", {
  quick,
  settings: {
    ...{ rounds, seconds, events: count },
    ...{ requestsPerSecond: REQUESTS_PER_SECOND, connections: CONNECTIONS },
  },
});
/** What the samples of a state are called. */
const SUBJECTS: Record<keyof Round, string> = {
  rest: "at rest",
  busy: "beside a busy core",
  publishing: "while publishing",
};

await using started = new AsyncDisposableStack();
const folder = await Deno.makeTempDir();
started.defer(() => Deno.remove(folder, { recursive: true }));
const paths = rangePaths(PATHS, count);
const pathsFile = `${folder}/paths.txt`;
await Deno.writeTextFile(pathsFile, paths.join("\n"));
const script = await writeWrkScript(paths);
started.defer(() => Deno.remove(script));

const server = started.use(
  new MeasuredProcess(null, [...START_FLAGS, here("catalogue_server.ts"), String(count)]),
);
const port = Number((await server.line(/"port":(\d+)/))[1]);
const client = started.use(startClient());
let version = 1;
const tookMs: number[] = [];

console.log(`${count} events, ${count / 100} of them changed an edition; random one-day ranges`);
console.log(
  `${rounds} rounds, ${seconds} s each at rest, beside a busy core, and while publishing\n`,
);
await compare("constant rate", `${REQUESTS_PER_SECOND} requests/s, each at its time`, openLoop);
await compare("as fast as they can", "wrk, 64 connections, as fast as they can", closedLoop);

const checked = paths.slice(0, PATHS_CHECKED);
const { sha256 } = await checkAnswers(port, checked, expectedAnswers(currentEvents(), checked));
console.log(
  `${version - 1} editions published, ${median(tookMs).toFixed(0)} ms each (median), ${
    Math.max(...tookMs).toFixed(0)
  } ms at most`,
);
console.log(`${PATHS_CHECKED} answers are those of the last edition: SHA-256 ${sha256}`);
for (const value of tookMs) {
  run.record({ subject: "Marquee", workload: "editions", measure: "took_ms", unit: "ms", value });
}
run.end();

async function compare(
  workload: string,
  what: string,
  load: () => Promise<Figures>,
): Promise<void> {
  const all: Round[] = [];
  // In a full run the first round warms up and does not count.
  for (let round = quick ? 1 : 0; round <= rounds; round++) {
    const rest = await load();
    const busy = await besideBusyCore(load);
    const { figures: publishing, editions } = await whilePublishing(load);
    if (editions === 0) throw new Error("no edition was published during the load");
    if (round > 0) all.push({ rest, busy, publishing });
  }
  for (const state of ["rest", "busy", "publishing"] as const) {
    recordLoad(run, SUBJECTS[state], workload, all.map((round) => round[state]));
  }
  row(what, ["at rest", "core busy", "publishing", "to rest", "to busy"]);
  for (const [figure, name, digits] of ROWS) {
    const of = (state: keyof Round) => median(all.map((round) => round[state][figure]));
    if (of("rest") === 0) continue;
    const ratio = (state: "rest" | "busy") =>
      median(all.map((round) => round.publishing[figure] / round[state][figure]));
    row(`  ${name}`, [
      ...(["rest", "busy", "publishing"] as const).map((state) => of(state).toFixed(digits)),
      `x ${ratio("rest").toFixed(2)}`,
      `x ${ratio("busy").toFixed(2)}`,
    ]);
  }
  console.log();
}

async function besideBusyCore(load: () => Promise<Figures>): Promise<Figures> {
  // Ends by itself if this process does not get to end it.
  const busy = new Deno.Command("timeout", {
    args: [String(LIMIT_MS / 1_000), "sh", "-c", "while :; do :; done"],
  }).spawn();
  try {
    return await load();
  } finally {
    busy.kill();
    await busy.status;
  }
}

async function whilePublishing(
  load: () => Promise<Figures>,
): Promise<{ figures: Figures; editions: number }> {
  await server.write("publish");
  const figures = await load();
  await server.write("stop");
  const [line] = await server.line(/^\{"version".*\}$/, LIMIT_MS);
  const published: { version: number; tookMs: number[] } = JSON.parse(line);
  version = published.version;
  tookMs.push(...published.tookMs);
  // What is compressed behind the last edition is none of the next load's CPU.
  await server.idle();
  return { figures, editions: published.tookMs.length };
}

/** The client with a constant rate. */
function startClient(): MeasuredProcess {
  const deno = [Deno.execPath(), "run", "--no-prompt"];
  return new MeasuredProcess(
    null,
    ["--allow-net", "--allow-read", "--allow-ffi", here("journey/client.ts"), pathsFile],
    {},
    // Its own waiting for a core is no latency of the server's; who is not root measures it too.
    Deno.uid() === 0 ? ["nice", "-n", "-10", ...deno] : deno,
  );
}

async function openLoop(): Promise<Figures> {
  const requests = REQUESTS_PER_SECOND * seconds;
  const job: ClientJob = {
    options: {
      url: `http://127.0.0.1:${port}/`,
      connections: CONNECTIONS,
      rate: REQUESTS_PER_SECOND,
      warmupMs: WARM_UP_SECONDS * 1_000,
      // All that are due are sent, however late.
      requests,
      durationMs: LIMIT_MS,
      timeoutMs: LIMIT_MS,
      expect: { statuses: [200] },
    },
    pathsMax: PATHS,
    first: 0,
    pathname: "/search",
  };
  const before = await server.cpuMicroseconds();
  await client.write(JSON.stringify(job));
  const [line] = await client.line(/^\{.*\}$/, 3 * LIMIT_MS);
  const used = await server.cpuMicroseconds() - before;
  const report: LoadReport = JSON.parse(line);
  if (report.requests.answered !== requests || report.errorsTotal > 0) {
    throw new Error(
      `${report.requests.answered} of ${requests} requests were answered: ${
        report.examples.join("; ") || `the server does not keep up with ${REQUESTS_PER_SECOND}/s`
      }`,
    );
  }
  return {
    requestsPerSecond: report.rate,
    // The server answered those of the warm-up, too.
    cpuMicroseconds: used / (requests + REQUESTS_PER_SECOND * WARM_UP_SECONDS),
    p50Ms: report.latency.p50Ms,
    p99Ms: report.latency.p99Ms,
    maxMs: report.latency.maxMs,
    lateP99Ms: report.open!.lateP99Ms,
  };
}

async function closedLoop(): Promise<Figures> {
  const url = `http://127.0.0.1:${port}`;
  const before = await server.cpuMicroseconds();
  const { requests, ...load } = await runWrk({ url, script, seconds, core: null });
  const used = await server.cpuMicroseconds() - before;
  return { ...load, cpuMicroseconds: used / requests, lateP99Ms: 0 };
}

/** The events as the last edition has them. */
function currentEvents() {
  const events = new Map(rangeEvents(count).map((event) => [event.id, event]));
  // Older editions than these were undone by them.
  for (let edition = Math.max(1, version - 2 * CHANGE_SETS); edition < version; edition++) {
    for (const event of changedEvents(edition, count)) events.set(event.id, event);
  }
  return [...events.values()];
}

function row(what: string, cells: string[]): void {
  console.log(what.padEnd(42) + cells.map((cell) => cell.padStart(12)).join(""));
}

function here(file: string): string {
  return new URL(file, import.meta.url).pathname;
}
