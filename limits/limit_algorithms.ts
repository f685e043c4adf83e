import { GradientLimit } from "./gradient_limit.ts";
import type { Limit, LimitBounds } from "./limit.ts";
import { StepLimit } from "./step_limit.ts";

/** The algorithms by name, the best first. */
export const LIMIT_ALGORITHMS = ["gradient", "step"] as const;

/** Name of an algorithm. */
export type LimitAlgorithm = typeof LIMIT_ALGORITHMS[number];

/** Whether an algorithm has that name. */
export function isLimitAlgorithm(name: string): name is LimitAlgorithm {
  return (LIMIT_ALGORITHMS as readonly string[]).includes(name);
}

/**
 * A new limit of the algorithm with that name.
 *
 * @throws {RangeError} when the bounds contradict each other
 *
 * @example
 * ```ts
 * import { createLimit } from "./limit_algorithms.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const limit = createLimit("gradient", { minimum: 100, maximum: 2_000, initial: 800 });
 * const { reason } = limit.update({
 *   periodMs: 5_000,
 *   throughput: 40_000,
 *   latencyNs: 50_000,
 *   connections: 300,
 *   rejectionRate: 0,
 * });
 * assertEquals(reason, "300 connections do not need the limit");
 * ```
 */
export function createLimit(name: LimitAlgorithm, bounds: LimitBounds = {}): Limit {
  return name === "gradient" ? new GradientLimit(bounds) : new StepLimit(bounds);
}
