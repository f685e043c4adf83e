import { type AnsweredRequest, HttpError } from "./routes/mod.ts";
import type { Settings } from "./settings.ts";
import type { PollRecord } from "./store/mod.ts";
import { describeError, LineBudget, logger, type Metrics } from "./telemetry/mod.ts";

/** Lines a second about requests that were refused; past it they are counted. */
const REFUSAL_LINES_MAX = 100;

/** Counts and logs what was answered. */
export class RequestObserver {
  readonly #metrics: Metrics;
  readonly #settings: Pick<Settings, "logRequests" | "slowRequestMs">;
  readonly #refusalLines = new LineBudget(
    REFUSAL_LINES_MAX,
    (dropped) =>
      logger("request").info("{dropped} more requests were refused, and have no line", { dropped }),
  );

  constructor(metrics: Metrics, settings: Pick<Settings, "logRequests" | "slowRequestMs">) {
    this.#metrics = metrics;
    this.#settings = settings;
  }

  /** A request to the public routes: counted, and logged where it failed, was slow, or is one of the sample. */
  observe(answered: AnsweredRequest): void {
    const { route, method, status, seconds, bytes, error } = answered;
    this.#metrics.http.observe(route, method, status, seconds, bytes);
    const isSlow = seconds * 1_000 >= this.#settings.slowRequestMs;
    // Who is over a limit is counted; a line for each would be a load of its own.
    if (error instanceof HttpError && (error.code === "service_overloaded" || status === 429)) {
      return;
    }
    if (
      isSlow || Math.random() < this.#settings.logRequests || this.#isLoggedError(status, error)
    ) {
      this.log(answered, isSlow);
    }
  }

  /** A request to the admin routes: logged where it failed. */
  observeAdmin(answered: AnsweredRequest): void {
    if (this.#isLoggedError(answered.status, answered.error)) this.log(answered, false);
  }

  /** Logs a request. */
  log(answered: Omit<AnsweredRequest, "route" | "bytes">, isSlow: boolean): void {
    const { method, url, status, seconds, requestId, error } = answered;
    const fields = {
      method,
      url: url.slice(0, 500),
      status,
      ms: Math.round(seconds * 1e6) / 1e3,
      request_id: requestId,
    };
    const request = logger("request");
    if (status >= 500) {
      // A failure has its stack; a refusal such as 503 while loading says all in its message.
      if (error instanceof HttpError) {
        request.warn("{method} {url}: {status}, {reason} ({request_id})", {
          ...fields,
          reason: error.message,
        });
      } else {
        request.error("{method} {url}: {status}, {error} ({request_id})", {
          ...fields,
          error: describeError(error),
        });
      }
    } else if (isSlow) {
      request.warn("{method} {url}: {status}, slow: {ms} ms ({request_id})", fields);
    } else if (error instanceof HttpError) {
      request.info("{method} {url}: {status}, {reason} ({request_id})", {
        ...fields,
        reason: error.message,
      });
    } else {
      request.info("{method} {url}: {status}, {ms} ms ({request_id})", fields);
    }
  }

  /** What nobody meant to fail always is; refusals are, as long as they are not many. */
  #isLoggedError(status: number, error: unknown): boolean {
    if (status >= 500 && !(error instanceof HttpError)) return true;
    return status >= 400 && this.#refusalLines.take();
  }
}

/** Counts a poll, and logs it: one that changed something as news, one that failed as a warning. */
export function observePoll(metrics: Metrics, record: PollRecord): void {
  const { provider, outcome } = record;
  metrics.polls.inc({ provider, outcome });
  metrics.pollDuration.observe({ provider }, record.durationMs / 1_000);
  for (const [reason, count] of Object.entries(record.rejectedByReason)) {
    metrics.plansRejected.inc({ provider, reason }, count);
  }
  const poll = logger("poller");
  const fields = {
    provider,
    outcome,
    version: record.version,
    plans: record.plans,
    added: record.added,
    changed: record.changed,
    unlisted: record.unlisted,
    rejected: record.rejected,
    bytes: record.bytes,
    ms: record.durationMs,
  };
  if (record.error !== null) {
    poll.warn("Poll of {provider} {outcome}: {reason}", {
      ...fields,
      reason: record.error.message,
      code: record.error.code,
    });
  } else if (outcome === "empty") {
    poll.warn("The feed of {provider} lists nothing; what was known stays", fields);
  } else if (outcome === "changed") {
    poll.info(
      "Poll of {provider}: version {version}, {plans} plans, {added} added, {changed} changed, " +
        "{unlisted} no longer listed, {rejected} set aside, {ms} ms",
      fields,
    );
  } else {
    poll.debug("Poll of {provider} {outcome}: {plans} plans, {ms} ms", fields);
  }
}
