/**
 * Overload: from a few connections to four times the limit, with no limit, with 503 past it, and with a reset by the
 * packet filter past it, on io_uring and on Deno.serve. Who is refused tries again after 100 ms. Service and client are
 * on two hosts, network namespaces with a core each; without root there is loopback, and no packet filter.
 * `deno task bench:stress [--quick] [--pause=100]`
 *
 * @module
 */
import { transportProblem } from "../native/mod.ts";
import type { LoadSecond } from "./load_client.ts";
import { chart, type Figures, figuresOf, recordSeconds } from "./overload_seconds.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { ServiceHosts } from "./service_hosts.ts";
import { median } from "./statistics.ts";

const quick = Deno.args.includes("--quick");
/** Milliseconds until who was refused tries again. */
const pauseMs = Number(Deno.args.find((arg) => arg.startsWith("--pause="))?.slice(8) ?? "100");
const LIMIT = 500;
const STEPS = quick ? [500, 2_000] : [100, 250, 500, 1_000, 1_500, 2_000];
const HIGHEST = STEPS.at(-1)!;
const SECONDS = quick ? 2 : 3;
const ROUNDS = quick ? 1 : 3;
/** Seconds at the start of a step that are shown and do not count: connections are made then. */
const SETTLING = 1;
const TIMEOUT_MS = 5_000;

/** What is shown by the number of connections. */
const RAMPS = [
  ["requests_per_second", "requests/s", "requestsPerSecond"],
  ["p99_ms", "ms", "p99Ms"],
  ["refused_per_second", "connections/s", "refusedPerSecond"],
] as const;

/** A transport with a way to shed. */
interface Contender {
  name: string;
  transport: "uring" | "deno";
  shed: "none" | "app" | "kernel";
  rounds: Round[];
}

/** One climb up the steps. */
interface Round {
  seconds: LoadSecond[];
  steps: (Figures & { cpuMicroseconds: number })[];
  peakMegabytes: number;
}

using samples = Samples.open();
const contenders: Contender[] = [];
{
  await using hosts = await ServiceHosts.open();
  if (hosts.problem !== null) {
    console.log(`On loopback and without the packet filter, since ${hosts.problem}`);
  }
  for (const [transport, name] of [["uring", "io_uring"], ["deno", "Deno.serve"]] as const) {
    const problem = transport === "deno" ? null : transportProblem(transport);
    if (problem !== null) {
      console.log(`${name} is left out: ${problem}`);
      continue;
    }
    for (const shed of ["none", "app", "kernel"] as const) {
      if (shed === "kernel" && hosts.problem !== null) continue;
      contenders.push({ name: `${name}, ${shed}`, transport, shed, rounds: [] });
    }
  }
}
const run = samples.begin("stress", {
  quick,
  partial: pauseMs !== 100,
  settings: { limit: LIMIT, connections: HIGHEST, steps: STEPS, seconds: SECONDS, pauseMs },
});
for (let round = 0; round < ROUNDS; round++) {
  for (const contender of contenders) contender.rounds.push(await climb(contender));
}
for (const contender of contenders) {
  print(contender);
  record(contender);
}
run.end();
printTargets();

async function climb({ transport, shed }: Contender): Promise<Round> {
  await using hosts = await ServiceHosts.open();
  const service = await hosts.startService({
    transport,
    environment: { SHED: shed, CONNECTION_LIMIT: String(LIMIT) },
  });
  const load = await hosts.startLoad(service, {
    connections: STEPS[0],
    connectionsMax: HIGHEST,
    durationMs: 600_000,
    timeoutMs: TIMEOUT_MS,
    reconnect: { pauseMs, attemptsMax: 1_000_000 },
  });
  const round: Round = { seconds: [], steps: [], peakMegabytes: 0 };
  for (const connections of STEPS) {
    await load.setConnections(connections);
    round.seconds.push(...await load.seconds(SETTLING));
    const before = await service.process.cpuMicroseconds();
    const counted = await load.seconds(SECONDS - SETTLING);
    const cpu = await service.process.cpuMicroseconds() - before;
    round.seconds.push(...counted);
    const answers = counted.reduce((sum, { load }) => sum + load.answered - load.status503, 0);
    if (answers === 0) throw new Error(`nothing was served with ${connections} connections`);
    round.steps.push({ ...figuresOf(counted), cpuMicroseconds: cpu / answers });
  }
  await load.stop();
  round.peakMegabytes = await service.process.peakMegabytes();
  return round;
}

function record({ name, rounds }: Contender): void {
  STEPS.forEach((connections, i) => {
    const steps = rounds.map(({ steps }) => steps[i]);
    if (connections === LIMIT) recordLoad(run, name, "at the limit", steps);
    if (connections === HIGHEST) recordLoad(run, name, "4 times the limit", steps);
    for (const [measure, unit, figure] of RAMPS) {
      const value = median(steps.map((step) => step[figure]));
      const common = { subject: name, workload: "ramp", measure, unit, value };
      run.series({ ...common, x: connections, xUnit: "connections" });
    }
  });
  rounds.forEach((round) => {
    const { shareOfPeak, p99Ratio } = targets(round);
    const sample = (measure: string, unit: string, value: number) =>
      run.record({ subject: name, workload: "4 times the limit", measure, unit, value });
    sample("share_of_peak", "%", shareOfPeak * 100);
    sample("p99_over_that_at_the_limit", "", p99Ratio);
    sample("refused_per_second", "connections/s", round.steps.at(-1)!.refusedPerSecond);
    sample("peak_mb", "MiB", round.peakMegabytes);
  });
  recordSeconds(run, name, "over time", rounds[0].seconds);
}

/** What is asked of a way to shed: how much of its best is left at the highest step, and how much later answers come. */
function targets({ steps }: Round): { shareOfPeak: number; p99Ratio: number } {
  const most = steps.at(-1)!;
  return {
    shareOfPeak: most.requestsPerSecond / Math.max(...steps.map((step) => step.requestsPerSecond)),
    p99Ratio: most.p99Ms / steps[STEPS.indexOf(LIMIT)].p99Ms,
  };
}

function print({ name, rounds }: Contender): void {
  console.log(`\n${name}`);
  const row = (cells: string[]) => console.log(cells.map((cell) => cell.padStart(12)).join(""));
  row(["connections", "answered/s", "p50 ms", "p99 ms", "refused/s", "CPU µs"]);
  STEPS.forEach((connections, i) => {
    const figure = (name: keyof Round["steps"][number], digits: number) =>
      median(rounds.map(({ steps }) => steps[i][name])).toFixed(digits);
    row([
      String(connections),
      figure("requestsPerSecond", 0),
      figure("p50Ms", 1),
      figure("p99Ms", 1),
      figure("refusedPerSecond", 0),
      figure("cpuMicroseconds", 1),
    ]);
  });
  console.log(chart(rounds[0].seconds, ["requests_per_second", "p99_ms", "refused_per_second"]));
}

function printTargets(): void {
  console.log(`\n${"with 4 times the limit".padEnd(22)}  % of peak  p99 / at the limit  MiB`);
  for (const { name, rounds } of contenders) {
    const share = median(rounds.map((round) => targets(round).shareOfPeak)) * 100;
    const ratio = median(rounds.map((round) => targets(round).p99Ratio));
    const megabytes = median(rounds.map(({ peakMegabytes }) => peakMegabytes));
    console.log(
      `${name.padEnd(22)} ${share.toFixed(1).padStart(10)} ${ratio.toFixed(2).padStart(19)} ${
        String(megabytes).padStart(4)
      }`,
    );
  }
}
