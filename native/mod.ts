/**
 * An HTTP/1.1 listener on Linux, driven from TypeScript through Deno FFI: {@linkcode serve} answers from threads of its
 * own, by io_uring where the kernel allows it and by epoll elsewhere. Requests of fast routes never leave their thread;
 * all others run the handler that Deno.serve would run. Beside it what a service on Linux wants of the system: memory
 * with an address, and threads of lower priority. It knows nothing of events and imports nothing of ours, so that it can
 * be used elsewhere; `examples/listener.ts` shows how.
 *
 * @module
 */
export {
  type FastAnswer,
  type FastRequest,
  type FastRoute,
  HeadTemplate,
  type ReleasedMemory,
} from "./fast_route.ts";
export type { Gate } from "./gate.ts";
export { listenerThread, type ThreadContext, type ThreadRoutes } from "./listener_thread.ts";
export * from "./mapped_memory.ts";
export { transportProblem } from "./probe.ts";
export { type Listener, serve, type ServeOptions } from "./serve.ts";
export type { ServeHandler, ServeInfo } from "./server_exchange.ts";
export type { FastRouteCounts, ListenerCounts, ListenerStatistics } from "./statistics.ts";
export { connectedPeers, shutDownConnections } from "./socket_diagnostics.ts";
export * from "./thread_priority.ts";
