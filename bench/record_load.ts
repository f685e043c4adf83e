import type { Run } from "./samples.ts";

/** What a round of load showed; what a bench does not look at is left out. */
export interface MeasuredLoad {
  requestsPerSecond?: number;
  /** Of the server for each request. */
  cpuMicroseconds?: number;
  p50Ms?: number;
  p99Ms?: number;
  maxMs?: number;
  /** Mean size of an answer, its head included. */
  wireBytes?: number;
  errors?: number;
}

/** What each figure is called in the samples, and its unit. */
export const MEASURES: Record<keyof MeasuredLoad, [measure: string, unit: string]> = {
  requestsPerSecond: ["requests_per_second", "requests/s"],
  cpuMicroseconds: ["cpu_us_per_request", "µs"],
  p50Ms: ["p50_ms", "ms"],
  p99Ms: ["p99_ms", "ms"],
  maxMs: ["max_ms", "ms"],
  wireBytes: ["wire_bytes", "bytes"],
  errors: ["errors", ""],
};

/**
 * Takes rounds of load down, one repetition each.
 *
 * @throws As {@linkcode Run.record}
 */
export function recordLoad(
  run: Run,
  subject: string,
  workload: string,
  rounds: readonly MeasuredLoad[],
): void {
  for (const [figure, [measure, unit]] of Object.entries(MEASURES)) {
    rounds.forEach((round, i) => {
      const value = round[figure as keyof MeasuredLoad];
      if (value === undefined) return;
      run.record({ subject, workload, measure, unit, value, repetition: i + 1 });
    });
  }
}
