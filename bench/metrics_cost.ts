/**
 * What metrics cost: CPU for a request with answers counted and not counted, in turns, and a scrape. The servers that
 * are compared are those of the range benches; the scrape is the service's own. Needs wrk and taskset.
 * `deno task bench:metrics [--quick] [--help]`
 *
 * @module
 */
import { transportProblem } from "../native/mod.ts";
import { type StatisticsLayout, ThreadStatistics } from "../native/statistics.ts";
import { DURATION_BUCKETS } from "../telemetry/mod.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { EVENTS_QUICK, rangePaths } from "./range_events.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { ServiceHosts } from "./service_hosts.ts";
import { START_FLAGS } from "./start_flags.ts";
import { median, ratio } from "./statistics.ts";
import { CONNECTIONS, runWrk, writeWrkScript } from "./wrk.ts";

const { quick } = readBenchArguments({});
const ROUNDS = quick ? 3 : 11;
const SECONDS = quick ? 1 : 3;
const SCRAPES = quick ? 50 : 200;
const SERVER_CORE = 0, CLIENT_CORE = 1;
const PATHS = 10_000;
/** Answers counted with nothing around them. */
const ANSWERS = 2_000_000;

/** A server that counts, or not. */
interface Contender {
  isCounted: boolean;
  process: MeasuredProcess;
  port: number;
  rounds: { requestsPerSecond: number; cpuMicroseconds: number }[];
}

using samples = Samples.open();
const run = samples.begin("metrics", {
  quick,
  settings: { rounds: ROUNDS, seconds: SECONDS, scrapes: SCRAPES, connections: CONNECTIONS },
});
const script = await writeWrkScript(rangePaths(PATHS, EVENTS_QUICK));
for (const [transport, name] of [["uring", "io_uring"], ["deno", "Deno.serve"]] as const) {
  const problem = transport === "deno" ? null : transportProblem(transport);
  if (problem !== null) {
    console.log(`${name} is left out: ${problem}`);
    continue;
  }
  await compare(transport, name);
  await scrape(transport, name);
}
await Deno.remove(script);
countAlone();
run.end();

async function compare(transport: string, name: string): Promise<void> {
  await using started = new AsyncDisposableStack();
  const contenders: Contender[] = [];
  for (const isCounted of [true, false]) {
    const process = started.use(
      new MeasuredProcess(SERVER_CORE, [
        ...START_FLAGS,
        new URL("catalogue_server.ts", import.meta.url).pathname,
        ...[String(EVENTS_QUICK), transport, isCounted ? "counted" : "uncounted"],
      ]),
    );
    const [, port] = await process.line(/"port":(\d+)/);
    contenders.push({ isCounted, process, port: Number(port), rounds: [] });
  }
  // The first round warms up and does not count; then they take turns at going first.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const { process, port, rounds } = contender;
      const before = await process.cpuMicroseconds();
      const url = `http://127.0.0.1:${port}`;
      const load = await runWrk({ url, script, seconds: SECONDS, core: CLIENT_CORE });
      const used = await process.cpuMicroseconds() - before;
      if (round > 0) rounds.push({ ...load, cpuMicroseconds: used / load.requests });
    }
  }
  for (const { isCounted, rounds } of contenders) {
    recordLoad(run, `${name}, ${isCounted ? "counted" : "not counted"}`, "ranges", rounds);
  }
  const [counted, uncounted] = contenders.map(({ rounds }) =>
    rounds.map(({ cpuMicroseconds }) => cpuMicroseconds)
  );
  const { median: times, min, max } = ratio(counted, uncounted);
  const percent = (value: number) => `${((value - 1) * 100).toFixed(1)} %`;
  console.log(
    `${name.padEnd(12)} ${median(counted).toFixed(2)} µs CPU a request counted, ${
      median(uncounted).toFixed(2)
    } not: ${percent(times)} more (${percent(min)} to ${percent(max)} in ${ROUNDS} rounds)`,
  );
}

/** CPU of the service for a scrape of /metrics; once a second, it is that share of a core. */
async function scrape(transport: "uring" | "deno", name: string): Promise<void> {
  await using hosts = ServiceHosts.onLoopback();
  const { process, metricsUrl } = await hosts.startService({ transport });
  const scrapes = async (count: number) => {
    for (let n = 0; n < count; n++) await (await fetch(metricsUrl)).text();
  };
  await scrapes(SCRAPES);
  const before = await process.cpuMicroseconds();
  await scrapes(SCRAPES);
  const milliseconds = (await process.cpuMicroseconds() - before) / SCRAPES / 1_000;
  run.record({
    ...{ subject: name, workload: "scrape", measure: "cpu_ms", unit: "ms" },
    value: milliseconds,
  });
  console.log(
    `${name.padEnd(12)} ${milliseconds.toFixed(2)} ms CPU a scrape: ${
      (milliseconds / 10).toFixed(2)
    } % of a core at one a second`,
  );
}

/** What a listener's thread does to count an answer, with nothing around it; the dearest case, one answer in a turn. */
function countAlone(): void {
  const layout: StatisticsLayout = {
    routes: [{ path: "/search", method: "GET" }],
    durationBounds: DURATION_BUCKETS,
  };
  const statistics = new ThreadStatistics(ThreadStatistics.allocate(layout), layout);
  const count = () => {
    const begun = performance.now();
    for (let n = 0; n < ANSWERS; n++) {
      statistics.answered(0, false, 200);
      statistics.endTurn(0.0005);
    }
    return (performance.now() - begun) * 1e6 / ANSWERS;
  };
  const nanoseconds = median(Array.from({ length: 5 }, count));
  run.record({
    ...{ subject: "counting alone", workload: "an answer a turn", measure: "ns", unit: "ns" },
    value: nanoseconds,
  });
  console.log(`counting alone: ${nanoseconds.toFixed(1)} ns an answer`);
}
