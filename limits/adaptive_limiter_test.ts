import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { AdaptiveLimiter, type LimiterReport } from "./adaptive_limiter.ts";
import { Metrics } from "../telemetry/mod.ts";
import { createLimit } from "./limit_algorithms.ts";
import { REPORTS_KEPT } from "./limits.ts";
import type { CumulativeReading } from "./measurement.ts";
import { readMetrics } from "./metrics_reading.ts";
import { testMetricSources } from "./testing/metric_sources.ts";

/** A service that is counted by hand: 800 connections, 1,000 answers a period of a second, each in 50 µs. */
class CountedService {
  readonly reading: CumulativeReading = {
    atMs: 0,
    requests: 0,
    durationSeconds: 0,
    durations: 0,
    connections: 800,
    rejections: 0,
  };
  latencySeconds = 0.000_05;
  failure: Error | null = null;

  read = (): Promise<CumulativeReading> => {
    const { reading } = this;
    reading.atMs += 1_000;
    reading.requests += 1_000;
    reading.durations += 1_000;
    reading.durationSeconds += 1_000 * this.latencySeconds;
    reading.rejections += 10;
    return this.failure === null ? Promise.resolve({ ...reading }) : Promise.reject(this.failure);
  };
}

/** An enforcement in tiers of 50. */
class Tiers {
  readonly applied: number[] = [];
  failure: Error | null = null;

  apply = (limit: number): Promise<number> => {
    if (this.failure !== null) return Promise.reject(this.failure);
    this.applied.push(limit);
    return Promise.resolve(Math.floor(limit / 50) * 50);
  };
}

function parts() {
  const service = new CountedService(), tiers = new Tiers();
  const reports: LimiterReport[] = [];
  const options = {
    limit: createLimit("gradient"),
    enforcement: tiers,
    read: service.read,
    report: (report: LimiterReport) => void reports.push(report),
    periodMs: 1_000,
  };
  return { service, tiers, reports, options };
}

Deno.test("every period is read, decided, enforced and reported with its reason", async () => {
  const { tiers, reports, options } = parts();
  const limiter = new AdaptiveLimiter(options);
  assertEquals(limiter.inForce, null);
  await limiter.step();
  await limiter.step();
  assertEquals(tiers.applied, [800, 960]);
  assertEquals(limiter.inForce, 950, "what tiers make of 960");
  const [first, second] = reports;
  assertEquals([first.kind, first.limit, first.inForce], ["begun", 800, 800]);
  assert(second.kind === "decision");
  assertEquals(second.decision.previous, 800);
  assertEquals(second.measurement.throughput, 1_000);
  assertEquals([second.limit, second.inForce], [960, 950]);
  assertMatch(second.decision.reason, /800 connections is free of a queue/);
  assertEquals(limiter.reports, reports);
});

Deno.test("a reading that fails changes nothing, is reported, and is tried again", async () => {
  const { service, tiers, options } = parts();
  const limiter = new AdaptiveLimiter(options);
  await limiter.step();
  service.failure = new Error("connection refused");
  const report = await limiter.step();
  assert(report.kind === "failure");
  assertEquals([report.what, report.error, report.limit], [
    "reading",
    "connection refused",
    800,
  ]);
  service.failure = null;
  assertEquals((await limiter.step()).kind, "decision");
  assertEquals(tiers.applied, [800, 960]);
});

Deno.test("while an enforcement fails nothing more is decided, and it is tried again", async () => {
  const { tiers, options } = parts();
  const limiter = new AdaptiveLimiter(options);
  await limiter.step();
  tiers.failure = new Error("nft: Operation not permitted");
  for (let period = 0; period < 5; period++) {
    const report = await limiter.step();
    assert(report.kind === "failure");
    assertEquals([report.what, report.error], ["enforcement", "nft: Operation not permitted"]);
    assertEquals([report.limit, report.inForce], [960, 800]);
  }
  tiers.failure = null;
  await limiter.step();
  assertEquals(tiers.applied, [800, 960]);
  assertEquals(limiter.inForce, 950);
});

Deno.test("an enforcement that gives no number has failed", async () => {
  const { options } = parts();
  const limiter = new AdaptiveLimiter({
    ...options,
    enforcement: { apply: () => Promise.resolve(Number.NaN) },
  });
  const report = await limiter.step();
  assert(report.kind === "failure");
  assertMatch(report.error, /the limit in force is NaN/);
  assertEquals(limiter.inForce, null);
});

Deno.test("a reading that never ends is given up after a period, and never runs twice", async () => {
  const { options } = parts();
  let calls = 0;
  const limiter = new AdaptiveLimiter({
    ...options,
    periodMs: 20,
    read: () => {
      calls++;
      return new Promise(() => {});
    },
  });
  const errors: string[] = [];
  for (let period = 0; period < 3; period++) {
    const report = await limiter.step();
    assert(report.kind === "failure");
    errors.push(report.error);
  }
  assertEquals(errors, [
    "the reading did not end in time",
    "the reading of an earlier period has not ended yet",
    "the reading of an earlier period has not ended yet",
  ]);
  assertEquals(calls, 1);
});

Deno.test("a report that throws stops nothing, and so does a reading that throws before it waits", async () => {
  const { options } = parts();
  let periods = 0;
  const limiter = new AdaptiveLimiter({
    ...options,
    report: () => {
      throw new Error("the log is full");
    },
    read: () => {
      periods++;
      throw new TypeError("no such reading");
    },
  });
  await limiter.step();
  const report = await limiter.step();
  assert(report.kind === "failure");
  assertEquals([report.error, periods], ["no such reading", 2]);
});

Deno.test("the oldest reports are dropped", async () => {
  const { options } = parts();
  const limiter = new AdaptiveLimiter(options);
  for (let period = 0; period < REPORTS_KEPT + 10; period++) await limiter.step();
  assertEquals(limiter.reports.length, REPORTS_KEPT);
  assertEquals(limiter.reports[0].kind, "decision");
});

Deno.test("it runs by itself until it is stopped, through failures too", async () => {
  const { service, options } = parts();
  const enough = Promise.withResolvers<void>();
  const limiter = new AdaptiveLimiter({
    ...options,
    periodMs: 10,
    read: () => {
      if (service.reading.atMs === 3_000) service.failure = new Error("away");
      if (service.reading.atMs === 6_000) service.failure = null;
      return service.read();
    },
    report: ({ at }) => {
      assert(at > 0);
      if (service.reading.atMs >= 10_000) enough.resolve();
    },
  });
  limiter.start();
  assertThrows(() => limiter.start(), Error, "started before");
  await enough.promise;
  await limiter.stop();
  const reports = limiter.reports.length;
  assertEquals(limiter.reports.filter(({ kind }) => kind === "failure").length, 3);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(limiter.reports.length, reports);
});

Deno.test("beside a service it moves the limit by what /metrics says, and survives that being away", async () => {
  const metrics = new Metrics(["/search"], testMetricSources({ connections: 800 }));
  const listener = {
    connectionsTotal: 0,
    connectionsActive: 800,
    bytesReceived: 0,
    bytesSent: 0,
    fastRoutes: [],
    refused: [],
  };
  metrics.http.addListener(() => listener);
  const handler = async () => {
    // What came in since the last scrape: a queue of 100 ms.
    for (let i = 0; i < 1_000; i++) metrics.http.observe(0, "GET", 200, 0.1, 10);
    return new Response(await metrics.registry.metrics());
  };
  const serve = (port: number) =>
    Deno.serve({ port, hostname: "127.0.0.1", onListen: () => {} }, handler);
  let server = serve(0);
  const { port } = server.addr;
  const { options, tiers } = parts();
  const limiter = new AdaptiveLimiter({
    ...options,
    periodMs: 2_000,
    read: async (signal) => ({
      ...await readMetrics({ url: `http://127.0.0.1:${port}/metrics` }, signal),
      // A clock of its own: the test takes no two seconds a period.
      atMs: metrics.http.requests,
    }),
  });
  await limiter.step();
  for (let period = 0; period < 2; period++) {
    await limiter.step();
    await limiter.step();
  }
  const moved = limiter.reports.at(-1);
  assert(moved?.kind === "decision");
  assert(moved.measurement.latencyNs! > 99e6 && moved.measurement.latencyNs! < 101e6);
  assertEquals([moved.decision.state, moved.limit < 800], ["shrinking", true]);
  await server.shutdown();
  const away = await limiter.step();
  assert(away.kind === "failure");
  assertMatch(away.error, new RegExp(`^http://127.0.0.1:${port}/metrics: .+`));
  server = serve(port);
  const back = await limiter.step();
  assertEquals([back.kind, tiers.applied.at(-1)], ["begun", moved.limit]);
  await server.shutdown();
  metrics.stop();
});

Deno.test("stopping does not wait for a reading that hangs", async () => {
  const { options } = parts();
  const isReading = Promise.withResolvers<void>();
  const limiter = new AdaptiveLimiter({
    ...options,
    periodMs: 600_000,
    read: () => {
      isReading.resolve();
      return new Promise(() => {});
    },
  });
  limiter.start();
  await isReading.promise;
  await limiter.stop();
  const report = limiter.reports.at(-1);
  assert(report?.kind === "failure");
  assertEquals(report.error, "the reading was broken off");
});

Deno.test("a period out of bounds is refused", () => {
  const { options } = parts();
  assertThrows(() => new AdaptiveLimiter({ ...options, periodMs: 0 }), RangeError, "period of 0");
});
