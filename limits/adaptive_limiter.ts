import type { Limit, LimitDecision } from "./limit.ts";
import { ERROR_CHARACTERS_MAX, REPORTS_KEPT } from "./limits.ts";
import { type CumulativeReading, type Measurement, MeasurementWindow } from "./measurement.ts";

/** What keeps connections beyond a limit out: a packet filter, or the service itself. */
export interface LimitEnforcement {
  /**
   * Puts a limit in force.
   *
   * @param limit A whole number of connections
   * @param signal Aborts when it takes too long; what is put in force afterwards must be no older limit than the next
   * @returns The limit that is in force now: the same, or what tiers make of it
   */
  apply(limit: number, signal: AbortSignal): Promise<number>;
}

/** What one period came to. */
export type LimiterReport =
  & {
    /** When, in milliseconds since 1970. */
    at: number;
    /** The limit that the algorithm wants. */
    limit: number;
    /** The limit that is in force; `null` before one ever was. */
    inForce: number | null;
  }
  & (
    /** There was a measurement, and this is what it led to. */
    | { kind: "decision"; decision: LimitDecision; measurement: Measurement }
    /** A period has begun, and there is nothing to compare its reading with yet. */
    | { kind: "begun" }
    /** Something failed: nothing has changed, and it is tried again in the next period. */
    | { kind: "failure"; what: "reading" | "enforcement"; error: string }
  );

/** What {@linkcode AdaptiveLimiter} is made of. */
export interface AdaptiveLimiterOptions {
  /** Decides. */
  limit: Limit;
  /** Keeps connections out. */
  enforcement: LimitEnforcement;
  /** Reads what the service counted; it should end when the signal aborts. */
  read(signal: AbortSignal): Promise<CumulativeReading>;
  /** Told of every period, for log and metrics. What it throws is dropped. */
  report?(report: LimiterReport): void;
  /** Milliseconds between two decisions. */
  periodMs: number;
}

/**
 * Moves a connection limit, period by period: reads, measures, decides, enforces, reports.
 *
 * A reading or an enforcement that fails or takes longer than a period changes nothing; it is reported and tried again in the
 * next period. While the limit that was decided is not in force, no further one is decided, since what is measured
 * then is the work of another limit. Nothing that goes wrong ends the timer or leaves it as an exception.
 *
 * @example
 * ```ts
 * import { AdaptiveLimiter } from "./adaptive_limiter.ts";
 * import { createLimit } from "./limit_algorithms.ts";
 * import { assertEquals } from "@std/assert";
 *
 * let inForce = 0;
 * const limiter = new AdaptiveLimiter({
 *   limit: createLimit("gradient"),
 *   enforcement: { apply: (limit) => Promise.resolve(inForce = limit) },
 *   read: () =>
 *     Promise.resolve({
 *       atMs: performance.now(),
 *       requests: 0,
 *       durationSeconds: 0,
 *       durations: 0,
 *       connections: 0,
 *       rejections: 0,
 *     }),
 *   periodMs: 5_000,
 * });
 * const { kind } = await limiter.step();
 * assertEquals([kind, inForce], ["begun", 800]);
 * ```
 */
export class AdaptiveLimiter {
  readonly #options: AdaptiveLimiterOptions;
  #window: MeasurementWindow;
  readonly #reports: LimiterReport[] = [];
  readonly #reading = new OneAtATime("reading");
  readonly #enforcing = new OneAtATime("enforcement");
  readonly #stopping = new AbortController();
  #inForce: number | null = null;
  /** What the limit in force was made from. */
  #applied: number | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running: Promise<LimiterReport> | null = null;
  #isStarted = false;

  /**
   * @param options Its parts
   * @throws {RangeError} when the period is out of bounds
   */
  constructor(options: AdaptiveLimiterOptions) {
    this.#options = options;
    this.#window = new MeasurementWindow(options.periodMs);
  }

  /** The limit that is in force; `null` before one ever was. */
  get inForce(): number | null {
    return this.#inForce;
  }

  /** The last reports, the oldest first; at most REPORTS_KEPT. */
  get reports(): readonly LimiterReport[] {
    return this.#reports;
  }

  /** Puts the first limit in force and begins to move it. */
  start(): void {
    if (this.#isStarted) throw new Error("this limiter was started before: make another");
    this.#isStarted = true;
    this.#next();
  }

  /** Ends it; resolves when nothing is in progress any more. The limit stays in force. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#isStarted = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  /** One period's work, now: for tests and for those that have a clock of their own. Periods never overlap. */
  step(): Promise<LimiterReport> {
    return this.#running ??= this.#step().finally(() => this.#running = null);
  }

  async #next(): Promise<void> {
    const beganMs = performance.now();
    await this.step();
    if (this.#stopping.signal.aborted) return;
    const passedMs = performance.now() - beganMs;
    this.#timer = setTimeout(
      () => void this.#next(),
      Math.max(0, this.#options.periodMs - passedMs),
    );
  }

  /** Never rejects. */
  async #step(): Promise<LimiterReport> {
    const { limit, read } = this.#options;
    if (this.#applied !== limit.value) {
      const failure = await this.#apply();
      if (failure !== null) return failure;
      // What happened until now was the work of another limit.
      this.#window = new MeasurementWindow(this.#options.periodMs);
    }
    let measurement: Measurement | null;
    try {
      measurement = this.#window.add(await this.#reading.run(read, this.#signal()));
    } catch (error) {
      return this.#report({ kind: "failure", what: "reading", error: textOf(error) });
    }
    if (measurement === null) return this.#report({ kind: "begun" });
    const decision = limit.update(measurement);
    const failure = this.#applied === limit.value ? null : await this.#apply();
    const report = this.#report({ kind: "decision", decision, measurement });
    return failure ?? report;
  }

  /** Puts the limit in force; gives a report when that failed. */
  async #apply(): Promise<LimiterReport | null> {
    const { limit, enforcement } = this.#options;
    const wanted = limit.value;
    try {
      const inForce = await this.#enforcing.run(
        (signal) => enforcement.apply(wanted, signal),
        this.#signal(),
      );
      if (!(Number.isFinite(inForce) && inForce >= 0)) {
        throw new TypeError(`the limit in force is ${inForce}: it must be a number from 0 on`);
      }
      this.#inForce = inForce;
      this.#applied = wanted;
      return null;
    } catch (error) {
      // What is in force now is not known: it is applied again even if the limit goes back to what it was.
      this.#applied = null;
      return this.#report({ kind: "failure", what: "enforcement", error: textOf(error) });
    }
  }

  #signal(): AbortSignal {
    return AbortSignal.any([
      this.#stopping.signal,
      AbortSignal.timeout(Math.ceil(this.#options.periodMs)),
    ]);
  }

  #report(
    what:
      | { kind: "decision"; decision: LimitDecision; measurement: Measurement }
      | { kind: "begun" }
      | { kind: "failure"; what: "reading" | "enforcement"; error: string },
  ): LimiterReport {
    const report: LimiterReport = {
      at: Date.now(),
      limit: this.#options.limit.value,
      inForce: this.#inForce,
      ...what,
    };
    this.#reports.push(report);
    if (this.#reports.length > REPORTS_KEPT) this.#reports.shift();
    try {
      this.#options.report?.(report);
    } catch {
      // Somebody who cannot listen is no reason to stop limiting, and there is nobody else to tell.
    }
    return report;
  }
}

/** Runs something that may hang without waiting for it longer than a signal allows, and never twice at a time. */
class OneAtATime {
  readonly #name: string;
  #isRunning = false;

  constructor(name: string) {
    this.#name = name;
  }

  async run<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#isRunning) {
      throw new Error(`the ${this.#name} of an earlier period has not ended yet`);
    }
    this.#isRunning = true;
    const working = (async () => {
      try {
        return await work(signal);
      } finally {
        this.#isRunning = false;
      }
    })();
    const aborted = Promise.withResolvers<never>();
    const onAbort = () =>
      aborted.reject(
        new Error(
          `the ${this.#name} ${
            signal.reason?.name === "TimeoutError" ? "did not end in time" : "was broken off"
          }`,
        ),
      );
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return await Promise.race([working, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function textOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error).slice(0, ERROR_CHARACTERS_MAX);
}
