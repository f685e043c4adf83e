/**
 * Listeners under test: with the echo handler, a fast route, and a look at what was given back.
 *
 * @module
 */
import { type Listener, serve, type ServeOptions, transportProblem } from "../mod.ts";
import { echoHandler } from "./echo_handler.ts";

/** The transports of the listener, with why one does not work here where it does not; that is said aloud. */
export const NATIVE_TRANSPORTS: readonly {
  transport: "uring" | "epoll";
  problem: string | null;
}[] = (["uring", "epoll"] as const).map((transport) => ({
  transport,
  problem: transportProblem(transport),
}));

for (const { transport, problem } of NATIVE_TRANSPORTS) {
  if (problem !== null) console.warn(`Tests of ${transport} are ignored: ${problem}`);
}

/** How long connections, buffers and slots may take to be given back. */
const QUIET_MS_MAX = 5_000;
/** Milliseconds between two looks. */
const LOOK_MS = 10;

/** A listener that answers with what it was asked. */
export interface TestedListener extends AsyncDisposable {
  readonly listener: Listener;
  readonly port: number;
  /** What failed meanwhile; there should be nothing. */
  readonly errors: readonly Error[];
  /**
   * Waits until all clients are forgotten and all buffers are back.
   *
   * @throws {Error} If they are not within a few seconds, if a thread died, or if anything else failed
   */
  quiet(): Promise<void>;
}

/** Starts one on a free port of this host. */
export async function openTestedListener(options: ServeOptions): Promise<TestedListener> {
  const errors: Error[] = [];
  const listener = await serve({
    hostname: "127.0.0.1",
    port: 0,
    module: new URL("./echo_thread.ts", import.meta.url),
    onError: (error) => errors.push(error),
    ...options,
  }, echoHandler);
  return {
    listener,
    port: listener.addr.port,
    errors,
    async quiet() {
      for (const end = performance.now() + QUIET_MS_MAX;;) {
        const counts = listener.statistics();
        const { connectionsActive, buffersLent, answersInFlight, exchangesActive } = counts;
        const left = { connectionsActive, buffersLent, answersInFlight, exchangesActive };
        if (Object.values(left).every((count) => count === 0)) break;
        if (performance.now() > end) {
          throw new Error(`not given back within ${QUIET_MS_MAX} ms: ${JSON.stringify(left)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      const { threadsReplaced } = listener.statistics();
      if (threadsReplaced > 0) throw new Error(`${threadsReplaced} threads died`);
      if (errors.length > 0) {
        throw new AggregateError(errors, `${errors.length} failures, first: ${errors[0].stack}`);
      }
    },
    async [Symbol.asyncDispose]() {
      listener.abort();
      await listener.finished;
    },
  };
}
