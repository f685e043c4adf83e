import { CONNECTIONS, MEASURED_LATENCIES, readWrkOutput } from "./wrk.ts";

/** What is asked of a server: it answers the same each time. */
export type Workload = "keep-alive" | "connection per request" | "pipelined";

/** All of them, in the order in which they are shown. */
export const WORKLOADS: readonly Workload[] = ["keep-alive", "connection per request", "pipelined"];

/** What is asked for. */
export const PATH = "/answer";

/** How many requests a pipelining client sends at a time. */
export const PIPELINED = 16;

/** What wrk saw of a server. */
export interface ListenerLoad {
  /** Answers, where they are pipelined too. */
  requests: number;
  requestsPerSecond: number;
  /** Mean size of an answer as it was on the wire, its head included. */
  wireBytes: number;
  /** Until the last of what was sent at a time is answered. */
  p50Ms: number;
  p99Ms: number;
  /** Connections that failed, and answers that came too late or with another status. */
  errors: number;
}

/** A machine that is busy with other things is slow, not wrong. */
const TIMEOUT = ["--timeout", "30s"];

/**
 * Writes the script with which wrk makes a load.
 *
 * @returns The file, the caller's to remove
 */
export async function writeLoadScript(workload: Workload): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".lua" });
  const fields = workload === "connection per request" ? `["Connection"] = "close"` : "";
  const times = workload === "pipelined" ? PIPELINED : 1;
  // wrk counts how many requests a text of requests has, and as many answers.
  await Deno.writeTextFile(
    file,
    `${MEASURED_LATENCIES}local requests
function init() requests = string.rep(wrk.format("GET", "${PATH}", {${fields}}), ${times}) end
function request() return requests end
function done(summary, latency)
  local answered, percentile = measured(summary, latency, ${CONNECTIONS})
  local e = summary.errors
  print(string.format(
    '\\n{"requests":%d,"answered":%d,"bytes":%d,"us":%d,"errors":%d,"p50":%d,"p99":%d}',
    summary.requests, answered, summary.bytes, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, percentile(0.5), percentile(0.99)))
end
`,
  );
  return file;
}

/**
 * Has wrk make a load with {@linkcode CONNECTIONS} connections, each of which asks again as soon as it is answered.
 *
 * @param script What {@linkcode writeLoadScript} wrote
 * @param core The core that wrk is pinned to
 * @throws {Error} As {@linkcode readWrkOutput}, or if some was answered twice or never
 */
export async function runListenerWrk(
  port: number,
  script: string,
  seconds: number,
  core: number,
): Promise<ListenerLoad> {
  const url = `http://127.0.0.1:${port}${PATH}`;
  const output = await new Deno.Command("taskset", {
    args: [
      ...["-c", String(core), "wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`],
      ...[...TIMEOUT, "-s", script, url],
    ],
  }).output();
  const { text, figures } = readWrkOutput(output);
  const { requests, answered, bytes, us, errors, p50, p99 } = figures;
  // Every answer has a time, or every 16 together.
  if (!(answered > 0) || answered > requests || answered * (PIPELINED + 1) < requests) {
    throw new Error(`wrk said:\n${text}`);
  }
  return {
    requests,
    requestsPerSecond: requests / us * 1e6,
    wireBytes: bytes / requests,
    p50Ms: p50 / 1e3,
    p99Ms: p99 / 1e3,
    errors,
  };
}
