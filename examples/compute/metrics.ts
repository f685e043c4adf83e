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
      read: () => [
        ...statistics().fastRoutes.flatMap(({ path, answers }) =>
          answers.map(({ count, ...labels }) => ({
            labels: { route: path, ...labels },
            value: count,
          }))
        ),
        ...statistics().refused.map(({ count, status }) => ({
          labels: { route: "unknown", method: "unknown", status },
          value: count,
        })),
        ...[...this.#answers].map(([key, value]) => {
          const [route, method, status] = key.split(" ");
          return { labels: { route, method, status }, value };
        }),
      ],
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
    const key = `${route} ${known} ${status}`;
    this.#answers.set(key, (this.#answers.get(key) ?? 0) + 1);
  }

  /** Answers GET /metrics. */
  async reply(): Promise<Reply> {
    const body = await this.#registry.metrics();
    return { status: 200, headers: { "content-type": this.#registry.contentType }, body };
  }
}
