/**
 * A limit that finds itself beside limits that stay, under a load that moves: few clients, many, some, very many. Each
 * client leaves after some answers and another comes. With limits kept by the packet filter, or by the service where
 * there is none.
 * `deno task bench:adaptive [--quick] [--help]`
 *
 * @module
 */
import { transportProblem } from "../native/mod.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import type { LoadSecond } from "./load_client.ts";
import { chart, measureStep, recordSeconds, type Step } from "./overload_seconds.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { ServiceHosts } from "./service_hosts.ts";
import { median } from "./statistics.ts";

const { quick } = readBenchArguments({});
/** Connections that clients want, one phase after the other; each number once, since its samples are named by it. */
const PHASES = quick ? [200, 2_000] : [200, 1_500, 400, 2_000];
const CLIENTS_MAX = Math.max(...PHASES);
/** Seconds of a phase: in its first half a limit should be found. */
const PHASE = quick ? { settling: 1, counted: 1 } : { settling: 5, counted: 5 };
const MINIMUM = 50, MAXIMUM = 1_000;
/** Ten times as often as usual, so that a phase has room for some decisions. */
const PERIOD_MS = 500;
const ANSWERS_PER_CONNECTION = 100;
const PAUSE_MS = 1_000;

/** A way to limit, on a transport. */
interface Contender {
  transport: "uring" | "deno";
  transportName: string;
  name: string;
  limit: Record<string, string>;
}

const auto = (algorithm: string) => ({ CONNECTION_LIMIT: "auto", LIMIT_ALGORITHM: algorithm });
const fixed = (limit: number) => ({ CONNECTION_LIMIT: String(limit) });
const LIMITS = {
  "auto by gradient": auto("gradient"),
  ...(quick ? {} : { "auto by steps": auto("step"), "fixed at the least": fixed(MINIMUM) }),
  "fixed at the most": fixed(MAXIMUM),
};

using samples = Samples.open();
const run = samples.begin("adaptive", {
  quick,
  settings: {
    ...{ phases: PHASES, clientsMax: CLIENTS_MAX, minimum: MINIMUM, maximum: MAXIMUM },
    ...{ settlingSeconds: PHASE.settling, seconds: PHASE.counted },
    ...{ periodMs: PERIOD_MS, answersPerConnection: ANSWERS_PER_CONNECTION, pauseMs: PAUSE_MS },
  },
});
for (const [transport, transportName] of [["uring", "io_uring"], ["deno", "Deno.serve"]] as const) {
  const problem = transport === "deno" ? null : transportProblem(transport);
  if (problem !== null) {
    console.log(`${transportName} is left out: ${problem}`);
    continue;
  }
  for (const [name, limit] of Object.entries(LIMITS)) {
    const contender: Contender = { transport, transportName, name, limit };
    const phases = await measure(contender);
    print(contender, phases);
    record(contender, phases);
  }
}
run.end();

async function measure({ transport, limit }: Contender): Promise<Step[]> {
  await using hosts = await ServiceHosts.open();
  if (hosts.problem !== null) {
    console.log(`On loopback, limits kept by the service, since ${hosts.problem}`);
  }
  const service = await hosts.startService({
    transport,
    environment: {
      SHED: hosts.problem === null ? "kernel" : "app",
      CONNECTION_LIMIT_MINIMUM: String(MINIMUM),
      CONNECTION_LIMIT_MAXIMUM: String(MAXIMUM),
      LIMIT_PERIOD: `${PERIOD_MS}ms`,
      ...limit,
    },
  });
  const load = await hosts.startLoad(service, {
    connections: PHASES[0],
    connectionsMax: CLIENTS_MAX,
    durationMs: 600_000,
    answersPerConnection: ANSWERS_PER_CONNECTION,
    reconnect: { pauseMs: PAUSE_MS, attemptsMax: 1_000_000 },
  });
  const phases: Step[] = [];
  for (const clients of PHASES) phases.push(await measureStep(load, service, clients, PHASE));
  await load.stop();
  return phases;
}

function print({ transportName, name }: Contender, phases: readonly Step[]): void {
  console.log(`\n${transportName}, ${name}`);
  const row = (cells: string[]) => console.log(cells.map((cell) => cell.padStart(14)).join(""));
  row(["wanted", "answered/s", "CPU µs", "p50 ms", "p99 ms", "limit", "own mean ms"]);
  for (const phase of phases) {
    const limits = limitsOf(phase.counted), own = ownLatencyMs(phase);
    const least = Math.min(...limits), most = Math.max(...limits);
    row([
      String(phase.connections),
      phase.requestsPerSecond.toFixed(0),
      phase.cpuMicroseconds.toFixed(1),
      phase.p50Ms.toFixed(1),
      phase.p99Ms.toFixed(1),
      limits.length === 0 ? "-" : least === most ? String(least) : `${least} to ${most}`,
      own === null ? "-" : own.toFixed(2),
    ]);
  }
  const measures = ["requests_per_second", "p99_ms", "limit", "connections"];
  console.log(chart(phases.flatMap(({ seconds }) => seconds), measures));
}

function limitsOf(seconds: readonly LoadSecond[]): number[] {
  return seconds.flatMap(({ service }) => service?.limit ?? []);
}

/** What the service takes for the latency: what leads its limit, else the mean of its histogram; `null` if unknown. */
function ownLatencyMs({ seconds, counted }: Step): number | null {
  const led = counted.flatMap(({ service }) => service?.limiterLatencySeconds ?? []);
  if (led.length > 0) return median(led) * 1_000;
  // The histogram counts since the start: what it had before the first second that counts is taken away.
  const known = seconds.slice(-counted.length - 1).flatMap(({ service }) => service ?? []);
  if (known.length < 2) return null;
  const first = known[0], last = known.at(-1)!;
  const answers = last.durations - first.durations;
  return answers > 0 ? (last.durationSeconds - first.durationSeconds) / answers * 1_000 : null;
}

function record({ transportName, name }: Contender, phases: readonly Step[]): void {
  const subject = `${transportName}, ${name}`;
  for (const phase of phases) {
    const workload = `${phase.connections.toLocaleString("en-US")} clients`;
    recordLoad(run, subject, workload, [phase]);
    const sample = (measure: string, unit: string, value: number) =>
      run.record({ subject, workload, measure, unit, value });
    const own = ownLatencyMs(phase), limits = limitsOf(phase.counted);
    if (own !== null) sample("own_mean_ms", "ms", own);
    if (limits.length > 0) sample("limit", "connections", median(limits));
  }
  const seconds = phases.flatMap(({ seconds }) => seconds);
  recordSeconds(run, subject, "moving load", seconds);
  const limits = limitsOf(seconds);
  const changes = limits.filter((limit, i) => i > 0 && limit !== limits[i - 1]).length;
  run.record({
    ...{ subject, workload: "moving load", measure: "limit_changes", unit: "" },
    value: changes,
  });
}
