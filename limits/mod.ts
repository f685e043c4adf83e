/**
 * How many connections a service should have, and seeing to it. Three things are kept apart:
 *
 * - a *measurement* says what the service did in a period (`measurement.ts`, `metrics_reading.ts`);
 * - a *limit* is an algorithm that decides from it, pure, chosen by name (`gradient_limit.ts`, `step_limit.ts`);
 * - a *limiter* reads, decides and has an enforcement keep the others out (`adaptive_limiter.ts`).
 *
 * `simulator.ts` drives the algorithms without a socket: `deno task bench:limits`. Knows nothing of events.
 *
 * @module
 */
export * from "./adaptive_limiter.ts";
export * from "./gradient_limit.ts";
export * from "./limit.ts";
export * from "./limit_algorithms.ts";
export * from "./measurement.ts";
export * from "./metrics_reading.ts";
export * from "./step_limit.ts";
