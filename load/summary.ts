import { ERROR_KINDS, type LatencySummary, type LoadReport, type LoadSample } from "./report.ts";

const count = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** One second of a load, as one line for people. */
export function progressLine(sample: LoadSample): string {
  const rate = sample.elapsedMs > 0 ? sample.answered / sample.elapsedMs * 1_000 : 0;
  const parts = [
    `${String(sample.second + 1).padStart(4)} s`,
    `${count.format(rate)}/s`,
    `p50 ${milliseconds(sample.p50Ms)}`,
    `p99 ${milliseconds(sample.p99Ms)}`,
    `errors ${count.format(sample.errors)}`,
    `429 ${count.format(sample.status429)}`,
    `503 ${count.format(sample.status503)}`,
    `connections ${count.format(sample.connectionsOpen)}`,
  ];
  if (sample.backlog > 0) parts.push(`waiting ${count.format(sample.backlog)}`);
  return parts.join("  ");
}

/** A report, as lines for people. */
export function summary(report: LoadReport): string {
  const { requests, connections, bytes, open, cpu } = report;
  const seconds = report.elapsedMs / 1_000;
  const lines: [string, string][] = [
    ["target", report.url],
    [
      "load",
      [
        `${count.format(connections.wanted)} connections`,
        report.close ? "one for each request" : "kept",
        ...(report.pipeline > 1 ? [`${report.pipeline} requests in flight on each`] : []),
        open === null ? "as fast as it goes" : `${count.format(open.targetRate)} requests/s`,
        `${seconds.toFixed(2)} s`,
        report.engine,
      ].join(", "),
    ],
  ];
  if (report.engineReason !== null) {
    lines.push(["", `by fetch, which is slower, since ${report.engineReason}`]);
  }
  if (report.ended === "stopped") lines.push(["", "stopped before its end"]);
  if (report.ended === "connections") lines.push(["", "every connection was given up"]);
  const { sent, answered, failed, unanswered } = requests;
  lines.push([
    "answers",
    `${count.format(answered)} of ${count.format(sent)} requests, ${count.format(report.rate)}/s` +
    (failed > 0 ? `; ${count.format(failed)} failed` : "") +
    (unanswered > 0 ? `; ${count.format(unanswered)} not answered yet` : ""),
  ]);
  if (open !== null && open.unsent > 0) {
    const unsent = `${count.format(open.unsent)} of ${count.format(open.due)} requests`;
    lines.push([
      "",
      (open.isRateKept ? "" : "THE RATE WAS NOT KEPT: ") +
      `${unsent} due were never sent; the truth is worse than these latencies`,
    ]);
  }
  const statuses = Object.entries(report.statuses);
  if (statuses.length > 0) {
    lines.push(["statuses", statuses.map(([s, n]) => `${s}: ${count.format(n)}`).join("  ")]);
  }
  if (report.latency.count > 0) lines.push(["latency", latencyText(report.latency)]);
  if (report.rejectedLatency.count > 0) {
    lines.push(["429 and 503", latencyText(report.rejectedLatency)]);
  }
  if (open !== null) {
    lines.push([
      "sent late",
      `p99 ${milliseconds(open.lateP99Ms)}  max ${milliseconds(open.lateMaxMs)}`,
    ]);
  }
  const errors = ERROR_KINDS.filter((kind) => report.errors[kind] > 0)
    .map((kind) => `${kind} ${count.format(report.errors[kind])}`);
  lines.push(["errors", errors.length === 0 ? "none" : errors.join("  ")]);
  for (const example of report.examples) lines.push(["", example]);
  if (connections.opened > connections.wanted || connections.givenUp > 0) {
    lines.push([
      "connections",
      `${count.format(connections.opened)} made, ${
        count.format(connections.retried)
      } tried again, ` +
      `${count.format(connections.givenUp)} given up`,
    ]);
  }
  lines.push([
    "received",
    `${megabytes(bytes.received)}, ${megabytes(bytes.received / seconds)}/s`,
  ]);
  lines.push([
    "own CPU",
    `${cpu.microsecondsPerRequest.toFixed(2)} µs a request, ${
      (100 * (cpu.userMs + cpu.systemMs) / report.elapsedMs).toFixed(0)
    } % of a core`,
  ]);
  return lines.map(([name, text]) => `${name.padEnd(13)}${text}`.trimEnd()).join("\n");
}

function latencyText(latency: LatencySummary): string {
  return [
    ["mean", latency.meanMs] as const,
    ["p50", latency.p50Ms] as const,
    ["p90", latency.p90Ms] as const,
    ["p99", latency.p99Ms] as const,
    ["p99.9", latency.p999Ms] as const,
    ["max", latency.maxMs] as const,
  ].map(([name, value]) => `${name} ${milliseconds(value)}`).join("  ");
}

function milliseconds(value: number | null): string {
  if (value === null) return "-";
  if (value >= 1_000) return `${(value / 1_000).toFixed(2)} s`;
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
}
