/**
 * The listener of `native/` beside other servers that answer every request with the same 700 bytes: the least that C
 * does on io_uring and on epoll, Deno.serve, nginx, fasthttp and Gin (Go), Netty (Java), Node, fastify and Bun. Kept
 * connections, a connection per request, and 16 requests at a time. One run, server and client on a core each, medians
 * of interleaved rounds. First of all, every server must give the same answers. Needs wrk and taskset; a server whose
 * toolchain is not here is left out, and so is, from a quick run, what has to be fetched, unless `--only` names it.
 * `deno run -A bench/listener.ts [--quick] [--json] [--only PATTERN] [--workload PATTERN] [--help]`
 *
 * @module
 */
import { readBenchArguments } from "./bench_arguments.ts";
import {
  type ListenerLoad,
  PATH,
  PIPELINED,
  runListenerWrk,
  type Workload,
  WORKLOADS,
  writeLoadScript,
} from "./listener_load.ts";
import { CONNECTIONS } from "./wrk.ts";
import { PEERS } from "./listener_peers.ts";
import { median } from "./statistics.ts";
import { BODY, checkConstant, REQUESTS } from "./peers/checked_constant.ts";
import { PeerBuilder } from "./peers/build.ts";
import { type Peer, startPeers, WARM_UP_SECONDS } from "./peers/peer.ts";
import { measureRound, type ServerCost } from "./peers/measured_round.ts";
import type { RunningPeer } from "./peers/running_peer.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";

const { quick, json, only, workload: asked } = readBenchArguments({
  json: "flag",
  only: "pattern",
  workload: "pattern",
});
const workloads = WORKLOADS.filter((workload) => asked?.test(workload) ?? true);
if (workloads.length === 0) throw new Error(`--workload fits none of: ${WORKLOADS.join(", ")}`);
const rounds = quick ? 1 : 3;
const seconds = quick ? 1 : 2;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

const COLUMNS = [
  "requests/s",
  "CPU µs",
  "x floor",
  "CPU %",
  "p50 ms",
  "p99 ms",
  "wire bytes",
  "errors",
];

type Round = ListenerLoad & ServerCost;

/** A server under measurement. */
interface Contender {
  peer: Peer;
  server: RunningPeer;
  rounds: Record<Workload, Round[]>;
}

/** A connection for each request is a suite of its own where nothing else is asked for: bench:churn. */
const suite = workloads.join() === "connection per request" ? "churn" : "throughput";
using samples = Samples.open();
const run = samples.begin(suite, {
  quick,
  partial: only !== null || suite === "throughput" && workloads.length < WORKLOADS.length,
  settings: { rounds, seconds, connections: CONNECTIONS, bytes: BODY.length, pipelined: PIPELINED },
});

await using started = new AsyncDisposableStack();
const folder = await Deno.makeTempDir();
started.defer(() => Deno.remove(folder, { recursive: true }));

const running = await startPeers(PEERS, started, {
  builder: new PeerBuilder(folder),
  core: SERVER_CORE,
  quick,
  only,
  check: (_peer, server) => checkConstant(server.port, PATH),
});
const contenders = running.map(({ peer, server }): Contender => ({
  peer,
  server,
  rounds: { "keep-alive": [], "connection per request": [], "pipelined": [] },
}));
const hashes = new Set(running.map(({ checked }) => checked));
if (contenders.length === 0) throw new Error("there is no server to measure");
if (hashes.size !== 1) throw new Error("the servers disagree, though each passed its check");

const scripts = new Map<Workload, string>();
for (const workload of workloads) {
  const script = await writeLoadScript(workload);
  started.defer(() => Deno.remove(script));
  scripts.set(workload, script);
}
for (const [workload, script] of scripts) {
  // In a full run the first round warms everything up and does not count.
  for (let round = quick ? 1 : 0; round <= rounds; round++) {
    for (const contender of contenders) {
      const warmUp = contender.peer.warmUpSeconds ?? WARM_UP_SECONDS;
      const measured = await measure(contender, script, round === 0 ? warmUp : seconds);
      if (round > 0) contender.rounds[workload].push(measured);
    }
  }
}

console.log(
  `the same ${BODY.length} bytes to every request; ${rounds} rounds of ${seconds} s; wrk, ` +
    `${CONNECTIONS} connections; one core each`,
);
for (const workload of workloads) {
  print(workload);
  for (const { peer: { name, subject = name }, rounds } of contenders) {
    recordLoad(run, subject, workload, rounds[workload]);
  }
}
run.end();
console.log(
  `\n${REQUESTS} answers of each server have the status, the fields and the bytes they must have: SHA-256 ${
    [...hashes][0]
  }`,
);
if (json) {
  const servers = contenders.map(({ peer, rounds }) => ({ name: peer.name, rounds }));
  console.log(JSON.stringify({ seconds, sha256: [...hashes][0], servers }));
}

async function measure(
  { peer: { name }, server }: Contender,
  script: string,
  seconds: number,
): Promise<Round> {
  const load = await measureRound(
    name,
    server,
    () => runListenerWrk(server.port, script, seconds, CLIENT_CORE),
  );
  if (load.wireBytes < BODY.length) {
    throw new Error(`${name} sent ${load.wireBytes} bytes an answer under load`);
  }
  return load;
}

function print(workload: Workload): void {
  const [{ rounds: floor }] = contenders;
  const rows = contenders.map(({ peer, rounds }) => {
    const own = rounds[workload];
    const of = (figure: keyof Round) => median(own.map((round) => round[figure]));
    const ratios = own.map((round, i) =>
      round.cpuMicroseconds / floor[workload][i].cpuMicroseconds
    );
    return [
      peer.name,
      of("requestsPerSecond").toFixed(0),
      of("cpuMicroseconds").toFixed(2),
      median(ratios).toFixed(2),
      of("cpuPercent").toFixed(0),
      of("p50Ms").toFixed(2),
      of("p99Ms").toFixed(2),
      of("wireBytes").toFixed(0),
      String(own.reduce((sum, { errors }) => sum + errors, 0)),
    ];
  });
  const title = workload === "pipelined" ? `pipelined, ${PIPELINED}` : workload;
  console.log();
  for (const row of [[title, ...COLUMNS], ...rows]) {
    console.log(row.map((cell, i) => i === 0 ? cell.padEnd(24) : cell.padStart(12)).join(""));
  }
}
