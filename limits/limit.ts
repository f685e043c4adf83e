import {
  LIMIT_CEILING,
  LIMIT_INITIAL,
  LIMIT_MAXIMUM,
  LIMIT_MINIMUM,
  LIMIT_USED_SHARE,
} from "./limits.ts";
import type { Measurement } from "./measurement.ts";

/**
 * What a limit is doing, for metrics:
 * `unused` the limit does not bind, or there is nothing to judge by; `holding` it binds and is right;
 * `growing`, `shrinking` it moves; `probing` it tries whether what was too much before still is;
 * `waiting` connections beyond the limit have to close before more can be said.
 */
export type LimitState =
  | "unused"
  | "holding"
  | "growing"
  | "shrinking"
  | "probing"
  | "waiting";

/** What was decided after one period. */
export interface LimitDecision {
  /** The limit from now on: a whole number within the bounds. */
  limit: number;
  /** The limit until now. */
  previous: number;
  state: LimitState;
  /** A sentence for the log that says why, with the figures that decided. */
  reason: string;
  /** Further figures for metrics, all finite. */
  figures: Readonly<Record<string, number>>;
}

/**
 * An algorithm that decides how many connections a service should have, from what the service did in the last period.
 * It is pure: no clock, no randomness, no input or output. The same measurements give the same decisions. Who gets in
 * is a limiter's business (`adaptive_limiter.ts`), what happened is a measurement's (`measurement.ts`).
 */
export interface Limit {
  /** The name by which it is chosen. */
  readonly name: string;
  /** The limit that holds now: a whole number within the bounds. */
  readonly value: number;
  /**
   * Takes what happened in a period, the one after the last call, and decides. It never throws: what makes no sense
   * changes nothing.
   */
  update(measurement: Measurement): LimitDecision;
}

/** Between what a limit moves. */
export interface LimitBounds {
  /** The least limit; {@linkcode LIMIT_MINIMUM} by default. */
  minimum?: number;
  /** The greatest limit; {@linkcode LIMIT_MAXIMUM} by default. */
  maximum?: number;
  /** The first limit; {@linkcode LIMIT_INITIAL} by default, or the bound that is nearest to it. */
  initial?: number;
}

/**
 * The bounds, complete and checked.
 *
 * @throws {RangeError} when one is no whole number, or they contradict each other
 */
export function checkedBounds(bounds: LimitBounds): Required<LimitBounds> {
  const { minimum = LIMIT_MINIMUM, maximum = LIMIT_MAXIMUM } = bounds;
  const { initial = Math.min(Math.max(LIMIT_INITIAL, minimum), maximum) } = bounds;
  for (const [name, value] of Object.entries({ minimum, maximum, initial })) {
    if (!Number.isInteger(value) || value < 1 || value > LIMIT_CEILING) {
      throw new RangeError(`${name} limit of ${value}: use a whole number to ${LIMIT_CEILING}`);
    }
  }
  if (minimum > maximum) {
    throw new RangeError(`minimum limit of ${minimum}: it is greater than the maximum, ${maximum}`);
  }
  if (initial < minimum || initial > maximum) {
    throw new RangeError(`initial limit of ${initial}: use ${minimum} to ${maximum}`);
  }
  return { minimum, maximum, initial };
}

/** A whole number within the bounds, nearest to a finite one; `otherwise` for what is not finite. */
export function withinBounds(
  value: number,
  { minimum, maximum }: Required<LimitBounds>,
  otherwise: number,
): number {
  if (!Number.isFinite(value)) return otherwise;
  return Math.min(maximum, Math.max(minimum, Math.round(value)));
}

/** Why a measurement cannot be judged by, or `null` when it can. */
export function whyUnusable(measurement: Measurement): string | null {
  const { periodMs, throughput, latencyNs, connections, rejectionRate } = measurement;
  const figures = { periodMs, throughput, latencyNs: latencyNs ?? 0, connections, rejectionRate };
  for (const [name, value] of Object.entries(figures)) {
    // What Number.MAX_SAFE_INTEGER cannot hold, no service did; products of two such stay finite.
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) return `${name} is ${value}`;
  }
  if (periodMs === 0) return "the period has no length";
  if (throughput === 0 || latencyNs === null) return "nothing was answered";
  return null;
}

/** Whether a limit binds: connections are near it, or some were refused. Only then may it grow. */
export function isUsed(limit: number, { connections, rejectionRate }: Measurement): boolean {
  return connections >= limit * LIMIT_USED_SHARE || rejectionRate > 0;
}
