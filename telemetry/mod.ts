/**
 * What operators see: logs (LogTape), metrics (prom-client) and the measures behind them. Knows nothing of events.
 * Traces are Deno's own OpenTelemetry, switched on by OTEL_DENO=true; parts that have spans of their own open them
 * with `@opentelemetry/api`.
 *
 * @module
 */
export * from "./event_loop_lag.ts";
export * from "./http_metrics.ts";
export * from "./lazy_metric.ts";
export * from "./line_budget.ts";
export * from "./log.ts";
export * from "./metrics.ts";
export * from "./oldest_age.ts";
export * from "./rate.ts";
export * from "./scaling_metrics.ts";
