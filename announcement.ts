import type { Settings } from "./settings.ts";
import { logger } from "./telemetry/mod.ts";
import type { PublicServer } from "./transports/mod.ts";

/** What was started. */
export interface Started {
  publicServer: PublicServer;
  /** `null` where there is only one port. */
  adminPort: number | null;
  /** Where events are stored. */
  store: string;
  /** What the catalogue lies in. */
  memory: string;
  /** The providers' names. */
  providers: readonly string[];
  /** What keeps the interval of the polls. */
  schedule: string;
  /** Why this is an edge host; `null` where it is none. */
  edge: string | null;
}

const log = logger("service");

/** Says in a few lines of the log where to look, and what was taken and why. */
export function announce(settings: Settings, started: Started): void {
  const { publicServer, adminPort, store, memory, providers, schedule, edge } = started;
  const scheme = settings.certFile === null ? "http" : "https";
  const base = `${scheme}://${reachable(settings.host)}:${publicServer.server.port}`;
  log.info("Board: {url}", { url: `${base}/` });
  log.info("Search: {url}", { url: `${base}/search`, port: publicServer.server.port });
  log.info("Documentation: {url}", { url: `${base}/docs` });
  if (adminPort !== null) {
    log.info("Admin: {url}", {
      url: `http://${reachable(settings.adminHost)}:${adminPort}/metrics`,
      port: adminPort,
    });
  } else if (settings.adminToken !== null) {
    log.info("Admin: {url} with the Bearer token ADMIN_TOKEN", { url: `${base}/admin/metrics` });
  }
  announceTransport(settings, publicServer);
  log.info("Store: {path}", { path: store });
  log.debug("Catalogue: in {memory}", { memory });
  log.info("Polling {providers} every {seconds} s by {scheduled}", {
    providers: providers.join(", "),
    seconds: settings.pollIntervalMs / 1_000,
    scheduled: schedule,
  });
  if (edge !== null) {
    log.warn(
      "Edge host ({reason}): no files, no second port, no FFI. The admin routes are {admin}",
      {
        reason: edge,
        admin: settings.adminToken === null ? "off until ADMIN_TOKEN is set" : "under /admin",
      },
    );
  }
}

/** What carries requests, why, and which settings it does not keep. */
function announceTransport(
  settings: Settings,
  { transport, native, reasons }: PublicServer,
): void {
  const names = { uring: "io_uring", epoll: "epoll", deno: "Deno.serve" };
  const asked = settings.transport === "auto" ? "the best that works here" : "as asked";
  log.info("Transport: {name} ({because})", {
    name: names[transport],
    because: [asked, ...reasons].join("; "),
    transport,
  });
  if (native !== null && native.connectionsMax < settings.maxConnections) {
    const { connectionsMax } = native;
    const isGiven = settings.given.has("MAX_CONNECTIONS");
    log[isGiven ? "warn" : "debug"](
      "{connectionsMax} connections at most: for MAX_CONNECTIONS={wanted} raise the limit of open files (ulimit -n), or WORKERS",
      { connectionsMax, wanted: settings.maxConnections },
    );
  }
  if (transport !== "deno") return;
  const unkept = [
    "WORKERS",
    "MAX_CONNECTIONS",
    "HEADER_TIMEOUT",
    "IDLE_TIMEOUT",
    "WRITE_TIMEOUT",
  ].filter((name) => settings.given.has(name));
  if (unkept.length > 0) {
    log.warn("The deno transport does not keep {settings}; only REQUEST_TIMEOUT holds", {
      settings: unkept.join(", "),
    });
  } else {
    log.info("Deno.serve has no timeouts of its own: only REQUEST_TIMEOUT holds");
  }
}

/** A wildcard address as something to open in a browser. */
function reachable(hostname: string): string {
  if (hostname === "0.0.0.0" || hostname === "::") return "localhost";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
