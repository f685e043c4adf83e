/**
 * What is done with more than can be served well. Four things are kept apart:
 *
 * - a *measurement* says what the service did in a period (`measurement.ts`, `metrics_reading.ts`);
 * - a *limit* is an algorithm that decides from it how many connections are right, pure, chosen by name
 *   (`gradient_limit.ts`, `step_limit.ts`);
 * - a *limiter* reads, decides and has an enforcement keep the others out (`adaptive_limiter.ts`), such as the kernel's
 *   packet filter (`packet_filter.ts`);
 * - *token buckets* bound how many requests a second are let through (`rate_limiter.ts`).
 *
 * `simulator.ts` drives the algorithms without a socket: `deno task bench:limits`. `main.ts` is the limiter as a program
 * of its own: `deno task limiter`. Knows nothing of events.
 *
 * @module
 */
export * from "./adaptive_limiter.ts";
export * from "./client_address.ts";
export * from "./gradient_limit.ts";
export { chooseTiers } from "./ladder_rules.ts";
export * from "./limit.ts";
export * from "./limit_algorithms.ts";
export * from "./limiter_metrics.ts";
export * from "./measurement.ts";
export * from "./metrics_reading.ts";
export { PacketFilterError } from "./nft.ts";
export * from "./packet_filter.ts";
export * from "./rate_limiter.ts";
export * from "./rate_refusal.ts";
export * from "./scaling_signals.ts";
export * from "./step_limit.ts";
