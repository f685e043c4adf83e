import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  type MetricValue,
  Registry,
} from "prom-client";
import { EventLoopLag } from "./event_loop_lag.ts";
import { DURATION_BUCKETS, HttpMetrics } from "./http_metrics.ts";
import { registerLazyMetric, registerLazyValue } from "./lazy_metric.ts";
import { Rate } from "./rate.ts";
import { registerScalingMetrics, type ScalingMetrics } from "./scaling_metrics.ts";

/** What the catalogue tells when somebody scrapes. */
export interface CatalogueReading {
  events: number;
  version: number;
  bytes: number;
  /** Seconds since the feed that was read longest ago was last read; `null` when none ever was. */
  ageSeconds: number | null;
}

/** What is read when somebody scrapes. */
export interface MetricSources {
  catalogue: () => CatalogueReading;
  scaling: () => Promise<ScalingMetrics>;
  /** Connections that are open; `null` where that is not known. */
  connections: () => number | null;
  /** Tasks that wait for a thread, by pool. */
  queues: () => Record<string, number>;
}

/** prom-client's default metrics that are wrong in Deno, or need to read /proc, which takes every permission there is. */
const WRONG_IN_DENO =
  /^nodejs_(eventloop_lag|gc_duration)|^process_(resident|virtual|heap|open_fds|max_fds)/;

/**
 * Every metric of the service under its Prometheus name. What happens often is counted in {@linkcode HttpMetrics}
 * and read when somebody scrapes; what happens once a poll uses prom-client directly.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly http: HttpMetrics;
  /** Requests a second, over the last ten seconds. */
  readonly requestRate: Rate;
  readonly polls: Counter<"provider" | "outcome">;
  readonly pollDuration: Histogram<"provider">;
  readonly plansRejected: Counter<"provider" | "reason">;
  /** 0 closed, 1 half-open, 2 open. */
  readonly breakerState: Gauge<"provider">;
  readonly eventLoopLag: EventLoopLag = new EventLoopLag();

  /**
   * @param routes Names of the routes, see {@linkcode HttpMetrics}
   * @param sources Called at each scrape
   */
  constructor(routes: readonly string[], sources: MetricSources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    for (const { name } of this.registry.getMetricsAsArray()) {
      if (WRONG_IN_DENO.test(name)) this.registry.removeSingleMetric(name);
    }
    this.http = new HttpMetrics(routes);
    this.requestRate = new Rate(() => this.http.requests);
    this.#registerHttp(sources.connections);
    registerScalingMetrics(this.registry, sources.scaling);
    this.#register("rate_limited_total", "Requests answered 429.", "counter", () => {
      const refused = this.http.requestCounts().filter(({ status }) => status === 429);
      return [{ labels: {}, value: refused.reduce((sum, { count }) => sum + count, 0) }];
    });
    this.#register(
      "worker_pool_queue_depth",
      "Tasks that wait for a thread.",
      "gauge",
      () => Object.entries(sources.queues()).map(([pool, value]) => ({ labels: { pool }, value })),
    );
    const readCatalogue = sources.catalogue;
    this.#gauge(
      "process_resident_memory_bytes",
      "Resident memory size in bytes.",
      () => Deno.memoryUsage().rss,
    );
    this.#gauge(
      "event_loop_lag_seconds",
      "Longest delay of a timer in the last 30 seconds.",
      () => this.eventLoopLag.longest(),
    );
    this.#gauge(
      "catalogue_events",
      "Events that are visible in search results.",
      () => readCatalogue().events,
    );
    this.#gauge(
      "catalogue_version",
      "Version of the catalogue being served.",
      () => readCatalogue().version,
    );
    this.#gauge(
      "catalogue_bytes",
      "Bytes of memory that the catalogue holds.",
      () => readCatalogue().bytes,
    );
    this.#gauge(
      "catalogue_age_seconds",
      "Time since the feed that was read longest ago was last read.",
      () => readCatalogue().ageSeconds,
    );
    this.polls = new Counter({
      name: "provider_polls_total",
      help: "Polls by how they ended.",
      labelNames: ["provider", "outcome"],
      registers,
    });
    this.pollDuration = new Histogram({
      name: "provider_poll_duration_seconds",
      help: "Time from the start of a poll until it is visible.",
      labelNames: ["provider"],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
      registers,
    });
    this.plansRejected = new Counter({
      name: "provider_plans_rejected_total",
      help: "Plans set aside, by reason.",
      labelNames: ["provider", "reason"],
      registers,
    });
    this.breakerState = new Gauge({
      name: "provider_breaker_state",
      help: "Circuit breaker: 0 closed, 1 half-open, 2 open.",
      labelNames: ["provider"],
      registers,
    });
  }

  /** Stops what measures in the background. */
  stop(): void {
    this.requestRate.stop();
    this.eventLoopLag.stop();
  }

  /** A gauge that is read when somebody scrapes; `null` leaves the sample out. */
  #gauge(name: string, help: string, read: () => number | null): void {
    registerLazyValue(this.registry, { name, help, type: "gauge", read });
  }

  #registerHttp(readConnections: () => number | null): void {
    const { http } = this;
    this.#register(
      "http_requests_total",
      "Requests answered.",
      "counter",
      () =>
        http.requestCounts().map(({ route, method, status, count }) => ({
          labels: { route, method, status },
          value: count,
        })),
    );
    this.#gauge(
      "http_requests_per_second",
      "Requests answered a second, over the last ten seconds.",
      () => this.requestRate.perSecond(),
    );
    this.#register("http_bytes_sent_total", "Bytes sent to clients.", "counter", () => [
      { labels: {}, value: http.bytesSent },
    ]);
    const listener = (name: "connectionsTotal" | "bytesReceived") => () => {
      const reading = http.listener;
      return reading === null ? [] : [{ labels: {}, value: reading[name] }];
    };
    this.#register(
      "http_connections_total",
      "Connections let in.",
      "counter",
      listener("connectionsTotal"),
    );
    this.#gauge(
      "http_connections_active",
      "Connections that are open, those being refused left out.",
      readConnections,
    );
    this.#register(
      "http_bytes_received_total",
      "Bytes received from clients.",
      "counter",
      listener("bytesReceived"),
    );
    this.#register(
      "http_request_duration_seconds",
      "Time to answer: in listener threads since the request was readable, else in its handler.",
      "histogram",
      () => http.durations().flatMap(histogramSamples),
    );
  }

  #register(
    name: string,
    help: string,
    type: "counter" | "gauge" | "histogram",
    read: () => MetricValue<string>[],
  ): void {
    registerLazyMetric(this.registry, { name, help, type, read });
  }
}

/** The lines of one histogram: cumulated buckets, sum and count. */
function histogramSamples(
  { route, buckets, sumSeconds }: { route: string; buckets: readonly number[]; sumSeconds: number },
): (MetricValue<string> & { metricName: string })[] {
  const name = "http_request_duration_seconds";
  let count = 0;
  const samples = buckets.map((inBucket, index) => ({
    metricName: `${name}_bucket`,
    labels: { route, le: DURATION_BUCKETS[index] ?? "+Inf" },
    value: count += inBucket,
  }));
  return [
    ...samples,
    { metricName: `${name}_sum`, labels: { route }, value: sumSeconds },
    { metricName: `${name}_count`, labels: { route }, value: count },
  ];
}
