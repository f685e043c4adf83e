import type { LoadSecond } from "./load_client.ts";
import type { Run } from "./samples.ts";
import type { Service, ServiceLoad } from "./service_hosts.ts";
import { median } from "./statistics.ts";

/** Answers that were no refusal. */
function served({ load }: LoadSecond): number {
  return load.answered - load.status503 - load.status429;
}

function servedPerSecond(second: LoadSecond): number {
  return served(second) / second.load.elapsedMs * 1_000;
}

/** Connections a second that the client was refused, with a reset or with 503. */
function refusedPerSecond({ load }: LoadSecond): number {
  return (load.refused + load.status503) / load.elapsedMs * 1_000;
}

/** What some seconds of the same load came to. */
export interface Figures {
  requestsPerSecond: number;
  refusedPerSecond: number;
  /** Of answers that were no refusal; the median of the seconds that had any, 0 if none had. */
  p50Ms: number;
  p99Ms: number;
}

/** What one number of connections came to. */
export interface Step extends Figures {
  connections: number;
  /** CPU time of the service for each answer that was no refusal. */
  cpuMicroseconds: number;
  /** All of its seconds, in order: those in which it settled, then those that count. */
  seconds: LoadSecond[];
  counted: LoadSecond[];
}

/** How many seconds a step takes. */
export interface StepLength {
  /** Seconds at its start that are shown and do not count: connections are made then. */
  settling: number;
  /** Seconds that count: an odd number, so that one of them is the median. */
  counted: number;
}

/**
 * Has a load hold so many connections and sees what comes of it.
 *
 * @throws {Error} If nothing was served in the seconds that count, or the load ended
 */
export async function measureStep(
  load: ServiceLoad,
  service: Service,
  connections: number,
  length: StepLength,
): Promise<Step> {
  await load.setConnections(connections);
  const settling = await load.seconds(length.settling);
  const before = await service.process.cpuMicroseconds();
  const counted = await load.seconds(length.counted);
  const used = await service.process.cpuMicroseconds() - before;
  const answers = counted.reduce((sum, second) => sum + served(second), 0);
  if (answers === 0) throw new Error(`nothing was served with ${connections} connections`);
  return {
    ...figuresOf(counted),
    connections,
    cpuMicroseconds: used / answers,
    seconds: [...settling, ...counted],
    counted,
  };
}

/**
 * Medians of an odd number of seconds: of three or more, one in which the machine did something else does not count.
 */
function figuresOf(seconds: readonly LoadSecond[]): Figures {
  const ofThose = (read: (second: LoadSecond) => number | null) => {
    const values = seconds.map(read).filter((value) => value !== null);
    return values.length === 0 ? 0 : median(values);
  };
  return {
    requestsPerSecond: ofThose(servedPerSecond),
    refusedPerSecond: ofThose(refusedPerSecond),
    p50Ms: ofThose(({ load }) => load.p50Ms),
    p99Ms: ofThose(({ load }) => load.p99Ms),
  };
}

/** What of a second is shown over time: the name of the measure, its unit, and how it is read. */
const CURVES: readonly [string, string, (second: LoadSecond) => number | null | undefined][] = [
  ["requests_per_second", "requests/s", servedPerSecond],
  ["p99_ms", "ms", ({ load }) => load.p99Ms],
  ["refused_per_second", "connections/s", refusedPerSecond],
  ["connections", "connections", ({ load }) => load.connectionsOpen],
  ["limit", "connections", ({ service }) => service?.limit],
  ["saturation", "", ({ service }) => service?.saturation],
];

/**
 * Takes seconds down as curves over time; what was not known in a second is left out of it.
 *
 * @throws As {@linkcode Run.series}
 */
export function recordSeconds(
  run: Run,
  subject: string,
  workload: string,
  seconds: readonly LoadSecond[],
): void {
  for (const [measure, unit, read] of CURVES) {
    seconds.forEach((second, x) => {
      const value = read(second);
      if (value === null || value === undefined) return;
      run.series({ subject, workload, measure, unit, x, xUnit: "s", value });
    });
  }
}

/** Seconds as lines for a terminal, one a curve: its name, its least and greatest, and a block a second. */
export function chart(seconds: readonly LoadSecond[], measures: readonly string[]): string {
  return CURVES.filter(([measure]) => measures.includes(measure)).map(([measure, , read]) => {
    const values = seconds.map((second) => read(second) ?? null);
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `  ${measure.padEnd(20)} not known`;
    const most = Math.max(...known);
    const blocks = values.map((value) =>
      value === null ? " " : BLOCKS[most === 0 ? 0 : Math.round(value / most * (BLOCKS.length - 1))]
    );
    const range = `${shown(Math.min(...known))} to ${shown(most)}`;
    return `  ${measure.padEnd(20)}${range.padStart(18)}  ${blocks.join("")}`;
  }).join("\n");
}

const BLOCKS = [..."▁▂▃▄▅▆▇█"];

function shown(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
