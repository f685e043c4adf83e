import type { Capacity, Scenario } from "./simulator.ts";

const BASE_SECONDS = 0.000_05;
const THINK_SECONDS = 0.004;
/** Answers a second at best. */
const PEAK = 100_000;
const HOUR = 3_600;

/** As many answers however many connections; they only wait. */
export function flat(baseSeconds: number = BASE_SECONDS): Capacity {
  return {
    throughput: () => PEAK,
    knee: Math.ceil(PEAK * (THINK_SECONDS + baseSeconds)),
    baseSeconds,
  };
}

/** Throughput falls to 40 % within a tenth past the knee, as when connections no longer fit a cache or a table. */
export function cliff(knee: number, baseSeconds: number = BASE_SECONDS): Capacity {
  const peak = knee / (THINK_SECONDS + baseSeconds);
  return {
    throughput: (connections) => {
      const past = Math.min(1, Math.max(0, connections - knee) / (knee * 0.1));
      return peak * (1 - 0.6 * past);
    },
    knee,
    baseSeconds,
  };
}

/** Gunther's universal scalability law: contention, and coherence that grows with the square of connections. */
export function gentle(knee: number): Capacity {
  const contention = 0.000_2;
  const coherence = (1 - contention) / knee ** 2;
  const perConnection = 1 / (THINK_SECONDS + BASE_SECONDS);
  return {
    throughput: (connections) =>
      perConnection * connections /
      (1 + contention * (connections - 1) + coherence * connections * (connections - 1)),
    knee,
    baseSeconds: BASE_SECONDS,
  };
}

function always(capacity: Capacity, clients: number = 2_000): Omit<Scenario, "name" | "hours"> {
  return {
    capacity: () => capacity,
    demand: () => ({ kind: "closed", clients, thinkSeconds: THINK_SECONDS }),
    lifetimeSeconds: 5,
  };
}

/** Every third of the day has its own. */
function inTurn(capacities: readonly Capacity[]): Pick<Scenario, "capacity" | "changesAtSeconds"> {
  const seconds = 24 * HOUR / capacities.length;
  return {
    capacity: (at) => capacities[Math.min(capacities.length - 1, Math.floor(at / seconds))],
    changesAtSeconds: capacities.slice(1).map((_, index) => (index + 1) * seconds),
  };
}

/** From 50 clients at night to 3,000 at noon. */
function diurnalClients(at: number): number {
  return Math.round(50 + 2_950 * (1 - Math.cos(at / (24 * HOUR) * 2 * Math.PI)) / 2);
}

/** A day of each, 2,000 clients in a closed loop unless the name says otherwise. */
export const SCENARIOS: readonly Scenario[] = [
  { ...always(flat()), name: "flat", hours: 24 },
  { ...always(cliff(400)), name: "cliff at 400", hours: 24 },
  { ...always(cliff(1_500)), name: "cliff at 1500", hours: 24 },
  { ...always(cliff(300), 500), name: "cliff at 300, 500 clients", hours: 24 },
  { ...always(gentle(400)), name: "gentle, peak at 400", hours: 24 },
  { ...always(gentle(1_200)), name: "gentle, peak at 1200", hours: 24 },
  {
    ...always(flat()),
    ...inTurn([cliff(600), cliff(300), cliff(900)]),
    name: "moving, 600 300 900",
    hours: 24,
  },
  { ...always(cliff(400)), noise: 0.1, slowPeriods: 0.02, name: "noise, cliff at 400", hours: 24 },
  { ...always(flat()), noise: 0.1, slowPeriods: 0.02, name: "noise, flat", hours: 24 },
  {
    ...always(cliff(400)),
    demand: (at) => ({
      kind: "closed",
      clients: diurnalClients(at),
      thinkSeconds: THINK_SECONDS,
    }),
    name: "diurnal, cliff at 400",
    hours: 24,
  },
  {
    ...always(cliff(400)),
    demand: (at) => ({ kind: "closed", clients: diurnalClients(at), thinkSeconds: THINK_SECONDS }),
    noise: 0.1,
    slowPeriods: 0.02,
    name: "diurnal and noise",
    hours: 24,
  },
  {
    ...always(cliff(400)),
    // A minute of twice what it bears in each hour; after it a queue that is full keeps itself full.
    demand: (at) => ({
      kind: "open",
      perSecond: at % HOUR >= 1_800 && at % HOUR < 1_860 ? 200_000 : 60_000,
    }),
    name: "open loop with bursts",
    hours: 24,
  },
  {
    ...always(flat()),
    ...inTurn([flat(), flat(0.005)]),
    name: "slower: 5 ms at rest",
    hours: 24,
  },
  {
    ...always(flat()),
    ...inTurn([flat(), flat(0.002)]),
    name: "slower: 2 ms at rest",
    hours: 24,
  },
  { ...always(flat()), visibleWait: 0, name: "unseen wait, flat", hours: 24 },
  { ...always(cliff(400)), visibleWait: 0, name: "unseen wait, cliff at 400", hours: 24 },
  { ...always(cliff(400)), lifetimeSeconds: 120, name: "long-lived, cliff at 400", hours: 24 },
];
