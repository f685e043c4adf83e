/**
 * Connections held open and each answered, at the beginning and again at the end: the listener with 100,000, the
 * service with 100,000, and Deno.serve and nginx with as many as their descriptors allow, one after the other; and what
 * an idle connection costs a server in memory, which is how much its resident memory grew while they were held. What
 * the kernel keeps for a socket is not in it. Needs nginx for its row, which is left out without it.
 * `deno run -A bench/connections.ts [--connections N] [--quick] [--only PATTERN] [--help]`
 *
 * @module
 */
import { residentBytes } from "../native/testing/open_descriptors.ts";
import { readBenchArguments } from "./bench_arguments.ts";
import type { HolderFigures } from "./connection_holder.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { Samples } from "./samples.ts";
import { START_FLAGS } from "./start_flags.ts";

/** A server of the table. */
interface Contender {
  name: string;
  /** Whether each connection takes one of the process's descriptors. */
  isBoundByDescriptors: boolean;
  path: string;
  start: () => Promise<Running>;
}

/** A server that listens. */
interface Running {
  process: MeasuredProcess;
  processId: number;
  port: number;
}

/** What was seen of one server. */
interface Figures {
  asked: number;
  held: number;
  answeredFirst: number;
  answeredLast: number;
  lost: number;
  openSeconds: number;
  residentMegabytes: number;
  bytesPerConnection: number;
}

const { quick, only, connections: connectionsAsked } = readBenchArguments({
  connections: "count",
  only: "pattern",
});
const wanted = connectionsAsked ?? (quick ? 2_000 : 100_000);
/** Descriptors of a process, and those of them that a server or a holder needs for other things. */
const DESCRIPTORS = 20_000;
const DESCRIPTORS_OTHER = 500;
/** Connections of a holder: all of them go to one address, where a server listens on more than one. */
const HOLDER_CONNECTIONS_MAX = 17_000;
/** Connections to one address, of the 28,232 ephemeral ports that it has by default. */
const ADDRESS_CONNECTIONS_MAX = 25_000;
const BODY_BYTES = 700;
const LISTENER_THREADS = 6;
/** Time between the two times that each connection is asked on. */
const HOLD_MS = quick ? 1_000 : 5_000;
/** The longest that asking once on each connection may take. */
const ASK_MS_MAX = 180_000;
const START_MS_MAX = 60_000;
/** What is recorded of a row: its name, the figure, its unit. */
const MEASURES = [
  ["asked", "asked", "connections"],
  ["held", "held", "connections"],
  ["answered_first", "answeredFirst", "connections"],
  ["answered_last", "answeredLast", "connections"],
  ["lost", "lost", "connections"],
  ["open_s", "openSeconds", "s"],
  ["resident_mb", "residentMegabytes", "MB"],
  ["bytes_per_connection", "bytesPerConnection", "bytes"],
] as const;
const COLUMNS = [
  "asked for",
  "held",
  "first",
  "last",
  "lost",
  "open s",
  "RSS MB",
  "bytes each",
];

using samples = Samples.open();
const run = samples.begin("connections", {
  quick,
  partial: only !== null || connectionsAsked !== null,
  settings: { connections: wanted, descriptors: DESCRIPTORS, threads: LISTENER_THREADS },
});

await using started = new AsyncDisposableStack();
const folder = await Deno.makeTempDir();
started.defer(() => Deno.remove(folder, { recursive: true }));

const contenders: Contender[] = [
  {
    name: "Marquee's listener, uring",
    isBoundByDescriptors: false,
    path: "/answer",
    start: () => startListener("uring"),
  },
  {
    name: "Marquee's listener, epoll",
    isBoundByDescriptors: true,
    path: "/answer",
    start: () => startListener("epoll"),
  },
  {
    name: "Marquee, the service",
    isBoundByDescriptors: false,
    path: "/search?starts_at=2030-01-01T00:00:00&ends_at=2030-01-02T00:00:00",
    start: startService,
  },
  { name: "Deno.serve", isBoundByDescriptors: true, path: "/", start: startDenoServe },
  { name: "nginx", isBoundByDescriptors: true, path: "/constant.json", start: startNginx },
];

await sayLimits();
const rows: [string, Figures][] = [];
for (const contender of contenders) {
  if (only !== null && !only.test(contender.name)) continue;
  try {
    rows.push([contender.name, await measure(contender)]);
  } catch (error) {
    console.log(`${contender.name} is left out: ${error instanceof Error ? error.message : error}`);
  }
}
console.log();
for (const row of [["", ...COLUMNS], ...rows.map(([name, figures]) => [name, ...cells(figures)])]) {
  console.log(row.map((cell, i) => i === 0 ? cell.padEnd(28) : cell.padStart(11)).join(""));
}
for (const [subject, figures] of rows) {
  for (const [measure, figure, unit] of MEASURES) {
    run.record({ subject, workload: "held open", measure, unit, value: figures[figure] });
  }
}
run.end();

/** Starts a server, has its connections held, and ends it. */
async function measure(contender: Contender): Promise<Figures> {
  const descriptorsLeft = DESCRIPTORS - DESCRIPTORS_OTHER;
  const { process, processId, port } = await contender.start();
  await using server = new AsyncDisposableStack();
  server.defer(() => end(process));
  const isEverywhere = await canConnect("127.0.0.2", port);
  let asked = contender.isBoundByDescriptors ? Math.min(wanted, descriptorsLeft) : wanted;
  if (!isEverywhere && asked > ADDRESS_CONNECTIONS_MAX) {
    asked = ADDRESS_CONNECTIONS_MAX;
    console.log(`${contender.name} listens on 127.0.0.1 alone, where ports are few`);
  }
  // What is made for the first requests is not what a connection costs.
  for (let i = 0; i < 50; i++) {
    await (await fetch(`http://127.0.0.1:${port}${contender.path}`)).arrayBuffer();
  }
  const before = await residentBytes(processId);

  const beginning = performance.now();
  const holders: MeasuredProcess[] = [];
  for (let rest = asked; rest > 0; rest -= HOLDER_CONNECTIONS_MAX) {
    const hostname = isEverywhere ? `127.0.0.${1 + holders.length}` : "127.0.0.1";
    const count = Math.min(rest, HOLDER_CONNECTIONS_MAX);
    const args = [hostname, String(port), contender.path, String(count)];
    const holder = new MeasuredProcess(null, [
      "--allow-net",
      here("connection_holder.ts"),
      ...args,
    ]);
    server.defer(() => end(holder));
    holders.push(holder);
  }
  const first = await collect(holders);
  const openSeconds = (performance.now() - beginning) / 1_000;
  await new Promise((resolve) => setTimeout(resolve, HOLD_MS));
  const resident = await residentBytes(processId);
  await Promise.all(holders.map((holder) => holder.write("again")));
  const last = await collect(holders);
  for (const reason of [...first.reasons, ...last.reasons].slice(0, 3)) {
    console.log(`${contender.name} lost one: ${reason}`);
  }
  return {
    asked,
    held: first.held,
    answeredFirst: first.answered,
    answeredLast: last.answered,
    lost: first.lost + last.lost,
    openSeconds,
    residentMegabytes: resident / 1e6,
    bytesPerConnection: (resident - before) / first.held,
  };
}

/** What the holders print next, put together. */
async function collect(holders: readonly MeasuredProcess[]): Promise<HolderFigures> {
  const all = await Promise.all(holders.map(async (holder): Promise<HolderFigures> => {
    const [line] = await holder.line(/^\{"held".*$/, ASK_MS_MAX);
    return JSON.parse(line);
  }));
  const sum = (figure: "held" | "answered" | "lost") =>
    all.reduce((total, figures) => total + figures[figure], 0);
  return {
    held: sum("held"),
    answered: sum("answered"),
    lost: sum("lost"),
    reasons: all.flatMap(({ reasons }) => reasons),
  };
}

function startListener(transport: "uring" | "epoll"): Promise<Running> {
  const options = [
    `--transport=${transport}`,
    "--hostname=0.0.0.0",
    `--threads=${LISTENER_THREADS}`,
    // The requests before the first count keep a connection or two of their own.
    `--connections=${wanted + 10}`,
  ];
  return startDeno(["-A", here("native_server.ts"), ...options]);
}

async function startService(): Promise<Running> {
  const running = await startDeno([...START_FLAGS, here("../main.ts")], {
    HOST: "0.0.0.0",
    PORT: "0",
    ADMIN_PORT: "0",
    KV_PATH: ":memory:",
    POLL_INTERVAL: "24h",
    LOG_FORMAT: "json",
    IDLE_TIMEOUT: "1h",
    WORKERS: String(LISTENER_THREADS),
    MAX_CONNECTIONS: String(wanted),
  }, /"message":"Search: .*"port":(\d+)/);
  await running.process.line(/"outcome":"changed"/, START_MS_MAX);
  return running;
}

function startDenoServe(): Promise<Running> {
  return startDeno(["--allow-net", here("constant_server.ts"), String(BODY_BYTES)]);
}

/** nginx closes idle connections when few of its worker_connections are left, so it is told more than it can have. */
async function startNginx(): Promise<Running> {
  const port = freePort();
  await Deno.mkdir(`${folder}/logs`, { recursive: true });
  await Deno.writeTextFile(`${folder}/constant.json`, "x".repeat(BODY_BYTES));
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile ${DESCRIPTORS};
events { worker_connections ${2 * DESCRIPTORS}; }
http {
  access_log off;
  default_type application/json;
  keepalive_timeout 1h;
  keepalive_requests 1000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${port} backlog=4096; root ${folder}; }
}
`,
  );
  const { process, processId } = await start(["nginx", "-p", folder, "-c", `${folder}/nginx.conf`]);
  for (let attempts = 0; attempts < 50; attempts++) {
    if (await canConnect("127.0.0.1", port)) return { process, processId, port };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await end(process);
  throw new Error("there is no nginx that would start");
}

/** Starts a program in Deno and waits for the line that tells its port. */
async function startDeno(
  args: readonly string[],
  env: Record<string, string> = {},
  line = /"port":(\d+)/,
): Promise<Running> {
  const { process, processId } = await start([Deno.execPath(), "run", "--no-prompt", ...args], env);
  try {
    const [, port] = await process.line(line, START_MS_MAX);
    return { process, processId, port: Number(port) };
  } catch (error) {
    await end(process);
    throw error;
  }
}

/** Starts a program by way of a shell, which says the process's number. */
async function start(
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<{ process: MeasuredProcess; processId: number }> {
  const shell = ["sh", "-c", `ulimit -n ${DESCRIPTORS}; echo "pid:$$"; exec "$@"`, "sh"];
  const process = new MeasuredProcess(null, command, env, shell);
  const [, processId] = await process.line(/^pid:(\d+)$/);
  return { process, processId: Number(processId) };
}

/** Ends a process, which may have ended by itself. */
async function end(process: MeasuredProcess): Promise<void> {
  try {
    await process[Symbol.asyncDispose]();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

async function canConnect(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch {
    return false;
  }
}

/** A port that nobody listened to a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** Says what of the machine bounds the connections. */
async function sayLimits(): Promise<void> {
  const names = ["net.ipv4.ip_local_port_range", "net.core.somaxconn"];
  const { stdout } = await new Deno.Command("sysctl", { args: names }).output();
  const said = new TextDecoder().decode(stdout).trim().replaceAll(/\s*\n/g, ", ")
    .replaceAll("\t", " ");
  console.log(
    `${wanted} connections, ${HOLDER_CONNECTIONS_MAX} a holder, ${DESCRIPTORS} descriptors a process; ${said}`,
  );
}

function cells(figures: Figures): string[] {
  return [
    String(figures.asked),
    String(figures.held),
    String(figures.answeredFirst),
    String(figures.answeredLast),
    String(figures.lost),
    figures.openSeconds.toFixed(1),
    figures.residentMegabytes.toFixed(0),
    figures.bytesPerConnection.toFixed(0),
  ];
}

function here(file: string): string {
  return new URL(file, import.meta.url).pathname;
}
