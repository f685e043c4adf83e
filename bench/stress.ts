/**
 * Overload: from a few connections to four times the limit, with no limit, with 503 past it, and with a reset by the
 * packet filter past it, on io_uring and on Deno.serve. Who is refused tries again after a second, as Retry-After says;
 * then the same with clients that try again after 100 ms. Service and client are on two hosts, network namespaces with
 * a core each; without root there is loopback, and no packet filter.
 * `deno task bench:stress [--quick] [--help]`
 *
 * @module
 */
import { transportProblem } from "../native/mod.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import { chart, type Figures, measureStep, recordSeconds, type Step } from "./overload_seconds.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { type Service, ServiceHosts } from "./service_hosts.ts";
import { median } from "./statistics.ts";

const { quick } = readBenchArguments({});
const LIMIT = 500;
const STEPS = quick ? [500, 2_000] : [100, 500, 1_000, 2_000];
const HIGHEST = STEPS.at(-1)!;
/** Milliseconds until who was refused tries again: as asked, and without patience. */
const PAUSE_MS = 1_000, IMPATIENT_PAUSE_MS = 100;
/** Seconds of a step. */
const STEP = { settling: 1, counted: quick ? 1 : 3 };
const ROUNDS = quick ? 1 : 3;
const TIMEOUT_MS = 5_000;

/** What is shown by the number of connections. */
const RAMPS = [
  ["requests_per_second", "requests/s", "requestsPerSecond"],
  ["cpu_us_per_request", "µs", "cpuMicroseconds"],
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

/** How a way to shed did. */
interface Targets {
  shareOfPeak: number;
  p99Ratio: number;
}

/** Climbs up the steps, of one service. */
interface Round {
  steps: Step[];
  /** At the limit and at the highest step, of clients without patience. */
  impatient: Step[];
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
  settings: {
    ...{ limit: LIMIT, connections: HIGHEST, steps: STEPS, rounds: ROUNDS },
    ...{ settlingSeconds: STEP.settling, seconds: STEP.counted },
    ...{ pauseMs: PAUSE_MS, impatientPauseMs: IMPATIENT_PAUSE_MS },
  },
});
for (let round = 0; round < ROUNDS; round++) {
  for (const contender of contenders) contender.rounds.push(await measure(contender));
}
for (const contender of contenders) {
  print(contender);
  record(contender);
}
run.end();
printTargets();

async function measure({ transport, shed }: Contender): Promise<Round> {
  await using hosts = await ServiceHosts.open();
  const service = await hosts.startService({
    transport,
    environment: { SHED: shed, CONNECTION_LIMIT: String(LIMIT) },
  });
  return {
    steps: await climb(hosts, service, STEPS, PAUSE_MS),
    impatient: quick ? [] : await climb(hosts, service, [LIMIT, HIGHEST], IMPATIENT_PAUSE_MS),
    peakMegabytes: await service.process.peakMegabytes(),
  };
}

async function climb(
  hosts: ServiceHosts,
  service: Service,
  connectionsOfSteps: readonly number[],
  pauseMs: number,
): Promise<Step[]> {
  const load = await hosts.startLoad(service, {
    connections: connectionsOfSteps[0],
    connectionsMax: HIGHEST,
    durationMs: 600_000,
    timeoutMs: TIMEOUT_MS,
    reconnect: { pauseMs, attemptsMax: 1_000_000 },
  });
  const steps: Step[] = [];
  for (const connections of connectionsOfSteps) {
    steps.push(await measureStep(load, service, connections, STEP));
  }
  await load.stop();
  return steps;
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
  for (const { steps, impatient, peakMegabytes } of rounds) {
    recordOverload(name, "4 times the limit", steps, rounds.map(({ steps }) => steps));
    if (impatient.length > 0) {
      recordOverload(name, "without patience", impatient, rounds.map((one) => one.impatient));
    }
    run.record({
      ...{ subject: name, workload: "4 times the limit", measure: "peak_mb", unit: "MB" },
      value: peakMegabytes,
    });
  }
  if (!quick) {
    recordLoad(run, name, "without patience", rounds.map(({ impatient }) => impatient.at(-1)!));
  }
  recordSeconds(run, name, "over time", rounds[0].steps.flatMap(({ seconds }) => seconds));
}

function recordOverload(
  subject: string,
  workload: string,
  steps: readonly Step[],
  all: readonly (readonly Step[])[],
): void {
  const { shareOfPeak, p99Ratio } = targets(steps, all);
  const sample = (measure: string, unit: string, value: number) =>
    run.record({ subject, workload, measure, unit, value });
  sample("share_of_peak", "%", shareOfPeak * 100);
  sample("p99_over_that_at_the_limit", "", p99Ratio);
  sample("refused_per_second", "connections/s", steps.at(-1)!.refusedPerSecond);
}

/**
 * What is asked of a way to shed: how much of its best is left at the highest step, and how much later answers come.
 * The best is that of the step which is best by the median of all rounds: the best of each round would be that of noise.
 */
function targets(steps: readonly Step[], all: readonly (readonly Step[])[]): Targets {
  const rates = steps.map((_, i) => median(all.map((steps) => steps[i].requestsPerSecond)));
  const peak = steps[rates.indexOf(Math.max(...rates))];
  const most = steps.at(-1)!;
  return {
    shareOfPeak: most.requestsPerSecond / peak.requestsPerSecond,
    p99Ratio: most.p99Ms / steps.find(({ connections }) => connections === LIMIT)!.p99Ms,
  };
}

function print({ name, rounds }: Contender): void {
  console.log(`\n${name}`);
  const row = (cells: string[]) => console.log(cells.map((cell) => cell.padStart(12)).join(""));
  row(["connections", "answered/s", "p50 ms", "p99 ms", "refused/s", "CPU µs"]);
  const steps = (read: (round: Round) => Step[], note = "") =>
    read(rounds[0]).forEach(({ connections }, i) => {
      const figure = (name: keyof Figures | "cpuMicroseconds", digits: number) =>
        median(rounds.map((round) => read(round)[i][name])).toFixed(digits);
      row([
        `${note}${connections}`,
        figure("requestsPerSecond", 0),
        figure("p50Ms", 1),
        figure("p99Ms", 1),
        figure("refusedPerSecond", 0),
        figure("cpuMicroseconds", 1),
      ]);
    });
  steps(({ steps }) => steps);
  steps(({ impatient }) => impatient, "! ");
  const seconds = rounds[0].steps.flatMap(({ seconds }) => seconds);
  console.log(chart(seconds, ["requests_per_second", "p99_ms", "refused_per_second"]));
}

function printTargets(): void {
  console.log("\nWith 4 times the limit; behind it, with clients without patience (!)");
  console.log(`${"".padEnd(22)}  % of peak     p99 / at the limit     MB`);
  for (const { name, rounds } of contenders) {
    const cell = (read: (round: Round) => Step[], figure: keyof Targets) => {
      const all = rounds.map(read);
      return all[0].length === 0 ? "" : median(all.map((steps) => targets(steps, all)[figure]));
    };
    const both = (figure: keyof Targets, factor: number, digits: number) =>
      [({ steps }: Round) => steps, ({ impatient }: Round) => impatient]
        .map((read) => cell(read, figure))
        .map((value) => value === "" ? "" : (value * factor).toFixed(digits))
        .join("  ");
    const megabytes = String(median(rounds.map(({ peakMegabytes }) => peakMegabytes)));
    console.log(
      `${name.padEnd(22)} ${both("shareOfPeak", 100, 1).padStart(12)} ${
        both("p99Ratio", 1, 2).padStart(20)
      } ${megabytes.padStart(6)}`,
    );
  }
}
