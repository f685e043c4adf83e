/**
 * The demo provider on a socket.
 *
 * @module
 */

import { createDemoProvider, type DemoProvider, type DemoProviderOptions } from "./provider.ts";

/** A demo provider that listens. */
export interface RunningDemoProvider extends AsyncDisposable {
  /** The address of the feed, for example `http://127.0.0.1:8090/feed`. */
  readonly url: string;
  /** The provider behind the socket. */
  readonly provider: DemoProvider;
  /** Stops listening, breaks off the answers in flight, and resolves when all is closed. */
  shutdown(): Promise<void>;
}

/**
 * Makes a demo provider and serves it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * await using running = serveDemoProvider({ plans: 20 });
 * const response = await fetch(running.url);
 * assertEquals(response.headers.get("content-type"), "application/xml; charset=utf-8");
 * await response.body?.cancel();
 * ```
 *
 * @param options What differs from the usual, with the port (0, any free one, unless given) and the
 * hostname to listen on (127.0.0.1 unless given).
 * @throws {RangeError} If an option is out of range.
 * @throws {Deno.errors.AddrInUse} If the port is taken.
 */
export function serveDemoProvider(
  options: DemoProviderOptions & { port?: number; hostname?: string } = {},
): RunningDemoProvider {
  const { port = 0, hostname = "127.0.0.1", ...providerOptions } = options;
  const stop = new AbortController();
  const signals = [stop.signal, ...(options.signal ? [options.signal] : [])];
  const provider = createDemoProvider({ ...providerOptions, signal: AbortSignal.any(signals) });
  const server = Deno.serve(
    { port, hostname, signal: stop.signal, onListen: () => {} },
    provider.handler,
  );
  const shutdown = () => {
    stop.abort();
    return server.finished;
  };
  return {
    url: `http://${reachable(server.addr.hostname)}:${server.addr.port}/feed`,
    provider,
    shutdown,
    [Symbol.asyncDispose]: shutdown,
  };
}

/** An address that clients on this machine can connect to. */
function reachable(hostname: string): string {
  if (hostname === "0.0.0.0") return "127.0.0.1";
  if (hostname === "::") return "[::1]";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
