/**
 * Random one-day ranges over 100,000 events: Marquee on each of its transports beside what one would pick instead.
 * fasthttp (Go) and Netty (Java) with the same fragments by hand and with json.Marshal and Jackson; Gin, Node, fastify,
 * Bun and Deno.serve with their JSON; then compressed answers beside compressing each. The bound is nginx, which sends
 * a file of the size that answers have on average. One run, server and client on a core each, medians of interleaved
 * rounds. First of all, every server must give the same answers. Needs wrk and taskset; a server whose toolchain is
 * not here is left out, and so is, from a quick run, what has to be fetched, unless `--only` names it.
 * `deno task bench:ranges [--quick] [--only PATTERN] [--help]`
 *
 * @module
 */
import { readBenchArguments } from "./bench_arguments.ts";
import { checkAnswers } from "./checked_answers.ts";
import { median } from "./statistics.ts";
import { PeerBuilder } from "./peers/build.ts";
import { startPeers, WARM_UP_SECONDS } from "./peers/peer.ts";
import { measureRound, type ServerCost } from "./peers/measured_round.ts";
import type { RunningPeer } from "./peers/running_peer.ts";
import {
  EVENTS,
  EVENTS_QUICK,
  expectedAnswers,
  rangeEvents,
  rangePaths,
  toResultsJson,
} from "./range_events.ts";
import { boundPeers, type Coding, type RangePeer, searchPeers } from "./range_peers.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { CONNECTIONS, type Load, medianOf, runWrk, writeWrkScript } from "./wrk.ts";

const { quick, only } = readBenchArguments({ only: "pattern" });
const count = quick ? EVENTS_QUICK : EVENTS;
const rounds = quick ? 1 : 5;
const seconds = quick ? 1 : 2;
const PATHS = 10_000;
const PATHS_CHECKED = 200;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

const COLUMNS = [
  "requests/s",
  "CPU µs",
  "x Marquee",
  "x file",
  "CPU %",
  "p50 ms",
  "p99 ms",
  "body bytes",
  "wire bytes",
];

type Round = Load & ServerCost;

/** A server under measurement, or one way of asking it. */
interface Contender {
  peer: RangePeer;
  server: RunningPeer;
  coding: Coding;
  /** Mean bytes of the bodies that were checked. */
  bodyBytes: number;
  rounds: Round[];
}

using samples = Samples.open();
const run = samples.begin("ranges", {
  quick,
  partial: only !== null,
  settings: { rounds, seconds, events: count, paths: PATHS, connections: CONNECTIONS },
});

await using started = new AsyncDisposableStack();
const folder = await Deno.makeTempDir();
started.defer(() => Deno.remove(folder, { recursive: true }));

const events = rangeEvents(count);
const paths = rangePaths(PATHS, count);
const checked = paths.slice(0, PATHS_CHECKED);
const bodies = expectedAnswers(events, checked);
const results = `${folder}/results.json`;
await Deno.writeTextFile(results, toResultsJson(events));

const hashes = new Set<string>();
const builder = new PeerBuilder(folder);
const contenders = await contend(searchPeers(results, count));
const ours = contenders.filter(({ peer }) => peer.isOurs);
if (ours.length === 0) throw new Error("--only leaves Marquee out");
if (hashes.size !== 1) throw new Error("the servers disagree, though each passed its check");
for (const { coding, bodyBytes } of new Map(ours.map((one) => [one.coding, one])).values()) {
  contenders.push(...await contend(boundPeers("/search", coding, Math.round(bodyBytes))));
}

const meanEvents = bodies.reduce((sum, body) => sum + JSON.parse(body).data.events.length, 0) /
  bodies.length;
console.log(
  `${count} events; ${PATHS} random one-day ranges, ${meanEvents.toFixed(1)} events a range; ` +
    `${rounds} rounds of ${seconds} s; wrk, ${CONNECTIONS} connections, one core each`,
);
console.log(
  `${PATHS_CHECKED} answers of each server are those of domain/search.ts, byte for byte: SHA-256 ${
    [...hashes][0]
  }`,
);

const scripts: Record<Coding, string> = {
  identity: await writeWrkScript(paths),
  gzip: await writeWrkScript(paths, { "accept-encoding": "gzip" }),
};
for (const script of Object.values(scripts)) started.defer(() => Deno.remove(script));
// In a full run the first round warms everything up and does not count.
for (let round = quick ? 1 : 0; round <= rounds; round++) {
  for (const contender of contenders) {
    const warmUp = contender.peer.warmUpSeconds ?? WARM_UP_SECONDS;
    const measured = await measure(contender, round === 0 ? warmUp : seconds);
    if (round > 0) contender.rounds.push(measured);
  }
}
for (const coding of ["identity", "gzip"] as const) print(coding);
for (const { peer: { name, subject = name }, coding, bodyBytes, rounds } of contenders) {
  recordLoad(run, subject, coding, rounds);
  run.record({ subject, workload: coding, measure: "body_bytes", unit: "bytes", value: bodyBytes });
}
run.record({
  subject: "the ranges",
  workload: "identity",
  measure: "events_per_answer",
  unit: "events",
  value: meanEvents,
});
run.end();

/** Has servers take part, in each of their codings, once their answers are right. */
async function contend(peers: readonly RangePeer[]): Promise<Contender[]> {
  const running = await startPeers(peers, started, {
    builder,
    core: SERVER_CORE,
    quick,
    // What Marquee is compared with can be chosen, not Marquee.
    only: only === null ? null : new RegExp(`^Marquee|${only.source}`),
    check: async ({ codings, constantBytes }, { port }) => {
      const found = [];
      for (const coding of codings) {
        if (constantBytes !== undefined) {
          const expected = checked.map(() => "x".repeat(constantBytes));
          found.push({ coding, ...await checkAnswers(port, checked, expected) });
          continue;
        }
        const answers = await checkAnswers(port, checked, bodies, coding);
        hashes.add(answers.sha256);
        found.push({ coding, ...answers });
      }
      return found;
    },
  });
  return running.flatMap(({ peer, server, checked }) =>
    checked.map(({ coding, meanBytes }): Contender => ({
      peer,
      server,
      coding,
      bodyBytes: meanBytes,
      rounds: [],
    }))
  );
}

async function measure(
  { peer: { name }, server, coding, bodyBytes }: Contender,
  seconds: number,
): Promise<Round> {
  const load = await measureRound(name, server, () =>
    runWrk({
      url: `http://127.0.0.1:${server.port}`,
      script: scripts[coding],
      seconds,
      core: CLIENT_CORE,
    }));
  if (load.wireBytes < bodyBytes * 0.9) {
    throw new Error(`${name} sent ${load.wireBytes} bytes an answer under load`);
  }
  return load;
}

function print(coding: Coding): void {
  const shown = contenders.filter((contender) => contender.coding === coding);
  const file = shown.find(({ peer }) => peer.name === "nginx, a file");
  const ratio = (rounds: readonly Round[], to: readonly Round[] | undefined) =>
    to === undefined ? "" : median(
      rounds.map(({ cpuMicroseconds }, i) => cpuMicroseconds / to[i].cpuMicroseconds),
    ).toFixed(2);
  const rows = shown.map(({ peer: { name }, bodyBytes, rounds }) => [
    name,
    medianOf(rounds, "requestsPerSecond").toFixed(0),
    median(rounds.map(({ cpuMicroseconds }) => cpuMicroseconds)).toFixed(1),
    ratio(rounds, shown[0].rounds),
    ratio(rounds, file?.rounds),
    median(rounds.map(({ cpuPercent }) => cpuPercent)).toFixed(0),
    medianOf(rounds, "p50Ms").toFixed(2),
    medianOf(rounds, "p99Ms").toFixed(2),
    bodyBytes.toFixed(0),
    medianOf(rounds, "wireBytes").toFixed(0),
  ]);
  console.log();
  for (const row of [[coding, ...COLUMNS], ...rows]) {
    console.log(row.map((cell, i) => i === 0 ? cell.padEnd(32) : cell.padStart(12)).join(""));
  }
}
