import { type RunningServer, settlesWithin } from "./server.ts";

/** How the Deno transport listens. */
export interface DenoServerOptions {
  hostname: string;
  port: number;
  /** PEM texts; without them, plain HTTP. */
  tls?: { cert: string; key: string };
  handler: (
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ) => Response | Promise<Response>;
  /** Called when the listener failed and is being replaced. */
  onFailure: (error: Error) => void;
}

/** The pause before a listener that failed is replaced; descriptors run out for as long as they do. */
const RESTART_PAUSE_MS = 100;

/**
 * Serves through Deno.serve, and goes on serving where Deno.serve gives up: when the process runs out of descriptors
 * its listener ends for good, so another takes its place while established connections are still answered.
 *
 * @throws {Deno.errors.AddrInUse} If the port is taken; the message of this and other errors names address and port
 */
export function serveDeno(options: DenoServerOptions): RunningServer {
  const { hostname, tls, handler, onFailure } = options;
  let stopped = false;

  function listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    const server = Deno.serve({ hostname, port, ...tls, onListen() {} }, handler);
    server.finished.catch((error) => {
      if (stopped) return;
      onFailure(error as Error);
      replace();
    });
    return server;
  }

  function replace(): void {
    setTimeout(() => {
      if (stopped) return;
      try {
        server = listen(port);
      } catch (error) {
        onFailure(error as Error);
        replace();
      }
    }, RESTART_PAUSE_MS);
  }

  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = listen(options.port);
  } catch (error) {
    // Deno's own message does not say which of the ports it is about.
    (error as Error).message = `cannot listen on ${hostname}:${options.port}: ${
      (error as Error).message
    }`;
    throw error;
  }
  const { port } = server.addr;
  return {
    port,
    async shutdown(deadlineMs) {
      stopped = true;
      return await settlesWithin(server.shutdown(), deadlineMs);
    },
  };
}
