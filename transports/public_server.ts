import { serveDeno } from "./deno_server.ts";
import { NativeServer, type NativeServerOptions } from "./native_server.ts";
import type { RunningServer } from "./server.ts";

/** A way to carry requests. */
export type Transport = "uring" | "epoll" | "deno";

/** How the public port is opened. */
export interface PublicServerOptions extends Omit<NativeServerOptions, "transport"> {
  /** "auto" takes the first of io_uring, epoll and Deno.serve that works. */
  transport: Transport | "auto";
  /** PEM texts; without them, plain HTTP. Only Deno.serve has TLS. */
  tls?: { cert: string; key: string };
}

/** The server of the public port. */
export interface PublicServer {
  server: RunningServer;
  transport: Transport;
  /** The same server, where it is a native one. */
  native: NativeServer | null;
  /** Why it is not one of those that were tried first, in a line each. */
  reasons: string[];
}

/**
 * Opens the public port by the transport that was asked for, or by the best that works here.
 *
 * @throws {Deno.errors.AddrInUse} If the port is taken
 * @throws {Error} If none works, with the reason and the remedy
 */
export async function openPublicServer(options: PublicServerOptions): Promise<PublicServer> {
  const { transport: asked, tls } = options;
  const reasons: string[] = [];
  if (tls !== undefined && (asked === "uring" || asked === "epoll")) {
    throw new Error(`TRANSPORT=${asked} has no TLS: leave CERT_FILE out, or give TRANSPORT=deno`);
  }
  const tried: Transport[] = asked === "auto" ? ["uring", "epoll", "deno"] : [asked];
  for (const transport of tried) {
    if (transport === "deno") {
      return { server: serveDeno(options), transport, native: null, reasons };
    }
    if (tls !== undefined) {
      if (reasons.length === 0) reasons.push("TLS is Deno.serve's");
      continue;
    }
    try {
      const native = await NativeServer.start({ ...options, transport });
      return { server: native, transport, native, reasons };
    } catch (error) {
      // Another transport would not get the port either.
      if (error instanceof Deno.errors.AddrInUse || asked !== "auto") throw error;
      reasons.push((error as Error).message);
    }
  }
  throw new Error(reasons.join("; "));
}
