/**
 * A load on the compute service: the fast route as fast as it goes, and the intensive one up to what its pool does and
 * past it. What is too much must be refused at once, and what is done must not become less. "CPU µs" is what the service
 * takes for each 200, refusing others included.
 * `deno run -A examples/compute/load.ts [--quick]`
 *
 * @module
 */
import { type LoadOptions, type LoadReport, runLoad } from "../../load/mod.ts";
import { RunningService } from "./running_service.ts";

const durationMs = Deno.args.includes("--quick") ? 1_000 : 10_000;
const THREADS = 2, QUEUE = 16;
/** Ten milliseconds of work or so. */
const TASK = { limit: 300_000 };
/** The pool's capacity, so many times over. */
const OVER = [2, 5, 20];
/** More than the pool and its queue hold, so that it is the pool that refuses. */
const CONNECTIONS = 200;

/** What came of a load. */
interface Measured {
  report: LoadReport;
  /** What the service took meanwhile; `null` where another load was made at the same time. */
  cpuMicroseconds: number | null;
}

await using service = await RunningService.start(
  ...["--threads", String(THREADS), "--queue", String(QUEUE), "--task-timeout", "5000"],
);

async function load(
  path: string,
  body: unknown,
  options: Partial<LoadOptions>,
): Promise<Measured> {
  const warmupMs = durationMs / 4;
  const [before, report] = await Promise.all([
    cpuAfter(warmupMs),
    runLoad({
      url: `${service.url}/api/v1/compute/${path}`,
      method: "POST",
      body: JSON.stringify(body),
      durationMs,
      warmupMs,
      expect: { statuses: [200, 503] },
      ...options,
    }),
  ]);
  if (report.errorsTotal > 0) throw new Error(`${path}: ${report.examples.join("; ")}`);
  return { report, cpuMicroseconds: await service.cpuMicroseconds() - before };
}

/** What the service has taken when the client has warmed up, but for the moment that its thread takes to start. */
async function cpuAfter(milliseconds: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return await service.cpuMicroseconds();
}

/** @returns Answers with 200 a second */
function print(name: string, { report, cpuMicroseconds }: Measured): number {
  const { elapsedMs, statuses, latency, rejectedLatency, open } = report;
  const count = (status: string) => statuses[status] ?? 0;
  const rate = (status: string) => count(status) / elapsedMs * 1_000;
  const cells = [
    Math.round(rate("200")),
    Math.round(rate("503")),
    latency.p50Ms.toFixed(1),
    latency.p99Ms.toFixed(1),
    rejectedLatency.count === 0 ? "-" : rejectedLatency.p99Ms.toFixed(1),
    cpuMicroseconds === null || count("200") === 0
      ? "-"
      : (cpuMicroseconds / count("200")).toFixed(1),
  ];
  console.log(name.padEnd(38) + cells.map((cell) => String(cell).padStart(10)).join(""));
  if (open !== null && !open.isRateKept) {
    console.log(
      `  the rate was not kept: ${open.unsent} of ${open.due} requests due were never sent`,
    );
  }
  return rate("200");
}

console.log(`${service.url}, by ${service.transport}; ${THREADS} threads, ${QUEUE} wait\n`);
console.log(
  " ".repeat(38) +
    ["200/s", "503/s", "p50 ms", "p99 ms", "503 p99", "CPU µs"]
      .map((head) => head.padStart(10)).join(""),
);
const numbers = Array.from({ length: 10 }, (_, i) => i * 1.5);
for (const pipeline of [1, 16]) {
  print(
    `fast, 50 connections${pipeline === 1 ? "" : `, ${pipeline} in flight`}`,
    await load("fast", { numbers }, { connections: 50, pipeline }),
  );
}
print(
  `intensive, ${THREADS} connections`,
  await load("intensive", TASK, { connections: THREADS }),
);
const capacity = print(
  `intensive, ${THREADS + QUEUE} connections: all the pool holds`,
  await load("intensive", TASK, { connections: THREADS + QUEUE }),
);
for (const times of OVER) {
  const rate = Math.ceil(capacity * times);
  print(
    `intensive, ${rate}/s asked for, ${times} times that`,
    await load("intensive", TASK, { connections: CONNECTIONS, rate }),
  );
}
const [beside, busy] = await Promise.all([
  load("fast", { numbers }, { connections: 10, rate: 500 }),
  load("intensive", TASK, { connections: THREADS + QUEUE }),
]);
print("fast, 500/s asked for, and beside it", { ...beside, cpuMicroseconds: null });
print(`intensive, ${THREADS + QUEUE} connections`, { ...busy, cpuMicroseconds: null });
