/**
 * What the packet filter's tiers cost: a connection that is let in, one that is refused, and a change of the limit, each
 * with other connections live. Two hosts in network namespaces; needs root, iproute2 and nftables.
 *
 * Connections come one by one, further apart than the ticks of the kernel's clock: only then the kernel looks at all
 * live connections for each. Medians within one run, the plain host first.
 * `deno task bench:packet-filter [--quick] [--help]`
 *
 * @module
 */
import { Agent } from "../limits/testing/agent.ts";
import { JoinedNamespaces, networkNamespaceProblem } from "../limits/testing/network_namespaces.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import { Samples } from "./samples.ts";
import { median } from "./statistics.ts";

const { quick } = readBenchArguments({});
const LIVE = quick ? [100] : [100, 500, 2_000];
const TIERS = quick ? [0, 16] : [0, 1, 8, 16, 32, 64];
const CONNECTS = quick ? 21 : 151;
const CHANGES = quick ? 5 : 61;
/** Milliseconds between two connects: CONFIG_HZ is 100 at the least. */
const EVERY_MS = 11;

/** Medians in microseconds; `null` where the tiers are too few for it. */
interface Costs {
  admitted: number;
  refused: number | null;
  change: number | null;
}

const problem = await networkNamespaceProblem();
if (problem !== null) {
  console.log(`There can be no packet filter here: ${problem}`);
  Deno.exit(0);
}

using samples = Samples.open();
const run = samples.begin("packet-filter", {
  quick,
  settings: { live: LIVE, tiers: TIERS, connects: CONNECTS, changes: CHANGES, everyMs: EVERY_MS },
});
console.log("live  tiers  let in µs  refused µs  change µs");
for (const live of LIVE) {
  for (const tiers of TIERS) {
    const costs = await measure(live, tiers);
    const { admitted, refused, change } = costs;
    const cells = [[live, 4], [tiers, 6], [admitted, 10], [refused, 11], [change, 10]] as const;
    console.log(cells.map(([cell, width]) => String(cell ?? "-").padStart(width)).join(" "));
    record(live, tiers, costs);
  }
}
run.end();

async function measure(live: number, tiers: number): Promise<Costs> {
  await using hosts = await JoinedNamespaces.make();
  await using server = new Agent(hosts.server);
  await using client = new Agent(hosts.client);
  await using keeper = new Agent(hosts.server);
  const port = await server.tell("listen");
  const address = hosts.serverAddresses.ipv4;
  // All tiers but the two that are used lie between them.
  const ladder = Array.from({ length: tiers }, (_, i) => live + i);
  if (tiers > 0) ladder[tiers - 1] = 2 * live + CONNECTS;
  const highest = ladder.at(-1) ?? 0;
  if (tiers > 0) await keeper.tell("openFilter", port, ladder, highest);
  const held = await client.tell("connect", address, port, live);
  if (held.admitted !== live) throw new Error(`${held.admitted} of ${live} were let in`);
  const timed = async () =>
    median(await client.tell("timeConnects", address, port, CONNECTS, EVERY_MS));

  const admitted = await timed();
  if (tiers < 2) return { admitted, refused: null, change: null };
  await keeper.tell("apply", [live]);
  const before = await keeper.tell("rejections");
  const refused = await timed();
  const count = await keeper.tell("rejections") - before;
  if (count !== CONNECTS) throw new Error(`${count} of ${CONNECTS} were refused`);
  return {
    admitted,
    refused,
    change: median(await keeper.tell("timeChanges", [live, highest], CHANGES)),
  };
}

function record(live: number, tiers: number, { admitted, refused, change }: Costs): void {
  const subject = tiers === 0 ? "no packet filter" : `${tiers} ${tiers === 1 ? "tier" : "tiers"}`;
  const workload = `${live.toLocaleString("en-US")} live connections`;
  const measures = { admitted_us: admitted, refused_us: refused, change_us: change };
  for (const [measure, value] of Object.entries(measures)) {
    if (value !== null) run.record({ subject, workload, measure, unit: "µs", value });
  }
}
