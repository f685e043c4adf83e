import {
  LABELS_MAX,
  LINE_CHARACTERS_MAX,
  METRICS_BYTES_MAX,
  METRICS_TIMEOUT_MS,
} from "./limits.ts";
import { type CumulativeReading, ReadingError } from "./measurement.ts";

/** What to read from where. */
export interface MetricsSource {
  /** Of the service's metrics, such as `http://127.0.0.1:9090/metrics`. */
  url: string | URL;
  /** Routes whose durations count; all by default. */
  routes?: readonly string[];
  /** Sent as Authorization when given, such as `Bearer …`. */
  authorization?: string;
}

/** Statuses of requests that were refused for want of room. */
const REFUSALS = new Set(["429", "503"]);
/** What a service always has; counters may have no samples yet. */
const REQUIRED = "http_connections_active";

/** A line of the exposition that is no comment: name, labels, value, and perhaps a time. */
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*$/s;
/** A label, from where the last one ended. */
const LABEL = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\[\\"n])*)"[ \t]*(?:,|$)/y;

/**
 * Reads what a service counted from its metrics, in Prometheus' text format 0.0.4.
 *
 * @throws {ReadingError} when it does not answer in time, answers with another status than 200, with too much, or with
 * something that is not that format or lacks the figures
 */
export async function readMetrics(
  source: MetricsSource,
  signal?: AbortSignal,
): Promise<CumulativeReading> {
  const timeout = AbortSignal.timeout(METRICS_TIMEOUT_MS);
  try {
    const response = await fetch(source.url, {
      headers: {
        accept: "text/plain; version=0.0.4",
        ...source.authorization === undefined ? {} : { authorization: source.authorization },
      },
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new ReadingError(`status ${response.status}`);
    }
    const text = await boundedText(response);
    return parseMetrics(text, performance.now(), source.routes);
  } catch (error) {
    const why = timeout.aborted
      ? `no answer in ${METRICS_TIMEOUT_MS} ms`
      : error instanceof Error
      ? error.message
      : String(error);
    throw new ReadingError(`${source.url}: ${why}`, { cause: error });
  }
}

/**
 * Picks the figures out of an exposition. Samples of other metrics are passed over unread; those that are needed are
 * read strictly. Counters that have no sample yet are 0.
 *
 * @param text In Prometheus' text format 0.0.4
 * @param atMs When it was read
 * @param routes Routes whose durations count; all by default
 * @throws {ReadingError} when a line cannot be read, a label or value is none, or there is no `http_connections_active`
 *
 * @example
 * ```ts
 * import { parseMetrics } from "./metrics_reading.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const text = `http_requests_total{route="/search",method="GET",status="200"} 90
 * http_requests_total{route="/search",method="GET",status="503"} 10
 * http_connections_active 7
 * `;
 * const { requests, connections } = parseMetrics(text, 0);
 * assertEquals({ requests, connections }, { requests: 90, connections: 7 });
 * ```
 */
export function parseMetrics(
  text: string,
  atMs: number,
  routes?: readonly string[],
): CumulativeReading {
  const reading: CumulativeReading = {
    atMs,
    requests: 0,
    durationSeconds: 0,
    durations: 0,
    connections: 0,
    rejections: 0,
  };
  const isCounted = (labels: ReadonlyMap<string, string>) =>
    routes === undefined || routes.includes(labels.get("route") ?? "");
  let hasConnections = false;
  for (const line of text.split("\n")) {
    if (!line.startsWith("http_")) continue;
    const name = /^\w+/.exec(line)![0];
    if (name === "http_requests_total") {
      const { labels, value } = parseSample(line);
      if (!REFUSALS.has(labels.get("status") ?? "")) reading.requests += value;
    } else if (name === "http_request_duration_seconds_sum") {
      const { labels, value } = parseSample(line);
      if (isCounted(labels)) reading.durationSeconds += value;
    } else if (name === "http_request_duration_seconds_count") {
      const { labels, value } = parseSample(line);
      if (isCounted(labels)) reading.durations += value;
    } else if (name === "http_scaling_rejections_total") {
      reading.rejections += parseSample(line).value;
    } else if (name === REQUIRED) {
      reading.connections += parseSample(line).value;
      hasConnections = true;
    }
  }
  if (!hasConnections) {
    throw new ReadingError(
      `no ${REQUIRED} in it: is it the /metrics of a service whose transport counts connections?`,
    );
  }
  return reading;
}

/** One sample of a counter or gauge that is never negative. */
function parseSample(line: string): { labels: ReadonlyMap<string, string>; value: number } {
  const parts = line.length > LINE_CHARACTERS_MAX ? null : SAMPLE.exec(line);
  if (parts === null) throw new ReadingError(`no sample: ${line.slice(0, 200)}`);
  const value = Number(parts[3]);
  if (!(Number.isFinite(value) && value >= 0)) {
    throw new ReadingError(`${parts[1]} is ${parts[3]}: it must be a number from 0 on`);
  }
  return { labels: parseLabels(parts[2] ?? "", line), value };
}

function parseLabels(text: string, line: string): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const found = LABEL.exec(text);
    if (found === null || labels.size === LABELS_MAX) {
      throw new ReadingError(`no labels, or over ${LABELS_MAX}: ${line.slice(0, 200)}`);
    }
    labels.set(
      found[1],
      found[2].replace(/\\(.)/gs, (_, escaped) => escaped === "n" ? "\n" : escaped),
    );
  }
  return labels;
}

/** The text of an answer that is not too long. */
async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "", bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > METRICS_BYTES_MAX) {
      throw new ReadingError(`more than ${METRICS_BYTES_MAX} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
