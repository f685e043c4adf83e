import { Registry } from "prom-client";
import type { ListenerStatistics } from "../../native/mod.ts";
import { registerLazyMetric, registerLazyValue } from "../../telemetry/lazy_metric.ts";
import type { WorkerPool } from "../../workers/mod.ts";
import type { Reply } from "./reply.ts";

/** Metrics for Prometheus, made when they are asked for: of the handler, of the listener's threads, of the pool. */
export class Metrics {
  readonly #registry = new Registry();
  /** Answers of the handler, by route, method and status. */
  readonly #answers = new Map<string, number>();

  constructor(pool: WorkerPool<number, number>, statistics: () => ListenerStatistics) {
    registerLazyMetric(this.#registry, {
      name: "http_requests_total",
      help: "Answers by route, method and status",
      type: "counter",
      read: () => this.#requests(statistics()),
    });
    const value = (name: string, help: string, read: () => number) =>
      registerLazyValue(this.#registry, {
        name,
        help,
        type: name.endsWith("_total") ? "counter" : "gauge",
        read,
      });
    value("worker_pool_queue_depth", "Tasks that wait for a thread", () => pool.queueDepth);
    value("worker_pool_active", "Tasks under way", () => pool.active);
    value("http_connections_active", "Connections", () => statistics().connectionsActive);
    value("http_connections_total", "Connections so far", () => statistics().connectionsTotal);
    value("http_bytes_sent_total", "Bytes sent so far", () => statistics().bytesSent);
  }

  /** Counts an answer of the handler. */
  answered(route: string, method: string, status: number): void {
    const known = /^(GET|HEAD|POST)$/.test(method) ? method : "other";
    add(this.#answers, route, known, status, 1);
  }

  /** A route may be answered by the handler and by the listener's threads: that is one series. */
  #requests({ fastRoutes, refused }: ListenerStatistics) {
    const counts = new Map(this.#answers);
    for (const { path, answers } of fastRoutes) {
      for (const { method, status, count } of answers) add(counts, path, method, status, count);
    }
    for (const { status, count } of refused) add(counts, "unknown", "other", status, count);
    return [...counts].map(([key, value]) => {
      const [route, method, status] = key.split(" ");
      return { labels: { route, method, status }, value };
    });
  }

  /** Answers GET /metrics. */
  async reply(): Promise<Reply> {
    const body = await this.#registry.metrics();
    return { status: 200, headers: { "content-type": this.#registry.contentType }, body };
  }
}

function add(
  counts: Map<string, number>,
  route: string,
  method: string,
  status: number,
  count: number,
): void {
  const key = `${route} ${method} ${status}`;
  counts.set(key, (counts.get(key) ?? 0) + count);
}
