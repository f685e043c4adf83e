/** What a service says of itself at one time, by /metrics. */
export interface ServiceReading {
  /** Connections that it is meant to have. */
  limit: number;
  /** Connections that it has, refused ones left out; `null` where it cannot tell. */
  connections: number | null;
  saturation: number;
  needsScaleout: boolean;
  /** Since the start. */
  rejections: number;
  /** Sum and number of `http_request_duration_seconds` of /search since the start. */
  durationSeconds: number;
  durations: number;
  /** What the adaptive limiter takes for the latency of the last period, in seconds; `null` without one. */
  limiterLatencySeconds: number | null;
  /** How long the scrape took, in milliseconds. */
  scrapeMs: number;
}

const TIMEOUT_MS = 1_000;

/**
 * Scrapes a service.
 *
 * @returns `null` where it does not answer in time
 */
export async function readService(metricsUrl: string): Promise<ServiceReading | null> {
  const begun = performance.now();
  let text: string;
  try {
    const response = await fetch(metricsUrl, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await response.text();
  } catch {
    return null;
  }
  const value = (name: string): number | null => {
    const line = text.match(new RegExp(`^${RegExp.escape(name)} (\\S+)$`, "m"));
    return line === null ? null : Number(line[1]);
  };
  const needed = (name: string): number => {
    const found = value(name);
    if (found === null) throw new Error(`${metricsUrl} has no ${name}`);
    return found;
  };
  const ofSearch = (part: string) =>
    value(`http_request_duration_seconds_${part}{route="/search"}`) ?? 0;
  return {
    limit: needed("http_scaling_connection_limit"),
    connections: value("http_connections_active"),
    saturation: needed("http_scaling_saturation_ratio"),
    needsScaleout: needed("http_scaling_needs_scaleout") === 1,
    rejections: needed("http_scaling_rejections_total"),
    durationSeconds: ofSearch("sum"),
    durations: ofSearch("count"),
    limiterLatencySeconds: value("connection_limiter_latency_seconds"),
    scrapeMs: performance.now() - begun,
  };
}
