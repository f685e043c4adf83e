import type { MetricSources } from "../../telemetry/mod.ts";

/** What a service's metrics are read from, in tests of who reads the metrics. */
export function testMetricSources({ rejections = 0, connections = 12 } = {}): MetricSources {
  return {
    catalogue: () => ({ events: 1, version: 1, bytes: 1, ageSeconds: null }),
    scaling: () =>
      Promise.resolve({
        connectionLimit: 500,
        rejections,
        rejectionRate: 0,
        saturation: 0,
        needsScaleout: false,
      }),
    connections: () => connections,
    queues: () => ({}),
  };
}
