import { type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
} from "cockatiel";
import { setTimeout as delay } from "node:timers/promises";
import {
  type PollRecord,
  type PollReport,
  type PollStore,
  type PollTransaction,
  StandbyError,
} from "../store/port.ts";
import { PoolFullError } from "../workers/errors.ts";
import {
  ATTEMPTS_MAX,
  BREAKER_FAILURES,
  BREAKER_OPEN_MS,
  RETRY_PAUSE_MAX_MS,
  RETRY_PAUSE_MS,
  STANDBY_PAUSE_MS,
  STANDBY_WAIT_MS,
} from "./limits.ts";
import { FeedError, type FeedResult, type Provider, ProviderError } from "./provider.ts";

/** The state of a provider's circuit breaker. */
export type BreakerState = "closed" | "half_open" | "open";

/** What the poller tells the rest of the service. */
export interface PollerEvents {
  /** A poll ended and is in the poll log. */
  onPoll?: (record: PollRecord) => void;
  /** A poll could not be stored, not even that it failed. */
  onStoreError?: (provider: string, error: Error) => void;
  /** Another process holds the lease: it polls, this one waits. */
  onStandby?: (provider: string) => void;
  /** A breaker changed its state. */
  onBreaker?: (provider: string, state: BreakerState) => void;
}

/** How a poller is made. */
export interface PollerOptions extends PollerEvents {
  providers: readonly Provider[];
  store: PollStore;
  /** Pauses and waits, for tests; those of limits.ts by default. */
  retryPauseMs?: number;
  breakerOpenMs?: number;
  standbyWaitMs?: number;
}

const tracer = trace.getTracer("marquee.poller");

/**
 * Polls every provider, each by itself: one that hangs holds up no other. A poll is one unit of work: the feed is
 * read to its end before anything is stored, and then everything is, or nothing.
 */
export class Poller {
  readonly #polls: ProviderPoll[];
  readonly #stop = new AbortController();

  constructor(options: PollerOptions) {
    this.#polls = options.providers.map((provider) =>
      new ProviderPoll(provider, options, this.#stop.signal)
    );
  }

  /**
   * Polls every provider once. A provider that is being polled already is not polled twice: the call joins that poll.
   *
   * @returns What the poll log got; providers that another process polls are missing
   */
  async poll(): Promise<PollRecord[]> {
    if (this.#stop.signal.aborted) return [];
    const records = await Promise.all(this.#polls.map((poll) => poll.run()));
    return records.filter((record) => record !== null);
  }

  /**
   * The same where another process may have held the lease until just now, as at a start after a crash: waits until it
   * lapses. Where that process goes on polling, nothing is polled.
   */
  async pollAfterStandby(): Promise<PollRecord[]> {
    if (this.#stop.signal.aborted) return [];
    const records = await Promise.all(this.#polls.map((poll) => poll.runAfterStandby()));
    return records.filter((record) => record !== null);
  }

  /**
   * The same for somebody who waits for the answer, who is told at once where a provider would wait for a thread and
   * too many do already. The other providers are polled all the same.
   *
   * @throws {PoolFullError} Then
   * @throws {StandbyError} If another process polls and goes on doing so
   */
  async requestPoll(): Promise<PollRecord[]> {
    if (this.#stop.signal.aborted) return [];
    const records = await Promise.all(this.#polls.map(async (poll) => {
      const record = await poll.runAfterStandby();
      if (poll.refusal !== null) throw poll.refusal;
      return record;
    }));
    return records.filter((record) => record !== null);
  }

  /** Breaks off the polls under way, and resolves when they have ended. What they had read is dropped. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#polls.map((poll) => poll.running));
  }
}

/** The polls of one provider, one at a time. */
class ProviderPoll {
  running: Promise<PollRecord | null> | null = null;
  /** Why the last poll was not begun, where there was no thread for it, or no lease. */
  refusal: PoolFullError | StandbyError | null = null;
  readonly #provider: Provider;
  readonly #options: PollerOptions;
  readonly #signal: AbortSignal;
  readonly #breaker;

  constructor(provider: Provider, options: PollerOptions, signal: AbortSignal) {
    this.#provider = provider;
    this.#options = options;
    this.#signal = signal;
    this.#breaker = circuitBreaker(handleWhen((error) => !(error instanceof PoolFullError)), {
      halfOpenAfter: options.breakerOpenMs ?? BREAKER_OPEN_MS,
      breaker: new ConsecutiveBreaker(BREAKER_FAILURES),
    });
    this.#breaker.onStateChange((state) =>
      options.onBreaker?.(provider.name, breakerStates[state])
    );
  }

  run(): Promise<PollRecord | null> {
    this.running ??= this.#traced().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  async runAfterStandby(): Promise<PollRecord | null> {
    const deadline = performance.now() + (this.#options.standbyWaitMs ?? STANDBY_WAIT_MS);
    for (;;) {
      const record = await this.run();
      const isStandby = this.refusal instanceof StandbyError && !this.#signal.aborted;
      if (!isStandby || performance.now() >= deadline) return record;
      await delay(STANDBY_PAUSE_MS, undefined, { signal: this.#signal }).catch(() => {});
    }
  }

  #traced(): Promise<PollRecord | null> {
    return inSpan("poll", async (span) => {
      span.setAttribute("marquee.provider", this.#provider.name);
      try {
        const record = await this.#poll();
        if (record === null) {
          if (!this.#signal.aborted) this.#options.onStandby?.(this.#provider.name);
        } else {
          span.setAttributes({
            "marquee.outcome": record.outcome,
            "marquee.version": record.version,
          });
          this.#options.onPoll?.(record);
        }
        return record;
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
        this.#options.onStoreError?.(this.#provider.name, error as Error);
        return null;
      }
    });
  }

  async #poll(): Promise<PollRecord | null> {
    this.refusal = null;
    const report: PollReport = { startedAt: Date.now(), attempts: 0, bytes: 0 };
    while (!this.#signal.aborted) {
      // Each attempt observes from the beginning; what an earlier one observed is dropped with it.
      const transaction = await this.#options.store.beginPoll(this.#provider.name);
      if (transaction === null) this.refusal = new StandbyError();
      if (transaction === null || this.#signal.aborted) return null;
      let result: FeedResult;
      try {
        result = await this.#attempt(transaction, report);
      } catch (error) {
        if (this.#signal.aborted) return null;
        if (error instanceof PoolFullError) {
          this.refusal = error;
          // No request was made.
          report.attempts--;
        }
        if (this.#mayTryAgain(error, report.attempts)) {
          await this.#pause(report.attempts);
          continue;
        }
        return await transaction.conclude(outcomeOf(error), { ...report, error: toReport(error) });
      }
      return await inSpan("store", async () => {
        if (result.kind === "not_modified") {
          return await transaction.conclude("not_modified", report);
        }
        return await transaction.commit({ ...report, bytes: result.bytes }, result.validators);
      });
    }
    return null;
  }

  #attempt(transaction: PollTransaction, report: PollReport): Promise<FeedResult> {
    return inSpan("fetch and parse", () =>
      this.#breaker.execute(() => {
        report.attempts++;
        return this.#provider.read(transaction.validators, transaction, this.#signal);
      }));
  }

  /** Once the breaker has opened, a further attempt would only hide why. */
  #mayTryAgain(error: unknown, attempts: number): boolean {
    return error instanceof ProviderError && error.isTransient && attempts < ATTEMPTS_MAX &&
      this.#breaker.state !== CircuitState.Open;
  }

  /** Waits before the next attempt, longer each time; ends at once when the poller stops, which cockatiel's retry does not. */
  async #pause(attempts: number): Promise<void> {
    const first = this.#options.retryPauseMs ?? RETRY_PAUSE_MS;
    const pause = Math.min(first * 2 ** (attempts - 1), RETRY_PAUSE_MAX_MS);
    const jittered = pause * (0.5 + Math.random() / 2);
    // It rejects only when the signal aborts, and the caller looks at that itself.
    await delay(jittered, undefined, { signal: this.#signal }).catch(() => {});
  }
}

const breakerStates: Record<CircuitState, BreakerState> = {
  [CircuitState.Closed]: "closed",
  [CircuitState.HalfOpen]: "half_open",
  [CircuitState.Open]: "open",
  [CircuitState.Isolated]: "open",
};

function outcomeOf(error: unknown): "refused" | "skipped" | "failed" {
  if (error instanceof FeedError) return "refused";
  const isSkipped = error instanceof BrokenCircuitError || error instanceof PoolFullError;
  return isSkipped ? "skipped" : "failed";
}

function toReport(error: unknown): { code: string; message: string } {
  if (error instanceof FeedError || error instanceof ProviderError) {
    return { code: error.code, message: error.message };
  }
  if (error instanceof BrokenCircuitError) {
    return { code: "breaker_open", message: "the circuit breaker is open after repeated failures" };
  }
  if (error instanceof PoolFullError) {
    return { code: "service_overloaded", message: error.message };
  }
  return { code: "internal_error", message: (error as Error).message };
}

/** Runs work in a span of its own; without a tracer this costs next to nothing. */
function inSpan<T>(name: string, work: (span: Span) => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, async (span) => {
    try {
      return await work(span);
    } finally {
      span.end();
    }
  });
}
