/**
 * A limit that finds itself beside limits that stay, under a load that moves: few clients, many, some, very many. Each
 * client leaves after some answers and another comes. With limits kept by the packet filter, or by the service where
 * there is none.
 * `deno task bench:adaptive [--quick]`
 *
 * @module
 */
import { transportProblem } from "../native/mod.ts";
import type { LoadSecond } from "./load_client.ts";
import { chart, figuresOf, recordSeconds } from "./overload_seconds.ts";
import { Samples } from "./samples.ts";
import { ServiceHosts } from "./service_hosts.ts";
import { median } from "./statistics.ts";

const quick = Deno.args.includes("--quick");
/** Connections that clients want, one phase after the other. */
const PHASES = quick ? [200, 1_500, 400] : [200, 1_500, 400, 2_000];
const SECONDS = quick ? 3 : 10;
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
    ...{ phases: PHASES, seconds: SECONDS, minimum: MINIMUM, maximum: MAXIMUM },
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
    const seconds = await measure(contender);
    print(contender, seconds);
    record(contender, seconds);
  }
}
run.end();

async function measure({ transport, limit }: Contender): Promise<LoadSecond[]> {
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
    connectionsMax: Math.max(...PHASES),
    durationMs: 600_000,
    answersPerConnection: ANSWERS_PER_CONNECTION,
    reconnect: { pauseMs: PAUSE_MS, attemptsMax: 1_000_000 },
  });
  const seconds: LoadSecond[] = [];
  for (const connections of PHASES) {
    await load.setConnections(connections);
    seconds.push(...await load.seconds(SECONDS));
  }
  await load.stop();
  return seconds;
}

/** The second half of each phase: by then a limit should have been found. */
function settled(seconds: readonly LoadSecond[]): LoadSecond[][] {
  return PHASES.map((_, i) => seconds.slice(Math.floor((i + 0.5) * SECONDS), (i + 1) * SECONDS));
}

function print({ transportName, name }: Contender, seconds: LoadSecond[]): void {
  console.log(`\n${transportName}, ${name}`);
  const row = (cells: string[]) => console.log(cells.map((cell) => cell.padStart(14)).join(""));
  row(["wanted", "answered/s", "p50 ms", "p99 ms", "limit", "own mean ms"]);
  settled(seconds).forEach((half, i) => {
    const { requestsPerSecond, p50Ms, p99Ms } = figuresOf(half);
    const own = ownLatencyMs(half);
    row([
      String(PHASES[i]),
      requestsPerSecond.toFixed(0),
      p50Ms.toFixed(1),
      p99Ms.toFixed(1),
      limitsOf(half),
      own === null ? "-" : own.toFixed(2),
    ]);
  });
  console.log(chart(seconds, ["requests_per_second", "p99_ms", "limit", "connections"]));
}

function limitsOf(seconds: readonly LoadSecond[]): string {
  const limits = seconds.flatMap(({ service }) => service?.limit ?? []);
  if (limits.length === 0) return "-";
  const least = Math.min(...limits), most = Math.max(...limits);
  return least === most ? String(least) : `${least} to ${most}`;
}

/** What the service takes for the latency: what leads its limit, else the mean of its histogram; `null` if unknown. */
function ownLatencyMs(seconds: readonly LoadSecond[]): number | null {
  const known = seconds.flatMap(({ service }) => service ?? []);
  if (known.length < 2) return null;
  const led = known.flatMap(({ limiterLatencySeconds }) => limiterLatencySeconds ?? []);
  if (led.length > 0) return median(led) * 1_000;
  const first = known[0], last = known.at(-1)!;
  const answers = last.durations - first.durations;
  return answers > 0 ? (last.durationSeconds - first.durationSeconds) / answers * 1_000 : null;
}

function record({ transportName, name }: Contender, seconds: LoadSecond[]): void {
  const subject = `${transportName}, ${name}`;
  recordSeconds(run, subject, "moving load", seconds);
  const halves = settled(seconds);
  const sample = (workload: string, measure: string, unit: string, value: number) =>
    run.record({ subject, workload, measure, unit, value });
  halves.forEach((half, i) => {
    const isMany = PHASES[i] >= MAXIMUM;
    const workload = isMany ? "many clients" : "few clients";
    const { requestsPerSecond, p50Ms, p99Ms } = figuresOf(half);
    sample(workload, "requests_per_second", "requests/s", requestsPerSecond);
    sample(workload, "p50_ms", "ms", p50Ms);
    sample(workload, "p99_ms", "ms", p99Ms);
    const own = ownLatencyMs(half);
    if (own !== null) sample(workload, "own_mean_ms", "ms", own);
    for (const { service } of half) {
      if (service !== null) sample(workload, "limit", "connections", service.limit);
    }
  });
  const limits = seconds.flatMap(({ service }) => service?.limit ?? []);
  const changes = limits.filter((limit, i) => i > 0 && limit !== limits[i - 1]).length;
  sample("moving load", "limit_changes", "", changes);
}
