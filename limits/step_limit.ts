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
import { EXCESS, LIMIT_CEILING, STEPS_MAX } from "./limits.ts";
import type { Measurement } from "./measurement.ts";

/** Options of {@linkcode StepLimit}. */
export interface StepLimitOptions extends LimitBounds {
  /** How far the limit moves at a time; 100 by default. */
  step?: number;
  /** Share of the peak that throughput may fall by before the limit goes down; 0.1 by default. */
  drop?: number;
  /** Steady periods before the limit goes up; 3 by default. */
  steadyPeriods?: number;
  /** Periods after which what a limit gave is forgotten, unless it was seen again; 120 by default. */
  memoryPeriods?: number;
}

/** Share of a step's worth of throughput that a step up has to bring. */
const WORTH_MIN = 0.25;
/** Periods over which the noise of throughput is averaged. */
const NOISE_PERIODS = 60;
/** Deviations of throughput that it may be under the peak. */
const NOISE_DEVIATIONS = 2;
/** Periods in a row under the peak before the limit moves: one alone is noise. */
const LOW_PERIODS = 2;
/** Steps down without a gain, after which the peak is no longer believed. */
const STEPS_IN_VAIN = 2;
/** Periods that the mean of what a limit gave goes back. */
const MEAN_PERIODS_MAX = 60;

/** What so many connections gave. */
interface Outcome {
  /** Mean of the throughput, in requests a second. */
  throughput: number;
  /** How many periods are in the mean. */
  periods: number;
  /** When it was last seen, in periods. */
  at: number;
}

/**
 * A limit led by throughput, in steps.
 *
 * **Idea.** More connections than a service can bear lower its throughput; so a limit that is used and gives clearly
 * less than the best that is remembered is wrong, and one that gives as much may be too small.
 *
 * **Formula.** With throughput X at limit L, step s, and peak the greatest of what any limit is remembered to have given:
 *
 * ```
 * X < (1 - drop) peak, twice, and under it
 *   by two deviations of noise                a step towards the limit of the peak
 * three periods in a row no worse than that:
 *   L brought under a quarter of its worth,
 *   or no more than the error of the means    L - s
 *   L + s is unknown, or worth it             L + s
 *   L - s is unknown                          L - s
 * worth of a step from L to L + s             X times s / L: as if only connections were missing
 * ```
 *
 * So it climbs while steps pay, comes back from one that does not, and looks whether one step less gives as much. What a
 * limit gave is a mean, and is forgotten when it was not seen for `memoryPeriods`: that lets a step be tried again.
 * When the limit of the peak itself gives less, or two steps down bring nothing, the service as a whole has become
 * slower and all is forgotten at once. A limit that is not used learns only what its connections gave at least.
 *
 * **States.** `unused`: the limit does not bind, and does not move. `holding`: it binds; steady periods are being counted,
 * or both neighbours are known to be no better. `growing`, `shrinking`: a step. It has no sense of latency, and none of a
 * collapse below the limit.
 */
export class StepLimit implements Limit {
  readonly name = "step";
  readonly #bounds: Required<LimitBounds>;
  readonly #options: Required<Omit<StepLimitOptions, keyof LimitBounds>>;
  /** By limit. Bounded, since limits are steps away from the first one, or bounds. */
  readonly #outcomes = new Map<number, Outcome>();
  #value: number;
  #period = 0;
  /** Variance of throughput at one limit from period to period, as a share of it squared. */
  #variance = 0;
  /** Periods in a row at this limit that were no worse than the peak. */
  #steady = 0;
  /** Periods in a row at this limit that were worse. */
  #low = 0;
  /** Periods at this limit; the first one has none before it that could reach into it. */
  #settled = 1;
  /** Throughput when the limit began to go down step after step, and how many steps it went. */
  #descent: { throughput: number; steps: number } | null = null;

  /**
   * @param options Bounds and behaviour
   * @throws {RangeError} when an option is out of range or contradicts another
   */
  constructor(options: StepLimitOptions = {}) {
    this.#bounds = checkedBounds(options);
    const { step = 100, drop = 0.1, steadyPeriods = 3, memoryPeriods = 120 } = options;
    const { minimum, maximum } = this.#bounds;
    check("step", step, 1, LIMIT_CEILING, Number.isInteger(step));
    if ((maximum - minimum) / step > STEPS_MAX) {
      throw new RangeError(
        `step of ${step}: ${minimum} to ${maximum} are more than ${STEPS_MAX} steps, use a greater one`,
      );
    }
    check("drop", drop, 0.01, 0.9);
    check("steadyPeriods", steadyPeriods, 1, 1_000, Number.isInteger(steadyPeriods));
    check("memoryPeriods", memoryPeriods, steadyPeriods, 1_000_000);
    this.#options = { step, drop, steadyPeriods, memoryPeriods };
    this.#value = this.#bounds.initial;
  }

  get value(): number {
    return this.#value;
  }

  update(measurement: Measurement): LimitDecision {
    this.#period++;
    this.#forget();
    const unusable = whyUnusable(measurement);
    if (unusable !== null) return this.#rest(unusable);
    const { throughput, connections } = measurement;
    if (!isUsed(this.#value, measurement)) {
      this.#rememberAtLeast(this.#limitFor(connections), throughput);
      return this.#rest(`${Math.round(connections)} connections do not need the limit`);
    }
    if (connections > this.#value * EXCESS) {
      return this.#stay(
        "waiting",
        `of ${Math.round(connections)} connections those beyond the limit have to close`,
      );
    }
    // The first period after a step still has connections, and answers, of the limit before.
    if (this.#settled++ === 0) {
      return this.#stay("holding", "the first period of this limit is not counted");
    }
    return this.#judge(throughput);
  }

  #judge(throughput: number): LimitDecision {
    const { drop, steadyPeriods } = this.#options;
    const peak = this.#peak();
    const gives = `${rate(throughput)} against a peak of ${rate(peak.throughput)} at ${peak.limit}`;
    const noise = Math.sqrt(this.#variance) * NOISE_DEVIATIONS;
    if (throughput < peak.throughput * (1 - Math.max(drop, noise))) {
      this.#steady = 0;
      if (++this.#low < LOW_PERIODS) return this.#stay("holding", `${gives} for one period`);
      return this.#approachPeak(throughput, peak.limit, gives);
    }
    this.#remember(throughput);
    this.#low = 0;
    this.#descent = null;
    if (++this.#steady < steadyPeriods) {
      return this.#stay("holding", `${gives}: ${this.#steady} steady periods`);
    }
    const here = this.#value, below = this.#next(-1), above = this.#next(1);
    if (this.#worth(below, here) === "little") {
      return this.#move(below, "shrinking", `${gives}: ${below} gives as much`);
    }
    const worthAbove = this.#worth(here, above);
    if (above > here && worthAbove !== "little") {
      return this.#move(above, "growing", `${gives}: ${this.#steady} steady periods`);
    }
    if (below < here && !this.#outcomes.has(below)) {
      return this.#move(below, "shrinking", `${gives}: trying whether ${below} gives as much`);
    }
    return this.#stay("holding", `${gives}: neither ${below} nor ${above} is better`);
  }

  /** Throughput is under the peak, and stays there. */
  #approachPeak(throughput: number, peakLimit: number, gives: string): LimitDecision {
    this.#remember(throughput);
    const descent = this.#descent ??= { throughput, steps: 0 };
    const isInVain = descent.steps >= STEPS_IN_VAIN &&
      throughput < descent.throughput * (1 + this.#options.drop);
    if (peakLimit === this.#value || isInVain) {
      this.#outcomes.clear();
      this.#remember(throughput);
      this.#rest("");
      return this.#stay("holding", `${gives}: the service as a whole has become slower`);
    }
    if (peakLimit > this.#value) return this.#move(this.#next(1), "growing", gives);
    descent.steps++;
    return this.#move(this.#next(-1), "shrinking", gives);
  }

  /** What the greater of two neighbouring limits gives beyond the lesser. */
  #worth(lesser: number, greater: number): "unknown" | "little" | "enough" {
    const less = this.#outcomes.get(lesser), more = this.#outcomes.get(greater);
    if (less === undefined || more === undefined || lesser === greater) return "unknown";
    const gain = more.throughput - less.throughput;
    const least = less.throughput * WORTH_MIN * (greater - lesser) / lesser;
    const error = less.throughput *
      Math.sqrt(this.#variance * (1 / less.periods + 1 / more.periods));
    return gain < Math.max(least, error) ? "little" : "enough";
  }

  #remember(throughput: number): void {
    const outcome = this.#outcomes.get(this.#value) ??
      { throughput, periods: 0, at: 0 };
    outcome.periods = Math.min(outcome.periods + 1, MEAN_PERIODS_MAX);
    const difference = throughput - outcome.throughput;
    if (outcome.periods > 1) {
      // A mean of n - 1 deviates too: by so much more the difference to it varies.
      const square = (difference / outcome.throughput) ** 2 * (1 - 1 / outcome.periods);
      this.#variance += (Math.min(1, square) - this.#variance) / NOISE_PERIODS;
    }
    outcome.throughput += difference / outcome.periods;
    outcome.at = this.#period;
    this.#outcomes.set(this.#value, outcome);
  }

  #rememberAtLeast(limit: number, throughput: number): void {
    const outcome = this.#outcomes.get(limit);
    if (outcome !== undefined && outcome.throughput >= throughput) return;
    this.#outcomes.set(limit, { throughput, periods: 1, at: this.#period });
  }

  #forget(): void {
    for (const [limit, { at }] of this.#outcomes) {
      if (this.#period - at > this.#options.memoryPeriods) this.#outcomes.delete(limit);
    }
  }

  #peak(): { limit: number; throughput: number } {
    let peak = { limit: this.#value, throughput: 0 };
    for (const [limit, { throughput }] of this.#outcomes) {
      if (throughput > peak.throughput) peak = { limit, throughput };
    }
    return peak;
  }

  /** The limit a step away. */
  #next(direction: 1 | -1): number {
    return withinBounds(this.#value + direction * this.#options.step, this.#bounds, this.#value);
  }

  /** The least limit, whole steps below the current one, that would let in so many connections. */
  #limitFor(connections: number): number {
    const { step } = this.#options;
    const steps = Math.max(0, Math.floor((this.#value - connections) / step));
    return withinBounds(this.#value - steps * step, this.#bounds, this.#value);
  }

  /** Nothing can be judged in this period. */
  #rest(reason: string): LimitDecision {
    this.#steady = 0;
    this.#low = 0;
    this.#descent = null;
    return this.#stay("unused", reason);
  }

  #stay(state: LimitState, reason: string): LimitDecision {
    return this.#decision(this.#value, state, reason);
  }

  #move(limit: number, state: LimitState, reason: string): LimitDecision {
    const previous = this.#value;
    this.#value = limit;
    this.#steady = 0;
    this.#low = 0;
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
        peak_requests_per_second: this.#peak().throughput,
        limits_remembered: this.#outcomes.size,
        steady_periods: this.#steady,
      },
    };
  }
}

function check(
  name: string,
  value: number,
  least: number,
  most: number,
  isKind: boolean = true,
): void {
  if (isKind && value >= least && value <= most) return;
  throw new RangeError(`${name} of ${value}: use ${least} to ${most}`);
}

function rate(throughput: number): string {
  return `${Math.round(throughput)}/s`;
}
