/**
 * When the requests of an open loop are due: one every `1 / rate` seconds, whatever the answers take. What waits for a
 * connection needs no memory, since the time of a request follows from its number.
 *
 * @example
 * ```ts
 * import { Schedule } from "./schedule.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const schedule = new Schedule(100, Infinity, 5_000);
 * assertEquals(schedule.dueBy(5_025), 3);
 * assertEquals(schedule.timeOf(2), 5_020);
 * ```
 */
export class Schedule {
  readonly #intervalMs: number;
  readonly #requests: number;
  readonly #startMs: number;

  /**
   * @param rate Requests a second
   * @param requests How many there are
   * @param startMs When the first is due
   */
  constructor(rate: number, requests: number, startMs: number) {
    this.#intervalMs = 1_000 / rate;
    this.#requests = requests;
    this.#startMs = startMs;
  }

  /** How many requests are due by a time. */
  dueBy(nowMs: number): number {
    if (nowMs < this.#startMs) return 0;
    return Math.min(this.#requests, Math.floor((nowMs - this.#startMs) / this.#intervalMs) + 1);
  }

  /** When a request is due, from number 0; one that there is not is never due. */
  timeOf(number: number): number {
    return number < this.#requests ? this.#startMs + number * this.#intervalMs : Infinity;
  }
}
