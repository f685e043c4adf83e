import type { Limit } from "./limit.ts";
import { PERIOD_MS, SIMULATED_PERIODS_MAX } from "./limits.ts";
import { type CumulativeReading, type Measurement, MeasurementWindow } from "./measurement.ts";
import { SeededNoise } from "./seeded_noise.ts";

/** What a service can do. */
export interface Capacity {
  /** The most answers a second that it gives with so many connections. */
  throughput(connections: number): number;
  /** The fewest connections with which it gives the most. */
  knee: number;
  /** Time that an answer takes when nobody waits, in seconds. */
  baseSeconds: number;
}

/** Who asks. */
export type Demand =
  /** Clients that each hold a connection, or try to get one, and ask again `thinkSeconds` after each answer. */
  | { kind: "closed"; clients: number; thinkSeconds: number }
  /** Requests that come at a rate of their own, each with a connection. */
  | { kind: "open"; perSecond: number };

/** A service and its clients over time. */
export interface Scenario {
  name: string;
  hours: number;
  capacity(atSeconds: number): Capacity;
  demand(atSeconds: number): Demand;
  /** How long a connection lives, in seconds: connections beyond the limit go away as fast as that. */
  lifetimeSeconds: number;
  /** Deviation of capacity and of latency from one period to the next, as a share. */
  noise?: number;
  /** Share of periods in which something else holds the service up: a third of its capacity, 10 ms more latency. */
  slowPeriods?: number;
  /** Share of the time that requests wait which the service can see; all of it by default. */
  visibleWait?: number;
  /** Moments after which a limit has to find its way again, in seconds; the start is one anyway. */
  changesAtSeconds?: readonly number[];
}

/** How a limit did in a scenario. */
export interface SimulationResult {
  /**
   * Seconds until throughput was within 10 % of the best, in nine of the next ten periods: the longest after the start
   * and after each change. `null` when it never was after one of them.
   */
  convergenceSeconds: number | null;
  /** Share of the answers of a service whose limit is always right that were not given. */
  lostShare: number;
  /** The limit at the end. */
  limitEnd: number;
  /** The least and the greatest limit in the second half. */
  limitRange: [number, number];
  /** How often the limit moved, an hour. */
  changesPerHour: number;
  /** 95th percentile of latency, in milliseconds. */
  latencyMs: number;
  /** The same of a service whose limit is always right. */
  latencyBestMs: number;
  /** The limit after each period. */
  limits: readonly number[];
  /** Answers in all, of which there must be some. */
  answers: number;
}

/** What a service does with so many connections. */
interface Flow {
  connections: number;
  throughput: number;
  latencySeconds: number;
}

const TICK_SECONDS = 1;
/** Share of the best throughput that counts as having found it. */
const CONVERGED_SHARE = 0.9;
const CONVERGED_PERIODS = 10;
const CONVERGED_OF_THEM = 9;

/**
 * Lets a limit govern a service that is only arithmetic, and compares it with a limit that is always right. What the limit is
 * fed goes through the same {@linkcode MeasurementWindow} as real readings. The same seed gives the same result.
 *
 * The service obeys Little's law: with C connections and a think time of Z, throughput is the lesser of its capacity
 * and C / (Z + base), and latency is C / throughput - Z. A limit that shrinks closes no connection: those beyond it go as
 * their lifetime ends, as with a packet filter.
 *
 * @param quantum The limit in force is a multiple of it, as tiers of a packet filter make it
 * @throws {RangeError} when the scenario is too long
 */
export function simulate(
  scenario: Scenario,
  limit: Limit,
  seed: number = 1,
  quantum: number = 1,
): SimulationResult {
  const periodSeconds = PERIOD_MS / 1_000;
  const periods = Math.floor(scenario.hours * 3_600 / periodSeconds);
  if (periods > SIMULATED_PERIODS_MAX) {
    throw new RangeError(`scenario of ${periods} periods: use at most ${SIMULATED_PERIODS_MAX}`);
  }
  const noise = new SeededNoise(seed);
  const window = new MeasurementWindow(PERIOD_MS);
  const reading: CumulativeReading = {
    atMs: 0,
    requests: 0,
    durationSeconds: 0,
    durations: 0,
    connections: 0,
    rejections: 0,
  };
  window.add({ ...reading });
  const limits: number[] = [];
  const shares: number[] = [];
  const latencies: number[] = [];
  const latenciesBest: number[] = [];
  let answers = 0, answersBest = 0, changes = 0, connections = 0;

  for (let period = 0; period < periods; period++) {
    const shaken = shake(scenario, noise);
    const inForce = Math.max(quantum, Math.floor(limit.value / quantum) * quantum);
    let given = 0, givenBest = 0;
    let measurement: Measurement | null = null;
    for (let tick = 0; tick < periodSeconds / TICK_SECONDS; tick++) {
      const at = period * periodSeconds + tick * TICK_SECONDS;
      const capacity = scenario.capacity(at), demand = scenario.demand(at);
      const staying = connections * Math.max(0, 1 - TICK_SECONDS / scenario.lifetimeSeconds);
      const flow = flowOf(capacity, demand, Math.max(inForce, Math.floor(staying)), shaken);
      const best = flowOf(capacity, demand, capacity.knee, shaken);
      connections = flow.connections;
      given += flow.throughput * TICK_SECONDS;
      givenBest += best.throughput * TICK_SECONDS;
      latencies.push(flow.latencySeconds);
      latenciesBest.push(best.latencySeconds);
      reading.atMs += TICK_SECONDS * 1_000;
      reading.requests += flow.throughput * TICK_SECONDS;
      reading.durations += flow.throughput * TICK_SECONDS;
      reading.durationSeconds += seenSeconds(scenario, capacity, flow) * flow.throughput *
        TICK_SECONDS;
      reading.connections = flow.connections;
      reading.rejections += rejectionsOf(demand, flow) * TICK_SECONDS;
      measurement = window.add({ ...reading }) ?? measurement;
    }
    if (measurement === null) throw new Error("a simulated period ended without a measurement");
    const { limit: next, previous } = limit.update(measurement);
    if (next !== previous) changes++;
    limits.push(next);
    shares.push(given / Math.max(givenBest, Number.MIN_VALUE));
    answers += given;
    answersBest += givenBest;
  }
  const half = limits.slice(limits.length / 2);
  return {
    convergenceSeconds: convergence(
      shares,
      [0, ...scenario.changesAtSeconds ?? []].map((at) => Math.floor(at / periodSeconds)),
      periodSeconds,
    ),
    lostShare: 1 - answers / answersBest,
    limitEnd: limits[limits.length - 1],
    limitRange: [half.reduce((a, b) => Math.min(a, b)), half.reduce((a, b) => Math.max(a, b))],
    changesPerHour: changes / scenario.hours,
    latencyMs: percentile95(latencies) * 1_000,
    latencyBestMs: percentile95(latenciesBest) * 1_000,
    limits,
    answers: Math.round(answers),
  };
}

/** What noise makes of one period. */
interface Shaken {
  capacity: number;
  latency: number;
  extraSeconds: number;
}

function shake({ noise = 0, slowPeriods = 0 }: Scenario, source: SeededNoise): Shaken {
  const capacity = source.factor(noise), latency = source.factor(noise);
  return source.uniform() < slowPeriods
    ? { capacity: capacity / 3, latency, extraSeconds: 0.01 }
    : { capacity, latency, extraSeconds: 0 };
}

/** What a service does when at most so many connections are let in. */
function flowOf(capacity: Capacity, demand: Demand, most: number, shaken: Shaken): Flow {
  const base = capacity.baseSeconds + shaken.extraSeconds;
  const bears = (connections: number) => capacity.throughput(connections) * shaken.capacity;
  if (demand.kind === "closed") {
    const connections = Math.min(most, demand.clients);
    if (connections === 0) return { connections, throughput: 0, latencySeconds: base };
    const throughput = Math.min(bears(connections), connections / (demand.thinkSeconds + base));
    const latency = Math.max(base, connections / throughput - demand.thinkSeconds);
    return { connections, throughput, latencySeconds: latency * shaken.latency };
  }
  // A queue that has filled the limit stays there as long as more comes than the service bears in that state.
  const bearsFull = bears(most);
  if (demand.perSecond > bearsFull) {
    return {
      connections: most,
      throughput: bearsFull,
      latencySeconds: most / bearsFull * shaken.latency,
    };
  }
  return {
    connections: Math.min(most, Math.ceil(demand.perSecond * base)),
    throughput: demand.perSecond,
    latencySeconds: base * shaken.latency,
  };
}

/** What the service itself sees of a latency. */
function seenSeconds({ visibleWait = 1 }: Scenario, { baseSeconds }: Capacity, flow: Flow): number {
  const waited = flow.latencySeconds - baseSeconds;
  return waited > 0 ? baseSeconds + waited * visibleWait : flow.latencySeconds;
}

/** Clients that find no place try once a second; requests that find none are gone. */
function rejectionsOf(demand: Demand, flow: Flow): number {
  return demand.kind === "closed"
    ? demand.clients - flow.connections
    : demand.perSecond - flow.throughput;
}

function convergence(
  shares: readonly number[],
  starts: readonly number[],
  periodSeconds: number,
): number | null {
  let longest = 0;
  for (const [index, start] of starts.entries()) {
    const end = starts[index + 1] ?? shares.length;
    let found = -1;
    for (let period = start; period + CONVERGED_PERIODS <= end && found < 0; period++) {
      const good = shares.slice(period, period + CONVERGED_PERIODS)
        .filter((share) => share >= CONVERGED_SHARE).length;
      if (good >= CONVERGED_OF_THEM && shares[period] >= CONVERGED_SHARE) found = period;
    }
    if (found < 0) return null;
    longest = Math.max(longest, (found - start) * periodSeconds);
  }
  return longest;
}

function percentile95(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(sorted.length * 0.95)];
}
