import { PERIOD_COMPLETE_SHARE, PERIOD_GAP_MAX, PERIOD_MS_MAX, PERIOD_MS_MIN } from "./limits.ts";

/** What a service counted since it started, at one moment. Counters grow; they begin again at 0 when it restarts. */
export interface CumulativeReading {
  /** When it was read, in milliseconds of any clock that only goes forward, such as performance.now(). */
  atMs: number;
  /** Requests answered; refusals for want of room (429, 503) are none. */
  requests: number;
  /** Sum of the times from a request becoming readable to its answer, in seconds. */
  durationSeconds: number;
  /** How many times are in that sum. */
  durations: number;
  /** Connections that are open at this moment. */
  connections: number;
  /** Connections refused for want of room. */
  rejections: number;
}

/** What a service did during one period. All numbers are finite and none is negative. */
export interface Measurement {
  /** How long the period was, in milliseconds. */
  periodMs: number;
  /** Requests answered a second. */
  throughput: number;
  /** Mean time from readable to answered, in nanoseconds; `null` when nothing was answered. */
  latencyNs: number | null;
  /**
   * Connections open: the mean over the period, not the greatest, since it is set against throughput and latency, which
   * are means too (Little's law). That a limit was reached for a moment shows in the rejections.
   */
  connections: number;
  /** Connections refused for want of room, a second. */
  rejectionRate: number;
}

/** A reading that cannot be used. The message names the figure and its value. */
export class ReadingError extends Error {
  override name = "ReadingError";
}

const FIGURES = [
  "atMs",
  "requests",
  "durationSeconds",
  "durations",
  "connections",
  "rejections",
] as const;
const COUNTERS = ["requests", "durationSeconds", "durations", "rejections"] as const;

/**
 * Makes measurements from readings: one for each period, from the first reading of it to the last, which is the first
 * of the next. It may be fed more often than once a period; then connections are averaged over more readings.
 *
 * It starts over, and tells nothing of the time before, when a counter went back (the service restarted), when the clock
 * did not move on, and after a gap of several periods.
 *
 * @example
 * ```ts
 * import { MeasurementWindow } from "./measurement.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const window = new MeasurementWindow(1_000);
 * const idle = { requests: 0, durationSeconds: 0, durations: 0, connections: 10, rejections: 0 };
 * assertEquals(window.add({ ...idle, atMs: 0 }), null);
 * assertEquals(
 *   window.add({ ...idle, atMs: 1_000, requests: 500, durations: 500, durationSeconds: 0.5 }),
 *   { periodMs: 1_000, throughput: 500, latencyNs: 1_000_000, connections: 10, rejectionRate: 0 },
 * );
 * ```
 */
export class MeasurementWindow {
  readonly #periodMs: number;
  #first: CumulativeReading | null = null;
  #last: CumulativeReading | null = null;
  /** Connections times milliseconds. */
  #connectionTime = 0;

  /**
   * @param periodMs Length of a period, in milliseconds
   * @throws {RangeError} when it is out of bounds
   */
  constructor(periodMs: number) {
    if (!(periodMs >= PERIOD_MS_MIN && periodMs <= PERIOD_MS_MAX)) {
      throw new RangeError(
        `period of ${periodMs} ms: use ${PERIOD_MS_MIN} to ${PERIOD_MS_MAX} ms`,
      );
    }
    this.#periodMs = periodMs;
  }

  /**
   * Takes a reading.
   *
   * @returns The measurement of the period that this reading ends, or `null` while it lasts
   * @throws {ReadingError} when a figure is no number or negative; the window stays as it was
   */
  add(reading: CumulativeReading): Measurement | null {
    for (const figure of FIGURES) {
      if (Number.isFinite(reading[figure]) && reading[figure] >= 0) continue;
      throw new ReadingError(`${figure} is ${reading[figure]}: it must be a number from 0 on`);
    }
    const first = this.#first, last = this.#last;
    if (first === null || last === null || !isContinued(first, last, reading, this.#periodMs)) {
      return this.#startAt(reading);
    }
    this.#connectionTime += (last.connections + reading.connections) / 2 *
      (reading.atMs - last.atMs);
    this.#last = reading;
    const periodMs = reading.atMs - first.atMs;
    if (periodMs < this.#periodMs * PERIOD_COMPLETE_SHARE) return null;

    const seconds = periodMs / 1_000;
    const durations = reading.durations - first.durations;
    const durationSeconds = reading.durationSeconds - first.durationSeconds;
    const measurement: Measurement = {
      periodMs,
      throughput: (reading.requests - first.requests) / seconds,
      latencyNs: durations > 0 ? durationSeconds / durations * 1e9 : null,
      connections: this.#connectionTime / periodMs,
      rejectionRate: (reading.rejections - first.rejections) / seconds,
    };
    this.#startAt(reading);
    return measurement;
  }

  #startAt(reading: CumulativeReading): null {
    this.#first = this.#last = reading;
    this.#connectionTime = 0;
    return null;
  }
}

function isContinued(
  first: CumulativeReading,
  last: CumulativeReading,
  reading: CumulativeReading,
  periodMs: number,
): boolean {
  return reading.atMs > last.atMs && reading.atMs - first.atMs <= periodMs * PERIOD_GAP_MAX &&
    COUNTERS.every((counter) => reading[counter] >= last[counter]);
}
