import type { Registry } from "prom-client";
import { registerLazyValue } from "./lazy_metric.ts";

/** What autoscalers and dashboards look at. */
export interface ScalingMetrics {
  connectionLimit: number;
  /** Connections refused, and how many a second. */
  rejections: number;
  rejectionRate: number;
  /** Connections that are open, as a share of the limit. */
  saturation: number;
  needsScaleout: boolean;
}

/** Registers the metrics named `http_scaling_…`, for whoever keeps the limit: the service, or a limiter beside it. */
export function registerScalingMetrics(
  registry: Registry,
  read: () => Promise<ScalingMetrics>,
): void {
  const add = (
    name: string,
    help: string,
    type: "counter" | "gauge",
    valueOf: (scaling: ScalingMetrics) => number,
  ) =>
    registerLazyValue(registry, {
      name: `http_scaling_${name}`,
      help,
      type,
      read: async () => valueOf(await read()),
    });
  add(
    "connection_limit",
    "Connections that this instance is meant to have.",
    "gauge",
    ({ connectionLimit }) => connectionLimit,
  );
  add(
    "rejections_total",
    "Connections refused at the limit.",
    "counter",
    ({ rejections }) => rejections,
  );
  add(
    "rejection_rate",
    "Connections refused a second, over the last ten seconds.",
    "gauge",
    ({ rejectionRate }) => rejectionRate,
  );
  add(
    "saturation_ratio",
    "Connections that are open, as a share of the limit.",
    "gauge",
    ({ saturation }) => saturation,
  );
  add(
    "needs_scaleout",
    "1 while more instances are wanted.",
    "gauge",
    ({ needsScaleout }) => needsScaleout ? 1 : 0,
  );
}
