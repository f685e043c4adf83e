import { lookup } from "node:dns/promises";
import { IO_URING } from "../native/kernel_layout.ts";
import { openFilesMax } from "../native/libc.ts";
import { Ring } from "../native/ring.ts";
import { FetchEngine } from "./fetch_engine.ts";
import { FILES_RESERVED } from "./limits.ts";
import {
  type LoadOptions,
  LoadOptionsError,
  requestTexts,
  type ResolvedOptions,
  resolveOptions,
} from "./options.ts";
import type { LoadReport } from "./report.ts";
import { CONTROL } from "./uring_engine.ts";
import type { UringJob, UringNews } from "./uring_worker.ts";

/** A load that is being made. */
export interface RunningLoad {
  /** What came of it. Rejects if it could not be made. */
  readonly report: Promise<LoadReport>;
  /**
   * Changes how many connections are held: more are made at once, and what is too many closes after its answer.
   *
   * @param connections From 1 to the option `connectionsMax`
   * @throws {LoadOptionsError} If it is another number
   */
  setConnections(connections: number): void;
  /** Ends it within a few milliseconds; what is not answered by then is `unanswered`. */
  stop(): void;
}

/**
 * Begins a load.
 *
 * @throws {LoadOptionsError} If an option makes no sense
 *
 * @example
 * ```ts
 * import { startLoad } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = Deno.serve({ port: 0, onListen() {} }, () => new Response("here"));
 * const load = startLoad({
 *   url: `http://127.0.0.1:${server.addr.port}/`,
 *   connections: 2,
 *   connectionsMax: 8,
 *   durationMs: 200,
 * });
 * load.setConnections(8);
 * const { errorsTotal } = await load.report;
 * assertEquals(errorsTotal, 0);
 * ```
 */
export function startLoad(options: LoadOptions): RunningLoad {
  const resolved = resolveOptions(options);
  requestTexts(resolved);
  const control = new Int32Array(new SharedArrayBuffer(CONTROL.words * 4));
  control[CONTROL.connections] = resolved.connections;
  const stop = () => Atomics.store(control, CONTROL.stop, 1);
  const { signal } = options;
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  return {
    report: run(options, resolved, control).finally(() => {
      signal?.removeEventListener("abort", stop);
    }),
    setConnections(connections) {
      const { connectionsMax } = resolved;
      if (!Number.isInteger(connections) || connections < 1 || connections > connectionsMax) {
        throw new LoadOptionsError(
          `connections: ${connections} is no whole number from 1 to ${connectionsMax}, which connectionsMax raises`,
        );
      }
      Atomics.store(control, CONTROL.connections, connections);
    },
    stop,
  };
}

/**
 * Makes a load and says what came of it.
 *
 * @throws {LoadOptionsError} If an option makes no sense
 * @throws {Error} If the host is not known
 *
 * @example
 * ```ts
 * import { runLoad } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = Deno.serve({ port: 0, onListen() {} }, () => new Response("here"));
 * const report = await runLoad({
 *   url: `http://127.0.0.1:${server.addr.port}/`,
 *   connections: 4,
 *   requests: 100,
 *   expect: { body: "here" },
 * });
 * assertEquals([report.statuses, report.errorsTotal], [{ "200": 100 }, 0]);
 * ```
 */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  return await startLoad(options).report;
}

/**
 * Why a load cannot be made on io_uring here, found out by making a ring.
 *
 * @returns `null` if it can
 */
export function uringProblem(): string | null {
  const { os } = Deno.build;
  if (os !== "linux") return `this is ${os}, and it is Linux that has io_uring`;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "no permission for FFI: run with --allow-ffi";
  }
  try {
    using ring = new Ring({ submissions: 8, completions: 16 });
    ring.registerBuffers(8, 8).free();
    const supported = ring.supportedOperations();
    for (const name of ["IORING_OP_CONNECT", "IORING_OP_SEND", "IORING_OP_RECV"] as const) {
      if (!supported.has(IO_URING[name])) return `the kernel has no ${name}`;
    }
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

async function run(
  options: LoadOptions,
  resolved: ResolvedOptions,
  control: Int32Array<SharedArrayBuffer>,
): Promise<LoadReport> {
  const onSample = options.onProgress ?? (() => {});
  const { engine = "auto" } = options;
  const problem = engine === "fetch"
    ? "it was asked for"
    : resolved.isSecure
    ? "the URL is https"
    : uringProblem();
  if (problem === null) {
    const filesMax = openFilesMax() - FILES_RESERVED;
    if (resolved.connectionsMax > filesMax) {
      throw new LoadOptionsError(
        `connections: ${resolved.connectionsMax} are more than the ${filesMax} files that this process may open: ` +
          "raise ulimit -n, or ask for fewer",
      );
    }
    const address = await addressOf(resolved.hostname);
    return await runInThread({ options: resolved, address, control }, onSample);
  }
  if (engine === "io_uring") throw new LoadOptionsError(`engine: no io_uring: ${problem}`);
  return await new FetchEngine({ options: resolved, control, onSample, reason: problem }).run();
}

async function addressOf(hostname: string): Promise<string> {
  try {
    const addresses = await lookup(hostname, { all: true });
    // What listens on an IPv6 address of this host listens on its IPv4 address more often than the other way round.
    return (addresses.find(({ family }) => family === 4) ?? addresses[0]).address;
  } catch {
    throw new Error(`${hostname}: no such host is known`);
  }
}

async function runInThread(
  job: UringJob,
  onSample: NonNullable<LoadOptions["onProgress"]>,
): Promise<LoadReport> {
  const worker = new Worker(new URL("uring_worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<LoadReport>();
  worker.onmessage = ({ data }: MessageEvent<UringNews>) => {
    if (data.kind === "sample") onSample(data.sample);
    else if (data.kind === "report") resolve(data.report);
    else reject(new Error(data.message));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`the thread of the load ended: ${event.message}`));
  };
  worker.postMessage(job);
  return await promise;
}
