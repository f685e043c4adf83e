import { RateLimiter, ScalingSignals } from "./limits/mod.ts";
import { connectedPeers, shutDownConnections } from "./native/mod.ts";
import { type Check, HttpError, type RequestInfo } from "./routes/mod.ts";
import type { Settings } from "./settings.ts";
import { logger, type ScalingMetrics } from "./telemetry/mod.ts";
import {
  type ConnectionTable,
  DenoConnections,
  type NativeServer,
  type PublicServer,
  RateLimit,
  type RateLimitData,
} from "./transports/mod.ts";

/** A way to keep a limit of connections. */
interface Enforcement {
  /** @returns The limit in force */
  apply(limit: number): Promise<number>;
  /** Connections refused since the start. */
  rejections(): Promise<number>;
  close(): Promise<void>;
}

/** Time between two looks at the limit, in milliseconds. */
const LOOK_MS = 2_000;
/** How long a look is good for: a scrape reads five metrics of it. */
const LOOK_FRESH_MS = 250;

/**
 * What the service does with more than it can serve well: limits of connections and rates, on whatever transport it
 * has, and the signals that an autoscaler reads.
 */
export class Overload {
  /** What the listener's threads need to limit rates; `null` without a limit. */
  readonly rateLimit: RateLimitData | null;
  readonly #settings: Settings;
  readonly #log = logger("overload");
  readonly #signals = new ScalingSignals();
  #limit: number;
  #enforcement: Enforcement | null = null;
  #native: NativeServer | null = null;
  #denoConnections: DenoConnections | null = null;
  /** Limits rates where the app does. */
  #appRateLimit: RateLimit | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #look: { at: number; done: Promise<void> } | null = null;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { rateLimit: rate, rateLimitPerClient: ratePerClient, trustedProxies } = settings;
    this.rateLimit = rate === null && ratePerClient === null ? null : {
      ...RateLimiter.allocate({ rate, ratePerClient }, performance.now()),
      trustedProxies,
    };
    this.#limit = settings.connectionLimit as number;
  }

  /** The limit that a listener begins with. */
  get listenerLimit(): number {
    return this.#settings.shed === "app" ? this.#limit : Infinity;
  }

  /** Connections that are open; `null` where that cannot be told. */
  get connections(): number | null {
    if (this.#native !== null) return this.#native.statistics().connectionsActive;
    return this.#denoConnections?.active ?? null;
  }

  /** Begins to keep the limits of a server that listens. */
  async start({ native, server }: PublicServer): Promise<void> {
    this.#native = native;
    if (native === null) {
      this.#denoConnections = new DenoConnections(
        this.listenerLimit,
        connectionTable(this.#settings.host, server.port),
      );
      if (this.rateLimit !== null) this.#appRateLimit = new RateLimit(this.rateLimit);
    }
    this.#enforcement = await this.#open(server.port);
    await this.#enforcement.apply(this.#limit);
    this.#timer = setInterval(() => this.read().catch(() => {}), LOOK_MS);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** What a request is answered that is not let in, where no listener's thread decides that. */
  refuse(request: Request, path: string, info: RequestInfo | undefined): HttpError | null {
    if (this.#denoConnections === null || info === undefined) return null;
    if (!this.#denoConnections.admits(info.remoteAddr, info.completed)) {
      return new HttpError(
        503,
        "service_overloaded",
        "as many connections are open as are served well: try again in a second",
        { headers: { "retry-after": "1", "connection": "close" } },
      );
    }
    return this.#appRateLimit?.refuse(request, path, info.remoteAddr) ?? null;
  }

  /** Whether there is room for more connections, for /ready. */
  check(): Check {
    const open = this.connections;
    const limit = this.#settings.shed === "none"
      ? this.#native?.connectionsMax ?? Infinity
      : this.#limit;
    return {
      name: "capacity",
      isPassing: open === null || open < limit,
      detail: open === null ? "connections cannot be told here" : `${open} of ${limit} connections`,
    };
  }

  /** What an autoscaler reads. */
  async read(): Promise<ScalingMetrics> {
    const now = performance.now();
    if (this.#look === null || now - this.#look.at > LOOK_FRESH_MS) {
      this.#look = { at: now, done: this.#takeLook(now) };
    }
    await this.#look.done;
    const { connectionLimit, rejections, rejectionRate, saturation, needsScaleout } = this.#signals;
    return { connectionLimit, rejections, rejectionRate, saturation, needsScaleout };
  }

  /** Ends it; rules in the packet filter go with it. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#enforcement?.close();
  }

  async #takeLook(now: number): Promise<void> {
    const rejections = await this.#enforcement?.rejections() ?? 0;
    this.#signals.update({ active: this.connections ?? 0, limit: this.#limit, rejections }, now);
  }

  #open(_port: number): Promise<Enforcement> {
    if (this.#settings.shed === "none") return Promise.resolve(NO_ENFORCEMENT);
    return Promise.resolve(this.#inApp());
  }

  /** Connections past the limit get 503, by the listener or, on Deno.serve, by the app. */
  #inApp(): Enforcement {
    const native = this.#native, connections = this.#denoConnections;
    return {
      apply: (limit) => {
        native?.setConnectionLimit(limit);
        if (connections !== null) connections.limit = limit;
        return Promise.resolve(limit);
      },
      rejections: () =>
        Promise.resolve(native?.statistics().connectionsShed ?? connections?.rejections ?? 0),
      close: () => Promise.resolve(),
    };
  }
}

const NO_ENFORCEMENT: Enforcement = {
  apply: (limit) => Promise.resolve(limit),
  rejections: () => Promise.resolve(0),
  close: () => Promise.resolve(),
};

/** What the kernel knows of connections to a port, where this system tells. */
function connectionTable(hostname: string, port: number): ConnectionTable | null {
  try {
    connectedPeers(hostname, port);
  } catch {
    return null;
  }
  return {
    peers: () => connectedPeers(hostname, port),
    shutDown: (peers) => shutDownConnections(port, peers),
  };
}
