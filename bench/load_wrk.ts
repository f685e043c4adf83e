/**
 * The load generator of `load/` beside wrk: how many requests each gets out of one core against the same server, and
 * what CPU time each of them takes for a request. Kept connections, a connection per request, and 16 requests in
 * flight; server and client on a core each, medians of interleaved rounds in one run. Needs wrk, bash and taskset.
 * `deno run -A bench/load_wrk.ts [--quick] [--json] [--help]`
 *
 * @module
 */
import type { LoadReport } from "../load/mod.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import { PATH, PIPELINED, type Workload, WORKLOADS } from "./listener_load.ts";
import { median } from "./statistics.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { checkConstant } from "./peers/checked_constant.ts";
import { RunningPeer } from "./peers/running_peer.ts";
import { CONNECTIONS, MEASURED_LATENCIES, readWrkOutput } from "./wrk.ts";

const SERVER_CORE = 0, CLIENT_CORE = 1;
const { quick, json } = readBenchArguments({ json: "flag" });
const rounds = quick ? 1 : 3;
const seconds = quick ? 1 : 3;
const TRIES_MAX = 3;

/** What one client did in one round. */
interface Round {
  requestsPerSecond: number;
  /** CPU time of the client's whole process for each request, its start included. */
  cpuMicroseconds: number;
  /** The same from the first request to the last answer; wrk has no start to speak of. */
  loadCpuMicroseconds: number;
  p50Ms: number;
  p99Ms: number;
  errors: number;
}

const CLIENTS = { "wrk": wrk, "load": load };
type Client = keyof typeof CLIENTS;

await using server = await RunningPeer.start(SERVER_CORE, [
  ...[Deno.execPath(), "run", "--no-prompt", "-A"],
  ...[new URL("native_server.ts", import.meta.url).pathname, "--transport=auto"],
]);
await checkConstant(server.port, PATH);
const url = `http://127.0.0.1:${server.port}${PATH}`;

const results: Record<Workload, Record<Client, Round[]>> = {
  "keep-alive": { wrk: [], load: [] },
  "connection per request": { wrk: [], load: [] },
  "pipelined": { wrk: [], load: [] },
};
for (const workload of WORKLOADS) {
  // In a full run the first round warms the server up and does not count.
  for (let round = quick ? 1 : 0; round <= rounds; round++) {
    for (const client of Object.keys(CLIENTS) as Client[]) {
      const measured = await insist(() => CLIENTS[client](workload, round === 0 ? 1 : seconds));
      if (round > 0) results[workload][client].push(measured);
    }
  }
}
print();
using samples = Samples.open();
const run = samples.begin("load", {
  quick,
  settings: { rounds, seconds, connections: CONNECTIONS },
});
for (const workload of WORKLOADS) {
  for (const [client, subject] of [["wrk", "wrk"], ["load", "deno task load"]] as const) {
    recordLoad(
      run,
      subject,
      workload,
      results[workload][client].map((round) => ({
        ...round,
        cpuMicroseconds: round.loadCpuMicroseconds,
      })),
    );
  }
}
run.end();
if (json) console.log(JSON.stringify({ seconds, results }));

/** Tries a round again that did not get to anything, as happens on a machine that is busy with others. */
async function insist(round: () => Promise<Round>): Promise<Round> {
  for (let tries = 1;; tries++) {
    try {
      return await round();
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
    }
  }
}

async function load(workload: Workload, seconds: number): Promise<Round> {
  const { stdout, cpuMs } = await timed([
    ...[Deno.execPath(), "run", "--no-prompt", "--allow-net", "--allow-read", "--allow-ffi"],
    ...[new URL("../load/main.ts", import.meta.url).pathname, url, "--json"],
    ...["--connections", String(CONNECTIONS), "--duration", `${seconds}s`, "--timeout", "30s"],
    ...(workload === "pipelined" ? ["--pipeline", String(PIPELINED)] : []),
    ...(workload === "connection per request" ? ["--close"] : []),
  ]);
  const report: LoadReport = JSON.parse(stdout);
  if (report.engine !== "io_uring") throw new Error(`by fetch, since ${report.engineReason}`);
  const { answered } = report.requests;
  return {
    requestsPerSecond: report.rate,
    cpuMicroseconds: cpuMs * 1_000 / answered,
    loadCpuMicroseconds: report.cpu.processMs * 1_000 / answered,
    p50Ms: report.latency.p50Ms,
    p99Ms: report.latency.p99Ms,
    errors: report.errorsTotal,
  };
}

/** wrk without a script of its own but to print figures: that is when it is fastest. Only pipelining needs one. */
async function wrk(workload: Workload, seconds: number): Promise<Round> {
  const script = await Deno.makeTempFile({ suffix: ".lua" });
  try {
    const pipelined = `local all
function init() all = string.rep(wrk.format("GET", "${PATH}"), ${PIPELINED}) end
function request() return all end
`;
    await Deno.writeTextFile(
      script,
      `${MEASURED_LATENCIES}${
        workload === "pipelined" ? pipelined : ""
      }function done(summary, latency)
  local e = summary.errors
  local _, percentile = measured(summary, latency, ${CONNECTIONS})
  print(string.format('\\n{"requests":%d,"us":%d,"errors":%d,"p50":%d,"p99":%d}',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    percentile(0.5), percentile(0.99)))
end
`,
    );
    const { stdout, cpuMs } = await timed([
      ...["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--timeout", "30s", "-s", script],
      ...(workload === "connection per request" ? ["-H", "Connection: close"] : []),
      url,
    ]);
    const { figures: { requests, us, errors, p50, p99 } } = readWrkOutput({
      success: true,
      code: 0,
      signal: null,
      stdout: new TextEncoder().encode(stdout),
      stderr: new Uint8Array(),
    });
    if (!(requests > 0)) throw new Error(`wrk said:\n${stdout}`);
    const cpuMicroseconds = cpuMs * 1_000 / requests;
    return {
      requestsPerSecond: requests / us * 1e6,
      cpuMicroseconds,
      loadCpuMicroseconds: cpuMicroseconds,
      p50Ms: p50 / 1e3,
      p99Ms: p99 / 1e3,
      errors,
    };
  } finally {
    await Deno.remove(script);
  }
}

/** Runs a program on the clients' core and sees what CPU time it took. */
async function timed(command: readonly string[]): Promise<{ stdout: string; cpuMs: number }> {
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: [
      ...["-c", `TIMEFORMAT='cpu %3U %3S'; time "$@"`, "bash", "taskset", "-c"],
      ...[String(CLIENT_CORE), ...command],
    ],
  }).output();
  const errors = new TextDecoder().decode(stderr);
  const times = errors.match(/^cpu ([\d.]+) ([\d.]+)$/m);
  if (times === null) throw new Error(`${command.join(" ")} said:\n${errors}`);
  return {
    stdout: new TextDecoder().decode(stdout),
    cpuMs: (Number(times[1]) + Number(times[2])) * 1_000,
  };
}

function print(): void {
  console.log(
    `${rounds} rounds of ${seconds} s, ${CONNECTIONS} connections, the listener on one core and the client on the other`,
  );
  const columns = ["requests/s", "CPU µs", "with start", "p50 ms", "p99 ms", "errors"];
  for (const workload of WORKLOADS) {
    const title = workload === "pipelined" ? `pipelined, ${PIPELINED}` : workload;
    const rows = (Object.keys(CLIENTS) as Client[]).map((client) => {
      const own = results[workload][client];
      const of = (figure: keyof Round) => median(own.map((round) => round[figure]));
      return [
        client,
        of("requestsPerSecond").toFixed(0),
        of("loadCpuMicroseconds").toFixed(2),
        of("cpuMicroseconds").toFixed(2),
        of("p50Ms").toFixed(2),
        of("p99Ms").toFixed(2),
        String(own.reduce((sum, { errors }) => sum + errors, 0)),
      ];
    });
    console.log();
    for (const row of [[title, ...columns], ...rows]) {
      console.log(row.map((cell, i) => i === 0 ? cell.padEnd(24) : cell.padStart(12)).join(""));
    }
    const ratio = (figure: keyof Round) =>
      median(
        results[workload].load.map((round, i) => round[figure] / results[workload].wrk[i][figure]),
      ).toFixed(2);
    console.log(
      `load / wrk`.padEnd(24) + ratio("requestsPerSecond").padStart(12) +
        ratio("loadCpuMicroseconds").padStart(12) + ratio("cpuMicroseconds").padStart(12),
    );
  }
}
