import {
  checkedBounds,
  isUsed,
  type Limit,
  type LimitBounds,
  type LimitDecision,
  type LimitState,
  whyUnusable,
  withinBounds,
} from "./limit.ts";
import { ANSWERS_MIN, EXCESS, LIMIT_USED_SHARE } from "./limits.ts";
import type { Measurement } from "./measurement.ts";

/** Options of {@linkcode GradientLimit}. */
export interface GradientLimitOptions extends LimitBounds {
  /** Latency that no client notices, in nanoseconds; 1 ms by default. The floor is never taken for less. */
  harmlessLatencyNs?: number;
  /** How many times the floor the latency may be before connections count as too many; 3 by default. */
  tolerance?: number;
  /** The floor is never taken for more, in nanoseconds; 250 ms by default. */
  floorMaxNs?: number;
  /** Growth of the limit in one period while no ceiling is known, as a share of it; 0.2 by default. */
  growth?: number;
  /** Periods until a ceiling is tried again for the first time; doubled each time it still holds. 6 by default. */
  patience?: number;
  /** Periods until a ceiling is tried again at the longest; 120 by default. */
  patienceMax?: number;
}

/** At least this share of the requests in the service is kept when the limit shrinks. */
const GRADIENT_MIN = 0.5;
/** A limit this near its ceiling does not search on between the two. */
const CEILING_NEAR = 0.95;
/** How far a probe goes beyond the limit, as a share of it. */
const PROBE = 0.1;
/** How far it goes where there is some queue: far enough to tell whether it is one. */
const PROBE_IN_QUEUE = 0.2;
/** How far it goes at the minimum, where only a large difference tells. */
const PROBE_GROWTH_AT_MINIMUM = 0.6;
/** Periods that a limit stays before it moves on by itself. */
const SETTLE_PERIODS = 2;
/** Share of its worth (throughput in proportion to connections) that a change has to bring or may cost. */
const WORTH_MIN = 0.25;
/** Connections must have changed by this share before what came of it is judged: all else is noise, as within a tier. */
const CHANGE_MIN = 0.02;
/** Connections must have changed by this factor before their latencies are compared. */
const COMPARED_CONNECTIONS = 1.5;
/** The same where throughput is compared too. */
const COMPARED_BOTH = 1.2;
/** Latencies that differ by less than this factor count as the same. */
const SAME_LATENCY = 1.15;

/** A limit and what the service did with it, to judge by what came of changing it. */
interface Before {
  limit: number;
  connections: number;
  throughput: number;
  latencyNs: number;
}

/** A change of the limit that has yet to be judged. */
interface Trial extends Before {
  kind: "growth" | "probe" | "descent";
  /** The ceiling that a probe set aside. */
  ceiling: number | null;
}

/**
 * A limit led by latency, after the gradient of Netflix's concurrency-limits, for services that answer in microseconds.
 *
 * **Idea.** As long as connections find the service free, latency does not depend on how many there are. Past that
 * point (the knee) every further connection only waits, and latency grows with their number, whatever throughput
 * does. So the gradient, latency as it should be over latency as it is, tells of overload before throughput falls, and
 * by Little's law it tells how many connections are too many.
 *
 * **Formula.** With throughput X, latency R, connections C, floor F and tolerance t:
 *
 * ```
 * gradient = min(1, max(0.5, t F / R))
 * inside   = min(C, X R)                       Little's law: requests that are in the service
 * limit    = (C - inside) + gradient inside    connections that wait for their clients do no harm
 * ```
 *
 * In a closed loop past the knee this is where R = t F, in one step, whatever time clients take between requests. It
 * starts from connections, not from the limit: a limit that connections have not followed yet does not fall on.
 *
 * **Floor.** A batch of n requests of 5 µs keeps each of them for n times 5 µs, which is harmless below about 1 ms. The
 * floor therefore begins at `harmlessLatencyNs` and is never less. It is a minimum, not an average: averages learn a
 * queue that lasts and drift with it. It falls to any lower latency at once and rises on evidence only: when
 * connections changed by half (or by a fifth, and throughput with them) and latency did not change, latency is the
 * service's own (a slower machine, other requests), and the floor becomes that, up to `floorMaxNs`. Shrinking is the
 * probe that BBR makes for its round-trip time, made when there is a reason for it.
 *
 * **Worth.** Latency that is harmless can still hide a loss: of 4 ms that a client takes for a round, 1 ms more is a
 * fifth of its requests; and a service does not see all that its clients wait for. So each change is judged by what came
 * of it. A growth is taken back at once when latency is over t F, or when throughput rose by less than a quarter of
 * what connections did. Fewer connections are kept when throughput fell by less than a quarter of what they did.
 *
 * **Ceiling.** A limit that was taken back is remembered. The limit closes in on it by halves and stays just below it.
 * After `patience` periods it probes downwards, if that was not in vain since the last change, and then past the ceiling;
 * each time that the ceiling holds it waits twice as long, up to `patienceMax`. A probe downwards that connections do not
 * follow within `patience` periods is given up, since it refuses new ones meanwhile. Where connections changed by less than
 * a fiftieth, as within one tier of a packet filter, nothing is concluded from throughput.
 *
 * **States**, by latency R in a period with enough answers:
 *
 * | R                | what it does                                                                                |
 * | ---------------- | ------------------------------------------------------------------------------------------- |
 * | over t F, twice  | `shrinking` by the formula; `waiting` while connections beyond the limit have yet to close    |
 * | over t F, once   | `holding`                                                                                     |
 * | over √t F        | `holding`; if the limit is used, `probing` downwards, which is kept when it costs little      |
 * | up to √t F       | `growing` or `probing` if the limit is used, `holding` below the ceiling, else `unused`        |
 *
 * Low traffic changes nothing: an unused limit does not move unless there is a queue.
 */
export class GradientLimit implements Limit {
  readonly name = "gradient";
  readonly #bounds: Required<LimitBounds>;
  readonly #options: Required<Omit<GradientLimitOptions, keyof LimitBounds>>;
  #value: number;
  #floorNs: number;
  /** Latency of the period before; `null` when it had none. */
  #latencyBeforeNs: number | null = null;
  /** The least limit that was too much; `null` when none is known. */
  #ceiling: number | null = null;
  #trial: Trial | null = null;
  /** The beginning of the queue that is being relieved. */
  #queueFrom: Before | null = null;
  /** Whether the next probe below a ceiling goes down: it does after every change, until that has failed. */
  #isDownNext = true;
  #patience: number;
  /** Periods since the limit last moved. */
  #settled = 0;

  /**
   * @param options Bounds and behaviour
   * @throws {RangeError} when an option is out of range or contradicts another
   */
  constructor(options: GradientLimitOptions = {}) {
    this.#bounds = checkedBounds(options);
    this.#options = checkedOptions(options);
    this.#value = this.#bounds.initial;
    this.#floorNs = this.#options.harmlessLatencyNs;
    this.#patience = this.#options.patience;
  }

  get value(): number {
    return this.#value;
  }

  update(measurement: Measurement): LimitDecision {
    const latencyBeforeNs = this.#latencyBeforeNs;
    this.#latencyBeforeNs = null;
    this.#settled++;
    const unusable = whyUnusable(measurement);
    if (unusable !== null) return this.#rest(unusable);
    const { throughput, periodMs, connections } = measurement;
    const answers = throughput * periodMs / 1_000;
    if (answers < ANSWERS_MIN) {
      return this.#rest(`${Math.round(answers)} answers are too few to judge by`);
    }
    const latencyNs = measurement.latencyNs!;
    this.#latencyBeforeNs = latencyNs;
    this.#floorNs = Math.max(
      this.#options.harmlessLatencyNs,
      Math.min(this.#floorNs, latencyNs),
    );
    const steadyNs = Math.min(latencyNs, latencyBeforeNs ?? latencyNs);
    const now: Before = { limit: this.#value, connections, throughput, latencyNs };
    const most = this.#mostNs;

    if (this.#trial !== null) {
      const decision = this.#judge(this.#trial, now);
      if (decision !== null) return decision;
    }
    if (latencyNs > most) {
      return (latencyBeforeNs ?? 0) > most
        ? this.#relieve({ ...now, latencyNs: steadyNs })
        : this.#stay("holding", `latency ${ms(latencyNs)} is over ${ms(most)} for one period`);
    }
    this.#queueFrom = null;
    if (!isUsed(this.#value, measurement)) {
      return this.#stay(
        "unused",
        `${Math.round(connections)} connections do not need the limit`,
      );
    }
    return latencyNs > this.#freeNs ? this.#hold(now) : this.#grow(now);
  }

  /** Latency up to which there is no queue worth the name. */
  get #freeNs(): number {
    return this.#floorNs * Math.sqrt(this.#options.tolerance);
  }

  /** Latency beyond which there are too many connections. */
  get #mostNs(): number {
    return this.#floorNs * this.#options.tolerance;
  }

  /** Judges a change of the period before; `null` when it stands and the next may follow. */
  #judge(trial: Trial, now: Before): LimitDecision | null {
    if (trial.kind === "descent" && now.connections > this.#value * EXCESS) {
      return this.#settled <= this.#options.patience
        ? this.#stay("waiting", "connections beyond the limit have to close")
        : this.#giveUp(trial, now);
    }
    if (trial.kind === "probe" && isLatencyItsOwn(trial, now)) return this.#raiseFloor(trial, now);
    const change = now.connections / trial.connections - 1;
    if (trial.kind === "descent" && change > -CHANGE_MIN) return this.#giveUp(trial, now);
    this.#trial = null;
    const gain = now.throughput / trial.throughput - 1;
    const came = `connections changed by ${percent(change)}, throughput by ${percent(gain)}, ` +
      `latency from ${ms(trial.latencyNs)} to ${ms(now.latencyNs)}`;
    if (trial.kind === "descent") {
      this.#isDownNext = false;
      // From below a ceiling the probe upwards follows at once.
      const isBelowCeiling = trial.latencyNs <= this.#freeNs;
      // Throughput that fell more than a quarter as much as connections was worth them.
      if (gain >= change * WORTH_MIN) {
        this.#ceiling = trial.limit;
        this.#isDownNext = true;
        return this.#stay("holding", `${came}: fewer do as well`);
      }
      if (!isBelowCeiling && isServiceFree(trial, now)) return this.#raiseFloor(trial, now);
      const decision = this.#move(trial.limit, "growing", `${came}: back to ${trial.limit}`);
      if (isBelowCeiling) this.#settled = this.#patience - SETTLE_PERIODS;
      else this.#patience = Math.min(this.#options.patienceMax, this.#patience * 2);
      return decision;
    }
    const isTooMuch = now.latencyNs > this.#mostNs ||
      (change > CHANGE_MIN && gain < change * WORTH_MIN);
    this.#isDownNext = true;
    if (!isTooMuch) {
      // Connections that did not come, as within one tier of a packet filter, prove nothing: it grows on until they do.
      if (trial.kind === "probe" && change > CHANGE_MIN) this.#patience = this.#options.patience;
      return null;
    }
    if (trial.kind === "probe") {
      this.#patience = Math.min(this.#options.patienceMax, this.#patience * 2);
    }
    this.#ceiling = Math.min(this.#value, trial.ceiling ?? this.#value);
    return this.#move(trial.limit, "shrinking", `${came}: back to ${trial.limit}`);
  }

  /** Ends a descent that connections do not follow. */
  #giveUp(trial: Trial, now: Before): LimitDecision {
    this.#trial = null;
    this.#ceiling = trial.ceiling;
    this.#isDownNext = false;
    // Where there is some queue, it would be tried again every time.
    if (trial.latencyNs > this.#freeNs) {
      this.#patience = Math.min(this.#options.patienceMax, this.#patience * 2);
    }
    return this.#move(
      trial.limit,
      "growing",
      `connections went from ${Math.round(trial.connections)} to ${
        Math.round(now.connections)
      }, too little to judge by: back to ${trial.limit}`,
    );
  }

  /** There is a queue, or what looks like one. */
  #relieve(now: Before): LimitDecision {
    const { minimum } = this.#bounds;
    const { connections, latencyNs } = now;
    const most = this.#mostNs;
    const over = `latency ${ms(latencyNs)} is over ${ms(most)}`;
    if (connections < minimum * LIMIT_USED_SHARE) {
      return this.#stay(
        "unused",
        `${over} with ${Math.round(connections)} connections, fewer than the least limit`,
      );
    }
    if (this.#queueFrom !== null && isLatencyItsOwn(this.#queueFrom, now)) {
      return this.#raiseFloor(this.#queueFrom, now);
    }
    if (connections > this.#value * EXCESS) {
      return this.#stay(
        "waiting",
        `${over}; of ${Math.round(connections)} connections those beyond the limit have to close`,
      );
    }
    if (this.#value === minimum) {
      // Only more connections can tell whether latency comes from their number.
      return this.#settled <= this.#patience
        ? this.#stay("holding", `${over} at the least limit`)
        : this.#probe(now, PROBE_GROWTH_AT_MINIMUM, `${over} at the least limit`);
    }
    this.#queueFrom ??= now;
    this.#ceiling = Math.min(this.#value, Math.ceil(connections));
    this.#patience = this.#options.patience;
    this.#isDownNext = true;
    return this.#move(
      Math.min(this.#value, relieved(now, most)),
      "shrinking",
      `${over}: of ${Math.round(connections)} connections ${
        Math.round(inside(now))
      } are in the service, more than it needs`,
    );
  }

  #raiseFloor(before: Before, now: Before): LimitDecision {
    this.#floorNs = Math.min(this.#options.floorMaxNs, Math.max(this.#floorNs, now.latencyNs));
    this.#queueFrom = null;
    this.#trial = null;
    this.#ceiling = null;
    this.#patience = this.#options.patience;
    return this.#move(
      Math.max(before.limit, this.#value),
      "growing",
      `latency was ${ms(before.latencyNs)} with ${Math.round(before.connections)} connections ` +
        `and is ${ms(now.latencyNs)} with ${
          Math.round(now.connections)
        }: it is the service's own, the floor is now ${ms(this.#floorNs)}`,
    );
  }

  /** There is some queue, not too much of it. */
  #hold(now: Before): LimitDecision {
    const some = `latency ${ms(now.latencyNs)} is between ${ms(this.#freeNs)} and ${
      ms(this.#mostNs)
    }`;
    return this.#settled <= this.#patience || this.#value === this.#bounds.minimum
      ? this.#stay("holding", some)
      : this.#descend(now, PROBE_IN_QUEUE, some);
  }

  /** Tries whether fewer connections would do as well. */
  #descend(now: Before, share: number, why: string): LimitDecision {
    this.#trial = { ...now, kind: "descent", ceiling: this.#ceiling };
    const target = Math.min(relieved(now, this.#floorNs), now.connections * (1 - share));
    return this.#move(
      Math.min(this.#value, target),
      "probing",
      `${why}: trying whether fewer connections do as well`,
    );
  }

  /** There is no queue, and the limit is used. */
  #grow(now: Before): LimitDecision {
    const limit = this.#value, ceiling = this.#ceiling;
    const free = `latency ${ms(now.latencyNs)} with ${
      Math.round(now.connections)
    } connections is free of a queue`;
    if (limit === this.#bounds.maximum) {
      return this.#isDownNext && this.#settled > this.#patience
        ? this.#descend(now, PROBE, `${free}, at the maximum`)
        : this.#stay("holding", `${free}, at the maximum`);
    }
    if (ceiling === null) {
      this.#trial = { ...now, kind: "growth", ceiling };
      return this.#move(limit + Math.max(1, limit * this.#options.growth), "growing", free);
    }
    if (limit < ceiling * CEILING_NEAR) {
      if (this.#settled <= SETTLE_PERIODS) return this.#stay("holding", `${free}; settling`);
      this.#trial = { ...now, kind: "growth", ceiling };
      return this.#move((limit + ceiling) / 2, "growing", `${free}, the ceiling is ${ceiling}`);
    }
    const below = `${free}, just below the ceiling of ${ceiling}`;
    if (this.#settled <= this.#patience) return this.#stay("holding", below);
    return this.#isDownNext && limit > this.#bounds.minimum
      ? this.#descend(now, PROBE, below)
      : this.#probe(now, PROBE, below);
  }

  #probe(now: Before, growth: number, why: string): LimitDecision {
    const limit = this.#value;
    this.#trial = { ...now, kind: "probe", ceiling: this.#ceiling };
    this.#ceiling = null;
    return this.#move(
      limit + Math.max(1, limit * growth),
      "probing",
      `${why}: trying whether the service bears more by now`,
    );
  }

  /** Nothing can be judged in this period; a change that waited for it is taken back. */
  #rest(reason: string): LimitDecision {
    const trial = this.#trial;
    if (trial === null) return this.#stay("unused", reason);
    this.#trial = null;
    this.#ceiling = trial.ceiling;
    return this.#move(trial.limit, "unused", `${reason}: back to ${trial.limit}`);
  }

  #stay(state: LimitState, reason: string): LimitDecision {
    return this.#decision(this.#value, state, reason);
  }

  #move(limit: number, state: LimitState, reason: string): LimitDecision {
    const previous = this.#value;
    this.#value = withinBounds(limit, this.#bounds, previous);
    this.#settled = 0;
    return this.#decision(previous, state, reason);
  }

  #decision(previous: number, state: LimitState, reason: string): LimitDecision {
    return {
      limit: this.#value,
      previous,
      state,
      reason,
      figures: {
        floor_seconds: this.#floorNs / 1e9,
        ceiling: this.#ceiling ?? this.#bounds.maximum,
        patience_periods: this.#patience,
      },
    };
  }
}

/** Requests that are in the service, by Little's law. */
function inside({ connections, throughput, latencyNs }: Before): number {
  return Math.min(connections, throughput * latencyNs / 1e9);
}

/** Connections with which latency would be so much, by the formula. */
function relieved(now: Before, aimNs: number): number {
  const gradient = Math.min(1, Math.max(GRADIENT_MIN, aimNs / now.latencyNs));
  return Math.floor(now.connections - inside(now) * (1 - gradient));
}

/** Whether throughput fell with connections while latency stayed: then none of them had waited for another. */
function isServiceFree(before: Before, now: Before): boolean {
  return before.connections >= now.connections * COMPARED_BOTH &&
    now.throughput / before.throughput - 1 <=
      (now.connections / before.connections - 1) * (1 - WORTH_MIN) &&
    before.latencyNs <= now.latencyNs * SAME_LATENCY;
}

/** Whether latency stayed while connections changed a lot: then it does not come from their number. */
function isLatencyItsOwn(before: Before, now: Before): boolean {
  const [few, many] = before.connections < now.connections ? [before, now] : [now, before];
  return many.connections >= few.connections * COMPARED_CONNECTIONS &&
    many.latencyNs <= few.latencyNs * SAME_LATENCY;
}

function checkedOptions(
  options: GradientLimitOptions,
): Required<Omit<GradientLimitOptions, keyof LimitBounds>> {
  const {
    harmlessLatencyNs = 1_000_000,
    tolerance = 3,
    floorMaxNs = Math.max(250_000_000, harmlessLatencyNs),
    growth = 0.2,
    patience = 6,
    patienceMax = Math.max(120, patience),
  } = options;
  check("harmlessLatencyNs", harmlessLatencyNs, 1_000, 60e9);
  check("tolerance", tolerance, 1.1, 100);
  check("floorMaxNs", floorMaxNs, harmlessLatencyNs, 600e9);
  check("growth", growth, 0.01, 1);
  check("patience", patience, 1, 100_000);
  check("patienceMax", patienceMax, patience, 100_000);
  return { harmlessLatencyNs, tolerance, floorMaxNs, growth, patience, patienceMax };
}

function check(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new RangeError(`${name} of ${value}: use ${least} to ${most}`);
}

function ms(ns: number): string {
  return `${(ns / 1e6).toPrecision(3)} ms`;
}

function percent(share: number): string {
  return `${share < 0 ? "" : "+"}${(share * 100).toFixed(0)} %`;
}
