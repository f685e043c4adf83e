/**
 * What requests notice of publishing: latencies of /search on 100,000 events at rest, with one core kept busy by
 * something that has nothing to do with the service, and while editions with 1 % of the events changed are published
 * one after the other. What publishing costs above a busy core, the service could do better. Once with 5,000 requests/s, each at its time whatever the
 * others take, and once with wrk's 64 connections that ask as fast as they can. Nothing is pinned: server, builder and
 * client share the machine's cores. In the end the answers must be those of the last edition. Needs wrk.
 * `deno task bench:publish [--quick]`
 *
 * @module
 */
import { checkAnswers } from "./checked_answers.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { median } from "./statistics.ts";
import type { OpenLoopFigures } from "./open_loop.ts";
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
import { runWrk, writeWrkScript } from "./wrk.ts";

const quick = Deno.args.includes("--quick");
const count = quick ? EVENTS_QUICK : EVENTS;
const rounds = quick ? 1 : 5;
const seconds = quick ? 1 : 3;
const REQUESTS_PER_SECOND = 5_000;
const PATHS = 10_000;
const PATHS_CHECKED = 200;
const LIMIT_MS = 30_000;

/** Latencies in milliseconds, by what they are. */
type Latencies = Record<"p50" | "p99" | "max" | "client late", number>;

/** The same load at rest, beside a busy core, and while editions are published. */
interface Round {
  rest: Latencies;
  busy: Latencies;
  publishing: Latencies;
}

using samples = Samples.open();
const run = samples.begin("publish", {
  quick,
  settings: { rounds, seconds, events: count, requestsPerSecond: REQUESTS_PER_SECOND },
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
const pathsFile = `${folder}/paths.json`;
await Deno.writeTextFile(pathsFile, JSON.stringify(paths));
const script = await writeWrkScript(paths);
started.defer(() => Deno.remove(script));

const server = started.use(
  new MeasuredProcess(null, [...START_FLAGS, here("catalogue_server.ts"), String(count)]),
);
const port = Number((await server.line(/"port":(\d+)/))[1]);
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
  load: () => Promise<Latencies>,
): Promise<void> {
  const all: Round[] = [];
  // In a full run the first round warms up and does not count.
  for (let round = quick ? 1 : 0; round <= rounds; round++) {
    const rest = await load();
    const busy = await besideBusyCore(load);
    const { latencies: publishing, editions } = await whilePublishing(load);
    if (editions === 0) throw new Error("no edition was published during the load");
    if (round > 0) all.push({ rest, busy, publishing });
  }
  for (const state of ["rest", "busy", "publishing"] as const) {
    const rounds = all.map((round) => round[state])
      .map(({ p50, p99, max }) => ({ p50Ms: p50, p99Ms: p99, maxMs: max }));
    recordLoad(run, SUBJECTS[state], workload, rounds);
  }
  const figure = (state: keyof Round, name: keyof Latencies) =>
    median(all.map((round) => round[state][name]));
  row(what, ["at rest", "core busy", "publishing", "to rest", "to busy"]);
  for (const name of ["p50", "p99", "max", "client late"] as const) {
    if (figure("rest", name) === 0) continue;
    const ratio = (state: "rest" | "busy") =>
      median(all.map((round) => round.publishing[name] / round[state][name]));
    row(`  ${name}`, [
      ...(["rest", "busy", "publishing"] as const).map((state) =>
        `${figure(state, name).toFixed(2)} ms`
      ),
      `x ${ratio("rest").toFixed(2)}`,
      `x ${ratio("busy").toFixed(2)}`,
    ]);
  }
  console.log();
}

async function besideBusyCore(load: () => Promise<Latencies>): Promise<Latencies> {
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
  load: () => Promise<Latencies>,
): Promise<{ latencies: Latencies; editions: number }> {
  await server.write("publish");
  const latencies = await load();
  await server.write("stop");
  const [line] = await server.line(/^\{"version".*\}$/, LIMIT_MS);
  const published: { version: number; tookMs: number[] } = JSON.parse(line);
  version = published.version;
  tookMs.push(...published.tookMs);
  return { latencies, editions: published.tookMs.length };
}

async function openLoop(): Promise<Latencies> {
  const client = [Deno.execPath(), "run", "--no-prompt", "--allow-net", "--allow-read"].concat(
    here("open_loop.ts"),
    [port, REQUESTS_PER_SECOND, seconds].map(String),
    pathsFile,
  );
  // Its own waiting for a core is no latency of the server's; who is not root measures it too.
  const [program, ...args] = Deno.uid() === 0 ? ["nice", "-n", "-10", ...client] : client;
  const { stdout, success } = await new Deno.Command(program, { args, stderr: "inherit" }).output();
  if (!success) throw new Error("the client with a constant rate failed");
  const figures: OpenLoopFigures = JSON.parse(new TextDecoder().decode(stdout));
  return {
    "p50": figures.p50Ms,
    "p99": figures.p99Ms,
    "max": figures.maxMs,
    "client late": figures.lateP99Ms,
  };
}

async function closedLoop(): Promise<Latencies> {
  const url = `http://127.0.0.1:${port}`;
  const { p50Ms, p99Ms, maxMs } = await runWrk({ url, script, seconds, core: null });
  return { "p50": p50Ms, "p99": p99Ms, "max": maxMs, "client late": 0 };
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
