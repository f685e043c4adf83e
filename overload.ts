import {
  AdaptiveLimiter,
  chooseTiers,
  createLimit,
  type CumulativeReading,
  type Limit,
  limiterLine,
  LimiterMetrics,
  PacketFilter,
  PacketFilterError,
  packetFilterProblem,
  RateLimiter,
  type ScalingReading,
  ScalingSignals,
} from "./limits/mod.ts";
import { connectedPeers, shutDownConnections } from "./native/mod.ts";
import { type Check, HttpError, type RequestInfo } from "./routes/mod.ts";
import type { Settings } from "./settings.ts";
import { logger, type Metrics, type ScalingMetrics } from "./telemetry/mod.ts";
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
  readonly mode: Settings["shed"];
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
/** Decisions of the limiter that /stats shows, the last ones. */
const DECISIONS_SHOWN = 20;
/** Statuses of requests that were refused for want of room: they are none of those that were served. */
const REFUSALS = [429, 503];

/**
 * What the service does with more than it can serve well: limits of connections and rates, on whatever transport it
 * has, and the signals that an autoscaler reads.
 */
export class Overload {
  /** What the listener's threads need to limit rates; `null` without a limit. */
  readonly rateLimit: RateLimitData | null;
  readonly #settings: Settings;
  /** Decides on the limit with CONNECTION_LIMIT=auto. */
  readonly #algorithm: Limit;
  readonly #log = logger("overload");
  readonly #signals = new ScalingSignals();
  /** The limit in force, or the one to begin with. */
  #limit: number;
  #limiter: AdaptiveLimiter | null = null;
  #enforcement: Enforcement | null = null;
  #native: NativeServer | null = null;
  #denoConnections: DenoConnections | null = null;
  /** Limits rates where the app does. */
  #appRateLimit: RateLimit | null = null;
  /** What requests of Deno.serve have waited for their turn, about, and how many there were. */
  #waitedSeconds = 0;
  #durations = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #look: { at: number; done: Promise<void> } | null = null;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#algorithm = createLimit(settings.limitAlgorithm, {
      minimum: settings.connectionLimitMinimum,
      maximum: settings.connectionLimitMaximum,
    });
    const { rateLimit: rate, rateLimitPerClient: ratePerClient, trustedProxies } = settings;
    this.rateLimit = rate === null && ratePerClient === null ? null : {
      ...RateLimiter.allocate({ rate, ratePerClient }, performance.now()),
      trustedProxies,
    };
    this.#limit = settings.connectionLimit === "auto"
      ? this.#algorithm.value
      : settings.connectionLimit;
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

  /** Begins to keep the limits of a server that listens, and to measure it where the limit is to be found. */
  async start({ native, server }: PublicServer, metrics: Metrics): Promise<void> {
    this.#native = native;
    if (native === null) {
      this.#denoConnections = new DenoConnections(
        this.listenerLimit,
        connectionTable(this.#settings.host, server.port),
      );
      if (this.rateLimit !== null) this.#appRateLimit = new RateLimit(this.rateLimit);
    }
    this.#enforcement = await this.#open(server.port);
    this.#limit = await this.#enforcement.apply(this.#limit);
    // What was refused before, under rules that an earlier run left, is no news.
    await this.#takeLook(performance.now());
    if (this.#settings.connectionLimit === "auto") this.#findLimit(metrics);
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
      detail: open === null
        ? "connections cannot be told here"
        : limit === Infinity
        ? `${open} connections`
        : `${open} of ${limit} connections`,
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

  /** A picture of it for /stats, as of the last look. */
  stats(): Record<string, unknown> {
    const { rejections, rejectionRate, saturation, needsScaleout } = this.#signals;
    return {
      shed: this.#enforcement?.mode ?? "none",
      connection_limit: this.#limit,
      rejections,
      rejection_rate: rejectionRate,
      saturation,
      needs_scaleout: needsScaleout,
      decisions: this.#limiter?.reports.slice(-DECISIONS_SHOWN).map((report) => ({
        at: new Date(report.at).toISOString(),
        text: limiterLine(report).message,
      })) ?? null,
    };
  }

  /** Ends it; rules in the packet filter go with it. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#limiter?.stop();
    try {
      await this.#enforcement?.close();
    } catch (error) {
      this.#log.warn("{problem}", { problem: (error as Error).message });
    }
  }

  async #takeLook(now: number): Promise<void> {
    // Nothing to compare with yet: a first look that finds what earlier runs refused would be taken for news.
    if (this.#enforcement === null) return;
    const reading: ScalingReading = {
      active: this.connections ?? 0,
      limit: this.#limit,
      rejections: await this.#enforcement.rejections(),
    };
    this.#signals.update(reading, now);
  }

  async #open(port: number): Promise<Enforcement> {
    const { shed } = this.#settings;
    if (shed === "none") return NO_ENFORCEMENT;
    if (shed === "app") return this.#inApp();
    let problem = await packetFilterProblem();
    if (problem === null) {
      try {
        return await this.#inKernel(port);
      } catch (error) {
        if (!(error instanceof PacketFilterError)) throw error;
        problem = error.message;
      }
    }
    this.#log.warn("{problem}. Connections past the limit get 503 instead, as with SHED=app", {
      problem,
    });
    return this.#inApp();
  }

  /** Connections past the limit are reset by the packet filter, before the listener knows of them. */
  async #inKernel(port: number): Promise<Enforcement> {
    const { connectionLimit, connectionLimitMinimum, connectionLimitMaximum } = this.#settings;
    const tiers = connectionLimit === "auto"
      ? chooseTiers(connectionLimitMinimum, connectionLimitMaximum)
      : chooseTiers(connectionLimit, connectionLimit);
    const filter = await PacketFilter.open({
      port,
      tiers,
      limit: this.#limit,
      onReinstalled: (reason) => this.#log.warn(reason),
    });
    this.#log.info("Port {port} is limited to {limit} connections by the packet filter", {
      port,
      limit: filter.limit,
      leftover: filter.leftover,
    });
    if (filter.timeoutsProblem !== null) {
      this.#log.warn("Half-open connections keep their place for up to two minutes: {problem}", {
        problem: filter.timeoutsProblem,
      });
    }
    let rejections = 0;
    return {
      mode: "kernel",
      apply: (limit) => filter.apply(limit),
      rejections: async () => {
        try {
          rejections = await filter.rejections();
        } catch {
          // What cannot be read is what it was.
        }
        return rejections;
      },
      close: () => filter.close(),
    };
  }

  /** Has the limit moved by what the service measures of itself. */
  #findLimit(metrics: Metrics): void {
    const limiterMetrics = new LimiterMetrics(metrics.registry);
    this.#limiter = new AdaptiveLimiter({
      limit: this.#algorithm,
      enforcement: {
        apply: async (limit) => this.#limit = await this.#enforcement!.apply(limit),
      },
      read: () => this.#readService(metrics),
      report: (report) => {
        limiterMetrics.observe(report);
        const { message, level } = limiterLine(report);
        this.#log[level](message, { limit: report.limit, in_force: report.inForce });
      },
      periodMs: this.#settings.limitPeriodMs,
    });
    this.#limiter.start();
  }

  async #readService({ http, eventLoopLag }: Metrics): Promise<CumulativeReading> {
    let requests = 0;
    for (const { status, count } of http.requestCounts()) {
      if (!REFUSALS.includes(status)) requests += count;
    }
    let durationSeconds = 0, durations = 0;
    for (const { buckets, sumSeconds } of http.durations()) {
      durationSeconds += sumSeconds;
      for (const count of buckets) durations += count;
    }
    // A listener's thread measures from when a request can have become readable; Deno.serve only from its turn.
    if (this.#native === null) {
      this.#waitedSeconds += eventLoopLag.takeMean() * (durations - this.#durations);
      this.#durations = durations;
    }
    return {
      atMs: performance.now(),
      requests,
      durationSeconds: durationSeconds + this.#waitedSeconds,
      durations,
      connections: this.connections ?? 0,
      rejections: await this.#enforcement!.rejections(),
    };
  }

  /** Connections past the limit get 503, by the listener or, on Deno.serve, by the app. */
  #inApp(): Enforcement {
    const native = this.#native, connections = this.#denoConnections;
    return {
      mode: "app",
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
  mode: "none",
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
