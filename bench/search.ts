/**
 * /search on the transport that the service takes by itself, beside a Deno.serve that sends a constant of the same size, with the same headers: requests/s
 * and CPU per request, in one run, server and client on different cores, medians of interleaved rounds. Needs wrk and taskset.
 * `deno task bench:search [--quick] [--help]`
 *
 * @module
 */
import { formatDateTime } from "../domain/mod.ts";
import { serveDemoProvider } from "../demo/mod.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { START_FLAGS } from "./start_flags.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { median } from "./statistics.ts";
import { CONNECTIONS, runWrk, writeWrkScript } from "./wrk.ts";

const { quick } = readBenchArguments({});
const plans = quick ? 10_000 : 100_000;
const rounds = quick ? 1 : 5;
const seconds = quick ? 1 : 4;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

/** What was seen of one server in one round. */
interface Sample {
  requestsPerSecond: number;
  cpuMicroseconds: number;
}

using samples = Samples.open();
const run = samples.begin("search", {
  quick,
  settings: { rounds, seconds, plans, connections: CONNECTIONS },
});

await using demo = serveDemoProvider({ plans, seasonSpeed: 0 });
await using service = new MeasuredProcess(
  SERVER_CORE,
  [...START_FLAGS, "main.ts"],
  {
    HOST: "127.0.0.1",
    PORT: "0",
    ADMIN_PORT: "0",
    KV_PATH: ":memory:",
    POLL_INTERVAL: "24h",
    LOG_FORMAT: "json",
    PROVIDER_URL: demo.url,
  },
);
const [, port] = await service.line(/"message":"Search: .*"port":(\d+)/);
const base = `http://127.0.0.1:${port}`;
await service.line(/"outcome":"changed"/);
await service.idle();

const paths = randomDays(10_000);
const sizes: number[] = [];
for (const path of paths.slice(0, 500)) {
  sizes.push((await (await fetch(base + path)).arrayBuffer()).byteLength);
}
const meanSize = Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length);
const one = paths[sizes.indexOf(median(sizes))];
const oneSize = median(sizes);

console.log(
  `${plans} plans; ${rounds} rounds of ${seconds} s; wrk, 64 connections, one core each\n`,
);
await compare("one query", `one query, ${oneSize} bytes`, oneSize, [one]);
await compare(
  "random days",
  `10,000 random one-day ranges, ${meanSize} bytes on average`,
  meanSize,
  paths,
);
run.end();

async function compare(
  workload: string,
  what: string,
  bytes: number,
  requested: string[],
): Promise<void> {
  await using constant = new MeasuredProcess(SERVER_CORE, [
    "--allow-net",
    new URL("constant_server.ts", import.meta.url).pathname,
    String(bytes),
    "--headers",
  ]);
  const [, constantPort] = await constant.line(/"port":(\d+)/);
  const script = await writeWrkScript(requested);
  const ours: Sample[] = [], floor: Sample[] = [];
  // The first round warms both up and does not count.
  for (let round = 0; round <= rounds; round++) {
    const a = await load(constant, `http://127.0.0.1:${constantPort}`, script);
    const b = await load(service, base, script);
    if (round > 0) {
      floor.push(a);
      ours.push(b);
    }
  }
  await Deno.remove(script);
  recordLoad(run, "Deno.serve, a constant", workload, floor);
  recordLoad(run, "Marquee", workload, ours);
  run.record({ subject: "Marquee", workload, measure: "body_bytes", unit: "bytes", value: bytes });
  console.log(what);
  print("Deno.serve, a constant", floor);
  print("Marquee, /search", ours);
  const ratios = ours.map(({ cpuMicroseconds }, i) => cpuMicroseconds / floor[i].cpuMicroseconds);
  console.log(`  CPU per request: ${median(ratios).toFixed(2)} times that of the constant\n`);
}

function print(name: string, samples: readonly Sample[]): void {
  const rate = Math.round(median(samples.map((sample) => sample.requestsPerSecond)));
  const cpu = median(samples.map((sample) => sample.cpuMicroseconds));
  console.log(
    `  ${name.padEnd(24)} ${String(rate).padStart(7)} requests/s ${
      cpu.toFixed(1).padStart(6)
    } µs CPU/request`,
  );
}

async function load(server: MeasuredProcess, url: string, script: string): Promise<Sample> {
  const before = await server.cpuMicroseconds();
  const { requests, requestsPerSecond } = await runWrk({ url, script, seconds, core: CLIENT_CORE });
  const used = await server.cpuMicroseconds() - before;
  return { requestsPerSecond, cpuMicroseconds: used / requests };
}

/** Searches for one day each, from 20 days ago to 300 days ahead; the same at every run on one day. */
function randomDays(count: number): string[] {
  let state = 7;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const now = Math.floor(Date.now() / 86_400_000) * 86_400;
  return Array.from({ length: count }, () => {
    const start = now + Math.floor((random() * 320 - 20) * 1_440) * 60;
    return `/search?starts_at=${formatDateTime(start)}Z&ends_at=${formatDateTime(start + 86_400)}Z`;
  });
}
