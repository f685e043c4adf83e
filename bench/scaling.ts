/**
 * What an autoscaler hears: clients come in steps, up to more than the limit, and go again. Throughput and saturation
 * over time, and when `http_scaling_needs_scaleout` rises and falls.
 * `deno task bench:scaling [--quick] [--help]`
 *
 * @module
 */
import { transportProblem } from "../native/mod.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import type { LoadSecond } from "./load_client.ts";
import { chart, measureStep, recordSeconds, type Step } from "./overload_seconds.ts";
import { Samples } from "./samples.ts";
import { ServiceHosts } from "./service_hosts.ts";
import { median } from "./statistics.ts";

const { quick } = readBenchArguments({});
const LIMIT = 500;
const STEPS = quick ? [100, 500, 800] : [100, 200, 300, 400, 500, 600, 700, 800];
/** Seconds of a step. */
const STEP = { settling: 1, counted: quick ? 3 : 5 };
/** Seconds with as few clients as in the beginning: the signal falls after 60 of them. Left out of a quick run. */
const CALM_SECONDS = quick ? 0 : 70;
const PAUSE_MS = 1_000;

using samples = Samples.open();
const run = samples.begin("scaling", {
  quick,
  settings: {
    ...{ limit: LIMIT, steps: STEPS, calmSeconds: CALM_SECONDS },
    ...{ settlingSeconds: STEP.settling, seconds: STEP.counted },
  },
});
for (const [transport, name] of [["uring", "io_uring"], ["deno", "Deno.serve"]] as const) {
  const problem = transport === "deno" ? null : transportProblem(transport);
  if (problem !== null) console.log(`${name} is left out: ${problem}`);
  else report(name, await measure(transport));
}
run.end();

/** The climb, and the seconds of the calm behind it. */
async function measure(
  transport: "uring" | "deno",
): Promise<{ steps: Step[]; calm: LoadSecond[] }> {
  await using hosts = await ServiceHosts.open();
  if (hosts.problem !== null) {
    console.log(`On loopback, the limit kept by the service, since ${hosts.problem}`);
  }
  const service = await hosts.startService({
    transport,
    environment: {
      SHED: hosts.problem === null ? "kernel" : "app",
      CONNECTION_LIMIT: String(LIMIT),
    },
  });
  const load = await hosts.startLoad(service, {
    connections: STEPS[0],
    connectionsMax: Math.max(...STEPS),
    durationMs: 600_000,
    reconnect: { pauseMs: PAUSE_MS, attemptsMax: 1_000_000 },
  });
  const steps: Step[] = [];
  for (const connections of STEPS) {
    steps.push(await measureStep(load, service, connections, STEP));
  }
  await load.setConnections(STEPS[0]);
  const calm = await load.seconds(CALM_SECONDS);
  await load.stop();
  return { steps, calm };
}

function report(subject: string, { steps, calm }: { steps: Step[]; calm: LoadSecond[] }): void {
  console.log(`\n${subject}, a limit of ${LIMIT}`);
  const row = (cells: string[]) => console.log(cells.map((cell) => cell.padStart(12)).join(""));
  row(["connections", "answered/s", "CPU µs", "p99 ms", "refused/s", "saturation", "scale out"]);
  for (const step of steps) {
    const { connections, requestsPerSecond, cpuMicroseconds, p99Ms } = step;
    const known = step.counted.flatMap(({ service }) => service ?? []);
    const saturation = known.length === 0 ? null : median(known.map((one) => one.saturation));
    row([
      String(connections),
      requestsPerSecond.toFixed(0),
      cpuMicroseconds.toFixed(1),
      p99Ms.toFixed(1),
      step.refusedPerSecond.toFixed(0),
      saturation?.toFixed(2) ?? "-",
      known.at(-1)?.needsScaleout ? "yes" : "no",
    ]);
    const point = (measure: string, unit: string, value: number) =>
      run.series({
        ...{ subject, workload: "steps", measure, unit, value },
        ...{ x: connections, xUnit: "connections" },
      });
    point("requests_per_second", "requests/s", requestsPerSecond);
    point("cpu_us_per_request", "µs", cpuMicroseconds);
    point("p99_ms", "ms", p99Ms);
    if (saturation !== null) point("saturation", "", saturation);
  }
  const climb = steps.flatMap(({ seconds }) => seconds);
  const seconds = [...climb, ...calm];
  console.log(chart(seconds, ["requests_per_second", "saturation", "refused_per_second"]));
  recordSeconds(run, subject, "over time", seconds);

  const sample = (measure: string, unit: string, value: number) =>
    run.record({ subject, workload: "steps", measure, unit, value });
  const signals = seconds.map(({ service }) => service?.needsScaleout ?? null);
  const known = signals.filter((signal) => signal !== null);
  const changes = known.filter((signal, i) => i > 0 && signal !== known[i - 1]).length;
  sample("signal_changes", "", changes);
  const full = seconds.findIndex(({ service }) => (service?.saturation ?? 0) >= 0.9);
  const refused = seconds.findIndex(({ load }) => load.refused + load.status503 > 0);
  const raised = signals.indexOf(true);
  if (full >= 0 && raised >= 0) {
    sample("signal_after_full_s", "s", raised - full);
    console.log(`  the signal rose ${raised - full} s after the instance was 90 % full`);
  }
  if (refused >= 0 && raised >= 0) sample("signal_after_refusal_s", "s", raised - refused);
  const cleared = signals.indexOf(false, Math.max(0, raised));
  if (CALM_SECONDS > 0 && raised >= 0 && cleared >= 0) {
    const left = cleared - climb.length;
    sample("clear_after_s", "s", left);
    console.log(`  and fell ${left} s after clients had left; it changed ${changes} times`);
  }
}
