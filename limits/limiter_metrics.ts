import { Counter, Gauge, type Registry } from "prom-client";
import type { LimiterReport } from "./adaptive_limiter.ts";

/**
 * What the adaptive limiter decides, as metrics: `connection_limiter_limit`, `…_throughput`, `…_latency_seconds`,
 * `…_connections`, `…_decisions_total{state}` and `…_failures_total{what}`.
 */
export class LimiterMetrics {
  readonly #limit: Gauge;
  readonly #throughput: Gauge;
  readonly #latency: Gauge;
  readonly #connections: Gauge;
  readonly #decisions: Counter<"state">;
  readonly #failures: Counter<"what">;

  constructor(registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string) =>
      new Gauge({ name: `connection_limiter_${name}`, help, registers });
    this.#limit = gauge("limit", "Connections that the algorithm wants.");
    this.#throughput = gauge("throughput", "Requests answered a second, in the last period.");
    this.#latency = gauge(
      "latency_seconds",
      "Mean time from a request being readable to its answer, in the last period.",
    );
    this.#connections = gauge("connections", "Mean connections, in the last period.");
    this.#decisions = new Counter({
      name: "connection_limiter_decisions_total",
      help: "Periods decided, by what the limit did.",
      labelNames: ["state"],
      registers,
    });
    this.#failures = new Counter({
      name: "connection_limiter_failures_total",
      help: "Periods in which a reading or the enforcement failed.",
      labelNames: ["what"],
      registers,
    });
  }

  /** Takes what one period came to. */
  observe(report: LimiterReport): void {
    this.#limit.set(report.limit);
    if (report.kind === "failure") this.#failures.inc({ what: report.what });
    if (report.kind !== "decision") return;
    const { decision, measurement } = report;
    this.#decisions.inc({ state: decision.state });
    this.#throughput.set(measurement.throughput);
    this.#connections.set(measurement.connections);
    if (measurement.latencyNs !== null) this.#latency.set(measurement.latencyNs / 1e9);
  }
}

/** A line of the log. */
export interface LimiterLine {
  message: string;
  level: "debug" | "info" | "warning";
}

/** One period as a line of the log: of level info where the limit moved, and debug where it stays. */
export function limiterLine(report: LimiterReport): LimiterLine {
  switch (report.kind) {
    case "begun":
      return { message: `The connection limit is ${report.inForce}`, level: "info" };
    case "failure":
      return {
        message:
          `The connection limit stays ${report.inForce}: the ${report.what} failed: ${report.error}`,
        level: "warning",
      };
    case "decision": {
      const { decision: { limit, previous, state, reason } } = report;
      const hasMoved = limit !== previous;
      const moved = hasMoved ? `goes from ${previous} to ${limit}` : `stays ${limit}`;
      const tier = report.inForce === limit ? "" : ` (${report.inForce} in force)`;
      return {
        message: `The connection limit ${moved}${tier}, ${state}: ${reason}`,
        level: hasMoved ? "info" : "debug",
      };
    }
  }
}
