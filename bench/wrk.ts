import { median } from "./statistics.ts";

/** What wrk saw of a server. */
export interface Load {
  requests: number;
  requestsPerSecond: number;
  /** Mean size of an answer as it was on the wire, its head included. */
  wireBytes: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** A load for wrk to make. */
export interface WrkOptions {
  /** Scheme, host and port. */
  url: string;
  /** What {@linkcode writeWrkScript} wrote. */
  script: string;
  seconds: number;
  /** The core that wrk is pinned to; `null` for any. */
  core: number | null;
}

/** Nothing was answered for as long as a load went on, nothing failed either. */
export class NoAnswerError extends Error {}

/** A machine that is busy with other things is slow, not wrong. */
const TIMEOUT = ["--timeout", "30s"];
/** How many connections wrk keeps. */
export const CONNECTIONS = 64;

/**
 * Lua with which a script of wrk gets the latencies that were measured: wrk adds those that it thinks were left out, by an
 * interval that pipelining makes wrong and that a closed loop does not have. `measured(summary, latency, connections)`
 * takes them away again, and gives how many were measured and a function from a share of them to microseconds.
 */
export const MEASURED_LATENCIES = `local function measured(summary, latency, connections)
  local interval = math.floor(summary.duration / math.floor(summary.requests / connections))
  local counts, answered = {}, 0
  for i = 1, #latency do
    local us, count = latency(i)
    counts[us] = count
  end
  for us = latency.max, latency.min, -1 do
    local count = counts[us] or 0
    answered = answered + count
    if count > 0 and us >= interval * 2 then
      for less = us - interval, interval + 1, -interval do
        if counts[less] then counts[less] = counts[less] - count end
      end
    end
  end
  return answered, function(share)
    local seen = 0
    for us = latency.min, latency.max do
      seen = seen + (counts[us] or 0)
      if seen >= answered * share then return us end
    end
    return latency.max
  end
end
`;

/**
 * Writes a script for wrk that requests paths one after the other, round and round; the requests are made before the
 * load begins. It prints the figures that {@linkcode runWrk} reads.
 *
 * @param headers What every request carries beside Host
 * @returns The file, the caller's to remove
 */
export async function writeWrkScript(
  paths: readonly string[],
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".lua" });
  const list = paths.map((path) => JSON.stringify(path)).join(",\n");
  const fields = Object.entries(headers)
    .map(([name, value]) => `[${JSON.stringify(name)}] = ${JSON.stringify(value)}`).join(", ");
  await Deno.writeTextFile(
    file,
    `${MEASURED_LATENCIES}local paths = {${list}}
local requests, i = {}, 0
function init()
  for k, path in ipairs(paths) do requests[k] = wrk.format("GET", path, {${fields}}) end
end
function request() i = i % #requests + 1; return requests[i] end
function done(summary, latency)
  local e = summary.errors
  local _, percentile = measured(summary, latency, ${CONNECTIONS})
  print(string.format(
    '\\n{"requests":%d,"bytes":%d,"us":%d,"errors":%d,"p50":%d,"p99":%d,"max":%d}',
    summary.requests, summary.bytes, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    percentile(0.5), percentile(0.99), latency.max))
end
`,
  );
  return file;
}

/**
 * Makes a load with 64 connections, each of which asks again as soon as it is answered.
 *
 * @throws {Error} If anything was answered with an error; {@linkcode NoAnswerError} if nothing was answered
 */
export async function runWrk({ url, script, seconds, core }: WrkOptions): Promise<Load> {
  const wrk = ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, ...TIMEOUT, "-s", script, url];
  const [program, ...args] = core === null ? wrk : ["taskset", "-c", String(core), ...wrk];
  const { text, figures } = readWrkOutput(await new Deno.Command(program, { args }).output());
  const { requests, bytes, us, errors, p50, p99, max } = figures;
  if (errors > 0) throw new Error(`wrk said:\n${text}`);
  return {
    requests,
    requestsPerSecond: requests / us * 1e6,
    wireBytes: bytes / requests,
    p50Ms: p50 / 1e3,
    p99Ms: p99 / 1e3,
    maxMs: max / 1e3,
  };
}

/**
 * Reads the line of figures that a script of ours has wrk print.
 *
 * @throws {Error} With all that wrk said, if there is none; {@linkcode NoAnswerError} if nothing was answered
 */
export function readWrkOutput(
  { stdout, stderr }: Deno.CommandOutput,
): { text: string; figures: Record<string, number> } {
  const text = new TextDecoder().decode(stdout);
  const json = text.match(/^\{"requests".*\}$/m);
  if (json === null) throw new Error(`wrk said:\n${text}${new TextDecoder().decode(stderr)}`);
  const figures = JSON.parse(json[0]);
  if (figures.requests === 0 && figures.errors === 0) throw new NoAnswerError(`wrk said:\n${text}`);
  return { text, figures };
}

/** The median of one figure over loads. */
export function medianOf(loads: readonly Load[], figure: keyof Load): number {
  return median(loads.map((load) => load[figure]));
}
