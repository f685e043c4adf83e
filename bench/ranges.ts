/**
 * Random one-day ranges over 100,000 events: Marquee on each of its transports beside a Deno.serve that sends a constant of the
 * same size, one that filters and one that searches an array for Response.json, and fasthttp (Go) with json.Marshal
 * and with fragments; then compressed answers beside compressing each. One run, server and client on a core each,
 * medians of interleaved rounds. First of all, every server must give the same answers. Needs wrk and taskset, and go
 * for the servers in Go, which are left out without it.
 * `deno task bench:ranges [--quick]`
 *
 * @module
 */
import { checkAnswers } from "./checked_answers.ts";
import { transportProblem } from "../native/mod.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { median } from "./statistics.ts";
import {
  EVENTS,
  EVENTS_QUICK,
  expectedAnswers,
  rangeEvents,
  rangePaths,
  toResultsJson,
} from "./range_events.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { START_FLAGS } from "./start_flags.ts";
import { CONNECTIONS, type Load, medianOf, runWrk, writeWrkScript } from "./wrk.ts";

const quick = Deno.args.includes("--quick");
const count = quick ? EVENTS_QUICK : EVENTS;
const rounds = quick ? 1 : 5;
const seconds = quick ? 1 : 3;
const PATHS = 10_000;
const PATHS_CHECKED = 200;
/** How long the build of a peer may take, its modules fetched; then it is left out. */
const BUILD_MS_MAX = 120_000;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

const COLUMNS = [
  "requests/s",
  "CPU µs",
  "x constant",
  "x headers",
  "p50 ms",
  "p99 ms",
  "body bytes",
  "wire bytes",
];

type Coding = "identity" | "gzip";

const TRANSPORTS = [
  { transport: "uring", name: "io_uring" },
  { transport: "epoll", name: "epoll" },
  { transport: "deno", name: "Deno.serve" },
] as const;

/** A server that listens. */
interface Running {
  process: MeasuredProcess;
  port: number;
}

/** A server under measurement, or one way of asking it. */
interface Contender extends Running {
  name: string;
  /** What its samples are called, if not by its name. */
  subject?: string;
  coding: Coding;
  /** Mean bytes of the bodies that were checked. */
  bodyBytes: number;
  rounds: (Load & { cpuMicroseconds: number })[];
}

using samples = Samples.open();
const run = samples.begin("ranges", {
  quick,
  settings: { rounds, seconds, events: count, paths: PATHS, connections: CONNECTIONS },
});

await using started = new AsyncDisposableStack();
const folder = await Deno.makeTempDir();
started.defer(() => Deno.remove(folder, { recursive: true }));

const events = rangeEvents(count);
const paths = rangePaths(PATHS, count);
const checked = paths.slice(0, PATHS_CHECKED);
const bodies = expectedAnswers(events, checked);
const results = `${folder}/results.json`;
await Deno.writeTextFile(results, toResultsJson(events));

const contenders: Contender[] = [];
const hashes = new Set<string>();
const runningOn = new Map<string, Running>();
for (const { transport, name } of TRANSPORTS) {
  const problem = transport === "deno" ? null : transportProblem(transport);
  if (problem !== null) {
    console.log(`left out: ${problem}`);
    continue;
  }
  const flags = [...START_FLAGS, here("catalogue_server.ts"), String(count), transport];
  const running = await start(flags);
  runningOn.set(transport, running);
  await contend(`Marquee, ${name}`, running);
}
await contend("Deno.serve, array with an index", await startDenoPeer("index"));
await contend("Deno.serve, array filtered", await startDenoPeer("filter"));
const fasthttp = await buildFasthttp();
if (fasthttp !== null) {
  const ofFile = ["-file", results];
  await contend("fasthttp, json.Marshal", await startGo(fasthttp, ofFile));
  await contend("fasthttp, fragments", await startGo(fasthttp, [...ofFile, "-fragments"]));
}
for (const { transport, name } of TRANSPORTS) {
  const running = runningOn.get(transport);
  if (running !== undefined) await contend(`Marquee, ${name}`, running, "gzip");
}
await contend("Deno.serve, gzipSync a request", await startDenoPeer("index", "gzip"), "gzip");
if (hashes.size !== 1) throw new Error("the servers disagree, though each passed its check");
await addConstants("identity");
await addConstants("gzip");

const meanEvents = bodies.reduce((sum, body) => sum + JSON.parse(body).data.events.length, 0) /
  bodies.length;
console.log(
  `${count} events; ${PATHS} random one-day ranges, ${meanEvents.toFixed(1)} events a range; ` +
    `${rounds} rounds of ${seconds} s; wrk, ${CONNECTIONS} connections, one core each`,
);
console.log(
  `${PATHS_CHECKED} answers of each server are those of domain/search.ts, byte for byte: SHA-256 ${
    [...hashes][0]
  }`,
);

const scripts: Record<Coding, string> = {
  identity: await writeWrkScript(paths),
  gzip: await writeWrkScript(paths, { "accept-encoding": "gzip" }),
};
for (const script of Object.values(scripts)) started.defer(() => Deno.remove(script));
// In a full run the first round warms everything up and does not count.
for (let round = quick ? 1 : 0; round <= rounds; round++) {
  for (const contender of contenders) {
    const { process, port, coding, bodyBytes } = contender;
    const before = await process.cpuMicroseconds();
    const load = await runWrk({
      url: `http://127.0.0.1:${port}`,
      script: scripts[coding],
      seconds: round === 0 ? 1 : seconds,
      core: CLIENT_CORE,
    });
    const used = await process.cpuMicroseconds() - before;
    if (load.wireBytes < bodyBytes * 0.9) {
      throw new Error(`${contender.name} sent ${load.wireBytes} bytes an answer under load`);
    }
    if (round > 0) contender.rounds.push({ ...load, cpuMicroseconds: used / load.requests });
  }
}
for (const coding of ["identity", "gzip"] as const) print(coding);
for (const { name, subject = name, coding, bodyBytes, rounds } of contenders) {
  recordLoad(run, subject, coding, rounds);
  run.record({ subject, workload: coding, measure: "body_bytes", unit: "bytes", value: bodyBytes });
}
run.record({
  subject: "the ranges",
  workload: "identity",
  measure: "events_per_answer",
  unit: "events",
  value: meanEvents,
});
run.end();

/** Starts a process on the servers' core; it ends with the bench. */
async function start(
  ...[args, env, program]: [string[], Record<string, string>?, string[]?]
): Promise<Running> {
  const process = started.use(new MeasuredProcess(SERVER_CORE, args, env, program));
  const [, port] = await process.line(/"port":(\d+)/);
  return { process, port: Number(port) };
}

function startDenoPeer(...ways: string[]): Promise<Running> {
  return start(["--allow-net", "--allow-read", here("peers/deno_filter.ts"), results, ...ways]);
}

function startGo(binary: string, args: string[]): Promise<Running> {
  return start(args, { GOMAXPROCS: "1" }, [binary]);
}

/** @returns The binary, or `null` after saying why there is none */
async function buildFasthttp(): Promise<string | null> {
  const binary = `${folder}/fasthttp`;
  try {
    const { success, stderr } = await new Deno.Command("go", {
      args: ["build", "-o", binary, "."],
      cwd: here("peers/fasthttp"),
      signal: AbortSignal.timeout(BUILD_MS_MAX),
    }).output();
    if (success) return binary;
    console.log(`fasthttp is left out, go says:\n${new TextDecoder().decode(stderr)}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("fasthttp is left out: there is no go to build it with");
  }
  return null;
}

/** Has a server take part once its answers are right. */
async function contend(name: string, running: Running, coding: Coding = "identity") {
  const { sha256, meanBytes } = await checkAnswers(running.port, checked, bodies, coding);
  hashes.add(sha256);
  contenders.push({ ...running, name, coding, bodyBytes: meanBytes, rounds: [] });
}

/**
 * Has two servers take part, before all others, that send as many bytes as Marquee does on average: one with a single
 * header, one with as many headers as /search has.
 */
async function addConstants(coding: Coding): Promise<void> {
  const ours = contenders.find((contender) => contender.coding === coding)!;
  const bodyBytes = Math.round(ours.bodyBytes);
  const args = ["--allow-net", here("constant_server.ts"), String(bodyBytes)];
  const withHeaders = await start([...args, "--headers"]);
  const bare = await start(args);
  contenders.unshift(
    { ...bare, name: "Deno.serve, a constant", coding, bodyBytes, rounds: [] },
    {
      ...withHeaders,
      name: "  with the headers of /search",
      subject: "Deno.serve, a constant with the headers of /search",
      coding,
      bodyBytes,
      rounds: [],
    },
  );
}

function print(coding: Coding): void {
  const shown = contenders.filter((contender) => contender.coding === coding);
  const ratio = (rounds: Contender["rounds"], to: Contender["rounds"]) =>
    median(rounds.map(({ cpuMicroseconds }, i) => cpuMicroseconds / to[i].cpuMicroseconds))
      .toFixed(2);
  const rows = shown.map(({ name, bodyBytes, rounds }) => [
    name,
    medianOf(rounds, "requestsPerSecond").toFixed(0),
    median(rounds.map(({ cpuMicroseconds }) => cpuMicroseconds)).toFixed(1),
    ratio(rounds, shown[0].rounds),
    ratio(rounds, shown[1].rounds),
    medianOf(rounds, "p50Ms").toFixed(2),
    medianOf(rounds, "p99Ms").toFixed(2),
    bodyBytes.toFixed(0),
    medianOf(rounds, "wireBytes").toFixed(0),
  ]);
  console.log();
  for (const row of [[coding, ...COLUMNS], ...rows]) {
    console.log(row.map((cell, i) => i === 0 ? cell.padEnd(32) : cell.padStart(12)).join(""));
  }
}

function here(file: string): string {
  return new URL(file, import.meta.url).pathname;
}
