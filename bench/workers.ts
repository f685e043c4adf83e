/**
 * One listener thread and two, on all cores together with wrk: what a second thread is worth where client and server
 * share the machine. Medians of interleaved rounds. Needs wrk.
 * `deno run -A bench/workers.ts [--quick] [--transport uring|epoll] [--help]`
 *
 * @module
 */
import { readBenchArguments } from "./bench_arguments.ts";
import { PATH } from "./listener_load.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { recordLoad } from "./record_load.ts";
import { Samples } from "./samples.ts";
import { median } from "./statistics.ts";

const { quick, transport: asked } = readBenchArguments({ transport: ["uring", "epoll"] });
const transport = asked ?? "uring";
const rounds = quick ? 1 : 5;
const seconds = quick ? 1 : 3;
const CONNECTIONS = 128;
const WRK_THREADS = 2;

interface Contender {
  threads: number;
  process: MeasuredProcess;
  port: number;
  rates: number[];
  cpuMicroseconds: number[];
}

using samples = Samples.open();
const run = samples.begin("workers", {
  quick,
  partial: transport !== "uring",
  settings: { rounds, seconds, connections: CONNECTIONS, bytes: 700, clientThreads: WRK_THREADS },
});

await using started = new AsyncDisposableStack();
const contenders: Contender[] = [];
for (const threads of [1, 2]) {
  const path = new URL("native_server.ts", import.meta.url).pathname;
  const args = ["-A", path, `--transport=${transport}`, `--threads=${threads}`];
  const process = started.use(new MeasuredProcess(null, args));
  const [, port] = await process.line(/"port":(\d+)/);
  contenders.push({ threads, process, port: Number(port), rates: [], cpuMicroseconds: [] });
}
// The first round warms up and does not count.
for (let round = 0; round <= rounds; round++) {
  for (const { process, port, rates, cpuMicroseconds } of contenders) {
    const before = await process.cpuMicroseconds();
    const { requests, rate } = await load(port, round === 0 ? 1 : seconds);
    if (round === 0) continue;
    rates.push(rate);
    cpuMicroseconds.push((await process.cpuMicroseconds() - before) / requests);
  }
}
console.log(
  `${transport}, a constant of 700 bytes; ${CONNECTIONS} connections, ${WRK_THREADS} threads of wrk on the same ` +
    `${navigator.hardwareConcurrency} cores; ${rounds} rounds of ${seconds} s`,
);
for (const { threads, rates, cpuMicroseconds } of contenders) {
  console.log(
    `${threads} thread${threads > 1 ? "s" : " "}  ${median(rates).toFixed(0)} requests/s  ` +
      `${median(cpuMicroseconds).toFixed(2)} µs CPU a request`,
  );
  const seen = rates.map((requestsPerSecond, i) => ({
    requestsPerSecond,
    cpuMicroseconds: cpuMicroseconds[i],
  }));
  recordLoad(run, threads === 1 ? "one thread" : "two threads", "keep-alive", seen);
}
run.end();

async function load(port: number, seconds: number): Promise<{ requests: number; rate: number }> {
  const { stdout } = await new Deno.Command("wrk", {
    args: [
      `-t${WRK_THREADS}`,
      `-c${CONNECTIONS}`,
      `-d${seconds}s`,
      `http://127.0.0.1:${port}${PATH}`,
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const requests = Number(text.match(/(\d+) requests in/)?.[1]);
  const rate = Number(text.match(/Requests\/sec: +([\d.]+)/)?.[1]);
  if (!(requests > 0) || /Non-2xx|Socket errors/.test(text)) throw new Error(`wrk said:\n${text}`);
  return { requests, rate };
}
