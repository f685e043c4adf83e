import { build, type Histogram } from "hdr-histogram-js";
import { EXAMPLES_MAX, LATENCY_US_MAX, RATE_KEPT_SHARE } from "./limits.ts";
import type { ResolvedOptions } from "./options.ts";
import {
  ERROR_KINDS,
  type LatencySummary,
  type LoadEngine,
  type LoadErrorKind,
  type LoadReport,
  type LoadSample,
} from "./report.ts";

/** What an engine knows at the end and the recorder does not. */
export interface Ending {
  engine: LoadEngine;
  engineReason: string | null;
  ended: LoadReport["ended"];
  /** Requests that were due, in an open loop. */
  due: number;
  unsent: number;
  unanswered: number;
  /** When no more requests were sent, by the clock of {@linkcode LoadRecorder.start}. */
  sentUntilMs: number;
  connectionsWanted: number;
  cpu: { userMs: number; systemMs: number; processMs: number };
}

/**
 * Counts what an engine sees. Recording an answer costs 40 ns: one histogram takes it, that of the second, which is added
 * to that of the load when the second is over.
 */
export class LoadRecorder {
  /** Sums of the load. An engine adds to them itself where that is all there is to it. */
  readonly sums = {
    sent: 0,
    answered: 0,
    failed: 0,
    bytesSent: 0,
    bytesReceived: 0,
    opened: 0,
    retried: 0,
    givenUp: 0,
    closedIdle: 0,
    openMost: 0,
    backlogMost: 0,
  };
  /** Connections that are open now. */
  connectionsOpen = 0;

  readonly #options: ResolvedOptions;
  readonly #onSample: (sample: LoadSample) => void;
  readonly #statuses = new Float64Array(600);
  readonly #errors = new Float64Array(ERROR_KINDS.length);
  readonly #latency = histogram();
  readonly #secondLatency = histogram();
  readonly #rejected = histogram();
  readonly #late = histogram();
  #examples: string[] = [];
  #series: LoadSample[] = [];
  #startMs = 0;
  #lastAnswerMs = 0;
  #secondStartMs = 0;
  #before = { sent: 0, answered: 0, errors: 0, refused: 0, status429: 0, status503: 0 };

  /** @param onSample Gets each second when it is over */
  constructor(options: ResolvedOptions, onSample: (sample: LoadSample) => void) {
    this.#options = options;
    this.#onSample = onSample;
  }

  /** Forgets all there is and begins to count. Times are those of a clock of the engine's. */
  start(nowMs: number): void {
    this.#startMs = this.#lastAnswerMs = this.#secondStartMs = nowMs;
    for (const name of Object.keys(this.sums) as (keyof typeof this.sums)[]) this.sums[name] = 0;
    this.sums.openMost = this.sums.opened = this.connectionsOpen;
    this.#statuses.fill(0);
    this.#errors.fill(0);
    for (const one of [this.#latency, this.#secondLatency, this.#rejected, this.#late]) one.reset();
    this.#examples = [];
    this.#series = [];
    this.#before = this.#now();
  }

  /** Counts a connection that was made. */
  opened(): void {
    this.sums.opened++;
    this.connectionsOpen++;
    if (this.connectionsOpen > this.sums.openMost) this.sums.openMost = this.connectionsOpen;
  }

  /** Counts an answer that has come whole. */
  answered(status: number, latencyMs: number, nowMs: number): void {
    this.sums.answered++;
    this.#lastAnswerMs = nowMs;
    this.#statuses[status]++;
    (status === 429 || status === 503 ? this.#rejected : this.#secondLatency)
      .recordValue(microseconds(latencyMs));
  }

  /** Notes how long after it was due a request was sent. */
  late(milliseconds: number): void {
    this.#late.recordValue(microseconds(milliseconds));
  }

  /** Counts errors. */
  failed(kind: LoadErrorKind, count: number, example: () => string): void {
    this.#errors[ERROR_KINDS.indexOf(kind)] += count;
    if (this.#examples.length < EXAMPLES_MAX) {
      const text = `${kind}: ${example()}`;
      if (!this.#examples.includes(text)) this.#examples.push(text);
    }
  }

  /** Ends a second when it is over. To be called a few times a second. */
  tick(nowMs: number, backlog: number): void {
    if (nowMs - this.#secondStartMs >= 1_000) this.#endSecond(nowMs, backlog);
  }

  /** The report. Nothing may be counted any more. */
  report(nowMs: number, ending: Ending): LoadReport {
    if (nowMs > this.#secondStartMs) {
      this.#endSecond(nowMs, Math.max(0, ending.unsent));
    }
    const { sums, connectionsOpen } = this;
    const { sent, answered, failed } = sums;
    const { url, rate, close, pipeline } = this.#options;
    const { engine, engineReason, ended, due, unsent, unanswered, connectionsWanted, cpu } = ending;
    // Not to when the last answer was given up: an answer that never comes would halve the rate. Nor only to the last
    // answer: a server that stops amid a load would keep its rate.
    const elapsedMs = Math.max(ending.sentUntilMs, this.#lastAnswerMs) - this.#startMs;
    const late = summaryOf(this.#late);
    return {
      engine,
      engineReason,
      url,
      loop: rate === null ? "closed" : "open",
      close,
      pipeline,
      ended,
      elapsedMs,
      requests: { sent, answered, failed, unanswered },
      rate: elapsedMs > 0 ? answered / elapsedMs * 1_000 : 0,
      statuses: Object.fromEntries(
        [...this.#statuses.entries()].filter(([, count]) => count > 0),
      ),
      status429: this.#statuses[429],
      status503: this.#statuses[503],
      errors: Object.fromEntries(
        ERROR_KINDS.map((kind, i) => [kind, this.#errors[i]]),
      ) as LoadReport["errors"],
      errorsTotal: this.#errorsTotal(),
      examples: this.#examples,
      connections: {
        wanted: connectionsWanted,
        opened: sums.opened,
        retried: sums.retried,
        givenUp: sums.givenUp,
        closedIdle: sums.closedIdle,
        openMost: sums.openMost,
        openAtEnd: connectionsOpen,
      },
      bytes: { sent: sums.bytesSent, received: sums.bytesReceived },
      latency: summaryOf(this.#latency),
      rejectedLatency: summaryOf(this.#rejected),
      open: rate === null ? null : {
        targetRate: rate,
        due,
        unsent,
        isRateKept: due - unsent >= due * RATE_KEPT_SHARE,
        backlogMost: sums.backlogMost,
        lateP99Ms: late.p99Ms,
        lateMaxMs: late.maxMs,
      },
      cpu: {
        ...cpu,
        microsecondsPerRequest: answered > 0 ? (cpu.userMs + cpu.systemMs) * 1_000 / answered : 0,
      },
      series: this.#series,
    };
  }

  #endSecond(nowMs: number, backlog: number): void {
    const now = this.#now(), before = this.#before;
    const second = this.#secondLatency;
    const isEmpty = second.totalCount === 0;
    const at = (percentile: number) =>
      isEmpty ? null : second.getValueAtPercentile(percentile) / 1_000;
    const sample: LoadSample = {
      second: this.#series.length,
      elapsedMs: nowMs - this.#secondStartMs,
      sent: now.sent - before.sent,
      answered: now.answered - before.answered,
      errors: now.errors - before.errors,
      refused: now.refused - before.refused,
      status429: now.status429 - before.status429,
      status503: now.status503 - before.status503,
      connectionsOpen: this.connectionsOpen,
      backlog,
      p50Ms: at(50),
      p99Ms: at(99),
      maxMs: isEmpty ? null : second.maxValue / 1_000,
    };
    if (!isEmpty) this.#latency.add(second);
    second.reset();
    this.#before = now;
    this.#secondStartMs = nowMs;
    this.#series.push(sample);
    this.#onSample(sample);
  }

  #now(): LoadRecorderCounts {
    return {
      sent: this.sums.sent,
      answered: this.sums.answered,
      errors: this.#errorsTotal(),
      refused: this.#errors[ERROR_KINDS.indexOf("refused")],
      status429: this.#statuses[429],
      status503: this.#statuses[503],
    };
  }

  #errorsTotal(): number {
    return this.#errors.reduce((sum, count) => sum + count, 0);
  }
}

type LoadRecorderCounts = Record<
  "sent" | "answered" | "errors" | "refused" | "status429" | "status503",
  number
>;

function histogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_US_MAX,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });
}

function microseconds(milliseconds: number): number {
  return Math.max(0, Math.min(LATENCY_US_MAX, Math.round(milliseconds * 1_000)));
}

function summaryOf(histogram: Histogram): LatencySummary {
  const count = histogram.totalCount;
  const at = (percentile: number) =>
    count === 0 ? 0 : histogram.getValueAtPercentile(percentile) / 1_000;
  return {
    count,
    minMs: count === 0 ? 0 : histogram.minNonZeroValue / 1_000,
    meanMs: count === 0 ? 0 : histogram.mean / 1_000,
    p50Ms: at(50),
    p90Ms: at(90),
    p99Ms: at(99),
    p999Ms: at(99.9),
    maxMs: count === 0 ? 0 : histogram.maxValue / 1_000,
  };
}
