import type { Metric, MetricObjectWithValues, MetricValue, Registry } from "prom-client";

/** A metric whose values are only read when somebody scrapes. */
export interface LazyMetric {
  name: string;
  help: string;
  type: "counter" | "gauge" | "histogram";
  /** Reads the values; none leaves the metric without samples. */
  read: () => readonly MetricValue<string>[] | Promise<readonly MetricValue<string>[]>;
}

/** Registers a metric that costs nothing until somebody scrapes. */
export function registerLazyMetric(
  registry: Registry,
  { name, help, type, read }: LazyMetric,
): void {
  const get = async () =>
    ({
      name,
      help,
      type,
      values: await read(),
      aggregator: "sum",
    }) as unknown as MetricObjectWithValues<MetricValue<string>>;
  registry.registerMetric({ name, help, get, reset() {} } as unknown as Metric);
}

/** The same, with one value and no labels. */
export function registerLazyValue(
  registry: Registry,
  { read, ...metric }: Omit<LazyMetric, "read"> & {
    /** `null` leaves the sample out. */
    read: () => number | null | Promise<number | null>;
  },
): void {
  registerLazyMetric(registry, {
    ...metric,
    read: async () => {
      const value = await read();
      return value === null ? [] : [{ labels: {}, value }];
    },
  });
}
