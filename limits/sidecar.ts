import { setTimeout as delay } from "node:timers/promises";
import { Registry } from "prom-client";
import { logger, registerScalingMetrics } from "../telemetry/mod.ts";
import { AdaptiveLimiter } from "./adaptive_limiter.ts";
import type { Ladder } from "./ladder_rules.ts";
import { createLimit, type LimitAlgorithm } from "./limit_algorithms.ts";
import { limiterLine, LimiterMetrics } from "./limiter_metrics.ts";
import { readMetrics } from "./metrics_reading.ts";
import { PacketFilter, packetFilterProblem } from "./packet_filter.ts";
import { ScalingSignals } from "./scaling_signals.ts";

/** How the limiter runs beside a service. */
export interface SidecarOptions extends Ladder {
  /** The limit to begin with. */
  limit: number;
  /** The algorithm that moves the limit, between the lowest and the highest tier; `null` for a limit that stays. */
  algorithm: LimitAlgorithm | null;
  /** Where the service has its metrics. */
  metricsUrl: string;
  /** Milliseconds between two decisions. */
  periodMs: number;
  /** Where the limiter has metrics of its own. */
  hostname: string;
  metricsPort: number;
  /** Ends it. */
  signal: AbortSignal;
}

/** Time until a packet filter that could not be used is tried again. */
const RETRY_MS = 60_000;
/** Time between two looks whether the rules are still there. */
const LOOK_MS = 2_000;
/** How old the connections may be that the scaling metrics tell, in milliseconds. */
const READING_FRESH_MS = 1_000;
/** Routes whose durations say how busy the service is: streams and profiles take as long as they are asked to. */
const ROUTES = ["/search"];

/**
 * Runs the limiter beside a service that knows nothing of it: reads what the service measures, moves the limit in the
 * packet filter, and tells what it decides in log lines and metrics, the `http_scaling_…` ones among them, since it is
 * the one that keeps the limit. A service that does not answer leaves the limit where it is; where the packet filter
 * cannot be used, it says so and tries again every minute, rather than end and be started again.
 *
 * @throws {Deno.errors.AddrInUse} If the port for its metrics is taken
 */
export async function runSidecar(options: SidecarOptions): Promise<void> {
  const log = logger("limiter");
  const { signal } = options;
  for (;;) {
    const problem = await packetFilterProblem();
    if (problem === null) break;
    log.error("{problem}. Nothing is limited; tried again in {seconds} s", {
      problem,
      seconds: RETRY_MS / 1_000,
    });
    await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
  await using filter = await PacketFilter.open({
    ...options,
    onReinstalled: (reason) => log.warn(reason),
  });
  log.info("Port {port} is limited to {limit} connections by the packet filter", {
    port: options.port,
    limit: filter.limit,
  });
  if (filter.timeoutsProblem !== null) {
    log.warn("Half-open connections keep their place for up to two minutes: {problem}", {
      problem: filter.timeoutsProblem,
    });
  }
  const registry = new Registry();
  const metrics = new LimiterMetrics(registry);
  const signals = new ScalingSignals();
  const read = async (signal?: AbortSignal) => {
    const [reading, rejections] = await Promise.all([
      readMetrics({ url: options.metricsUrl, routes: ROUTES }, signal),
      filter.rejections(),
    ]);
    signals.update(
      { active: reading.connections, limit: filter.limit, rejections },
      performance.now(),
    );
    return { ...reading, rejections };
  };
  let lastRead = { at: -Infinity, done: Promise.resolve() };
  registerScalingMetrics(registry, async () => {
    const now = performance.now();
    if (now - lastRead.at > READING_FRESH_MS) {
      // A service that does not answer has the connections that it had.
      lastRead = { at: now, done: read().then(() => {}, () => {}) };
    }
    await lastRead.done;
    const { rejections, rejectionRate, saturation, needsScaleout } = signals;
    // The limit that is kept, also while the service does not answer.
    const connectionLimit = filter.limit;
    return { connectionLimit, rejections, rejectionRate, saturation, needsScaleout };
  });
  await using server = Deno.serve(
    {
      hostname: options.hostname,
      port: options.metricsPort,
      onListen: ({ hostname, port }) =>
        log.info("Metrics: {url}", { url: `http://${hostname}:${port}/metrics`, port }),
    },
    async (request) =>
      new URL(request.url).pathname === "/metrics"
        ? new Response(await registry.metrics(), {
          headers: { "content-type": registry.contentType },
        })
        : new Response("The limiter has /metrics only.\n", { status: 404 }),
  );
  server.ref();
  const limiter = options.algorithm === null ? null : new AdaptiveLimiter({
    limit: createLimit(options.algorithm, {
      minimum: options.tiers[0],
      maximum: options.tiers.at(-1)!,
      initial: options.limit,
    }),
    enforcement: filter,
    read,
    report: (report) => {
      metrics.observe(report);
      const { message, level } = limiterLine(report);
      log[level](message, { limit: report.limit, in_force: report.inForce });
    },
    periodMs: options.periodMs,
  });
  limiter?.start();
  while (!signal.aborted) {
    // Counting puts rules back that somebody has removed, whether or not the limit moves or the service answers.
    await filter.rejections().catch((error) => log.warn((error as Error).message));
    await delay(LOOK_MS, undefined, { signal }).catch(() => {});
  }
  await limiter?.stop();
}
