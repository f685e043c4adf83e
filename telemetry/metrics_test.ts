import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreaterOrEqual,
  assertMatch,
} from "@std/assert";
import fc from "fast-check";
import {
  type CatalogueReading,
  DURATION_BUCKETS,
  HttpMetrics,
  Metrics,
  type MetricSources,
  RecentMaximum,
  type ScalingMetrics,
} from "./mod.ts";

const reading: CatalogueReading = { events: 7, version: 3, bytes: 1_024, ageSeconds: 1.5 };
const scaling: ScalingMetrics = {
  connectionLimit: 500,
  rejections: 12,
  rejectionRate: 1.5,
  saturation: 0.25,
  needsScaleout: true,
};
const sources: MetricSources = {
  catalogue: () => reading,
  scaling: () => Promise.resolve(scaling),
  connections: () => 125,
  queues: () => ({ parse: 2, build: 0 }),
};

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

interface Exposition {
  types: Map<string, string>;
  samples: Sample[];
}

/** Reads the Prometheus text format strictly: any line that is none of its three kinds is an error. */
function parse(text: string): Exposition {
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const samples: Sample[] = [];
  assert(text.endsWith("\n"), "the last line has no end");
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const help = /^# HELP ([a-zA-Z_:][\w:]*) \S.*$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary)$/.exec(line);
    const sample =
      /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\[\\"n])*",?)*)\})? (-?(?:\d[\d.e+-]*)|NaN|[+-]?Inf)$/
        .exec(line);
    if (help !== null) {
      assert(!helps.has(help[1]), `${help[1]} has two HELP lines`);
      helps.add(help[1]);
    } else if (type !== null) {
      assert(!types.has(type[1]), `${type[1]} has two TYPE lines`);
      types.set(type[1], type[2]);
    } else {
      assert(sample !== null, `not the Prometheus text format: ${line}`);
      const labels: Record<string, string> = {};
      for (const [, name, value] of (sample[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
        labels[name] = value;
      }
      const family = types.has(sample[1])
        ? sample[1]
        : sample[1].replace(/_(bucket|sum|count)$/, "");
      assert(types.has(family), `${sample[1]} has no TYPE before it`);
      samples.push({ name: sample[1], labels, value: Number(sample[3]) });
    }
  }
  const series = samples.map(({ name, labels }) =>
    name + JSON.stringify(Object.entries(labels).sort())
  );
  assertEquals(new Set(series).size, series.length, "a series occurs twice");
  return { types, samples };
}

async function scrape(metrics: Metrics): Promise<Exposition> {
  return parse(await metrics.registry.metrics());
}

function valueOf({ samples }: Exposition, name: string, labels: Record<string, string> = {}) {
  return samples.find((sample) =>
    sample.name === name &&
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  )?.value;
}

Deno.test("the text is what Prometheus reads, with every name that this version measures", async () => {
  const metrics = new Metrics(["/search", "unknown"], sources);
  metrics.http.observe(0, "GET", 200, 0.001, 100);
  metrics.http.observe(0, "GET", 429, 0.001, 100);
  metrics.polls.inc({ provider: 'a "quoted"\\name\n', outcome: "changed" });
  metrics.pollDuration.observe({ provider: "demo" }, 0.3);
  metrics.plansRejected.inc({ provider: "demo", reason: "unreadable_price" }, 3);
  metrics.breakerState.set({ provider: "demo" }, 2);
  const exposition = await scrape(metrics);
  for (
    const [name, type] of [
      ["http_requests_total", "counter"],
      ["http_requests_per_second", "gauge"],
      ["http_request_duration_seconds", "histogram"],
      ["http_bytes_sent_total", "counter"],
      ["catalogue_events", "gauge"],
      ["catalogue_version", "gauge"],
      ["catalogue_bytes", "gauge"],
      ["catalogue_age_seconds", "gauge"],
      ["provider_polls_total", "counter"],
      ["provider_poll_duration_seconds", "histogram"],
      ["provider_plans_rejected_total", "counter"],
      ["provider_breaker_state", "gauge"],
      ["process_cpu_seconds_total", "counter"],
      ["process_start_time_seconds", "gauge"],
      ["process_resident_memory_bytes", "gauge"],
      ["event_loop_lag_seconds", "gauge"],
      ["http_connections_active", "gauge"],
      ["http_scaling_connection_limit", "gauge"],
      ["http_scaling_rejection_rate", "gauge"],
      ["http_scaling_rejections_total", "counter"],
      ["http_scaling_needs_scaleout", "gauge"],
      ["http_scaling_saturation_ratio", "gauge"],
      ["rate_limited_total", "counter"],
      ["worker_pool_queue_depth", "gauge"],
    ]
  ) {
    assertEquals(exposition.types.get(name), type, name);
    const has = exposition.samples.some((sample) =>
      [name, `${name}_bucket`].includes(sample.name) && Number.isFinite(sample.value)
    );
    assert(has, `${name} has no sample`);
  }
  for (const name of exposition.types.keys()) {
    assert(!/gc_duration|eventloop_lag/.test(name), `${name} is wrong in Deno`);
  }
  assertEquals(valueOf(exposition, "catalogue_events"), 7);
  assertEquals(valueOf(exposition, "catalogue_version"), 3);
  assertEquals(valueOf(exposition, "catalogue_bytes"), 1_024);
  assertEquals(valueOf(exposition, "catalogue_age_seconds"), 1.5);
  assertEquals(valueOf(exposition, "provider_breaker_state", { provider: "demo" }), 2);
  assertEquals(valueOf(exposition, "http_connections_active"), 125);
  assertEquals(valueOf(exposition, "http_scaling_connection_limit"), 500);
  assertEquals(valueOf(exposition, "http_scaling_rejection_rate"), 1.5);
  assertEquals(valueOf(exposition, "http_scaling_rejections_total"), 12);
  assertEquals(valueOf(exposition, "http_scaling_needs_scaleout"), 1);
  assertEquals(valueOf(exposition, "http_scaling_saturation_ratio"), 0.25);
  assertEquals(valueOf(exposition, "rate_limited_total"), 1);
  assertEquals(valueOf(exposition, "worker_pool_queue_depth", { pool: "parse" }), 2);
  assertEquals(
    valueOf(exposition, "provider_plans_rejected_total", { reason: "unreadable_price" }),
    3,
  );
  metrics.stop();
});

Deno.test("an age that is not known is left out, not zero", async () => {
  const metrics = new Metrics(["/search"], {
    ...sources,
    catalogue: () => ({ ...reading, ageSeconds: null }),
  });
  const exposition = await scrape(metrics);
  assertEquals(valueOf(exposition, "catalogue_age_seconds"), undefined);
  assertEquals(valueOf(exposition, "catalogue_events"), 7);
  metrics.stop();
});

const request = fc.record({
  route: fc.nat({ max: 2 }),
  method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "BREW"),
  status: fc.constantFrom(200, 304, 400, 404, 405, 409, 418, 500, 503, 206, 301),
  seconds: fc.oneof(
    fc.constantFrom(0, ...DURATION_BUCKETS, ...DURATION_BUCKETS.map((bound) => bound * 1.001)),
    fc.double({ min: 0, max: 20, noNaN: true }),
  ),
  bytes: fc.nat(),
});
const routes = ["/search", "/health", "unknown"];

Deno.test("what is counted is what was observed, by route, method and status", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 60 }), async (requests) => {
      const metrics = new Metrics(routes, sources);
      const expected = new Map<string, number>();
      for (const { route, method, status, seconds, bytes } of requests) {
        metrics.http.observe(route, method, status, seconds, bytes);
        const named = ["GET", "HEAD", "POST"].includes(method) ? method : "other";
        const counted = [200, 304, 400, 404, 405, 500, 503].includes(status)
          ? status
          : Math.floor(status / 100) * 100 + 99;
        const key = `${routes[route]} ${named} ${counted}`;
        expected.set(key, (expected.get(key) ?? 0) + 1);
      }
      const exposition = await scrape(metrics);
      metrics.stop();
      const found = new Map(
        exposition.samples.filter(({ name }) => name === "http_requests_total")
          .map(({ labels, value }) => [`${labels.route} ${labels.method} ${labels.status}`, value]),
      );
      assertEquals([...found].sort(), [...expected].sort());
      assertEquals(
        valueOf(exposition, "http_bytes_sent_total"),
        requests.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      assertEquals(metrics.http.requests, requests.length);
    }),
    { numRuns: 30 },
  );
});

Deno.test("a histogram is cumulative: each bucket holds what took at most its bound", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 60 }), async (requests) => {
      const metrics = new Metrics(routes, sources);
      for (const { route, method, status, seconds, bytes } of requests) {
        metrics.http.observe(route, method, status, seconds, bytes);
      }
      const { samples } = await scrape(metrics);
      metrics.stop();
      const name = "http_request_duration_seconds";
      for (const [index, route] of routes.entries()) {
        const times = requests.filter((one) => one.route === index).map(({ seconds }) => seconds);
        const own = samples.filter(({ labels }) => labels.route === route);
        const buckets = own.filter((sample) => sample.name === `${name}_bucket`);
        if (times.length === 0) {
          assertEquals(buckets.length, 0, "a route that nobody asked for has no histogram");
          continue;
        }
        assertEquals(
          buckets.map(({ labels }) => labels.le),
          [...DURATION_BUCKETS.map(String), "+Inf"],
        );
        for (const { labels, value } of buckets) {
          const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
          assertEquals(value, times.filter((time) => time <= bound).length, `le ${labels.le}`);
        }
        const sum = own.find((sample) => sample.name === `${name}_sum`)!.value;
        const count = own.find((sample) => sample.name === `${name}_count`)!.value;
        assertEquals(count, times.length);
        assertAlmostEquals(sum, times.reduce((all, time) => all + time, 0), 1e-9);
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("every status has a place: its own, or that of its class", () => {
  const http = new HttpMetrics(["/"]);
  for (let status = 100; status < 600; status++) http.observe(0, "GET", status, 0, 0);
  const counts = http.requestCounts();
  assertEquals(counts.reduce((sum, { count }) => sum + count, 0), 500);
  for (const { status, count } of counts) {
    assertEquals(count > 1, status % 100 === 99, `${status}: ${count}`);
  }
});

Deno.test("the lag of the event loop is what a blocked thread lost", async () => {
  const metrics = new Metrics(["/"], sources);
  const lag = async () => valueOf(await scrape(metrics), "event_loop_lag_seconds")!;
  const blockedUntil = performance.now() + 300;
  while (performance.now() < blockedUntil);
  assertGreaterOrEqual(await lag(), 0.15);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assertGreaterOrEqual(await lag(), 0.15, "another that scrapes sees it too");
  metrics.stop();
});

Deno.test("the greatest value is kept for half a minute, and no longer", () => {
  const maximum = new RecentMaximum();
  assertEquals(maximum.read(0), 0);
  maximum.add(0.8, 1_900);
  for (let at = 2_000; at <= 40_000; at += 100) {
    maximum.add(0.1, at);
    assertEquals(maximum.read(at), at < 31_000 ? 0.8 : 0.1, `at ${at} ms`);
  }
  assertEquals(maximum.read(100_000), 0, "after a pause");
});

Deno.test("the rate is what was answered over the time it took, and begins at zero", async () => {
  const metrics = new Metrics(["/"], sources);
  assertEquals(metrics.requestRate.perSecond(), 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const started = performance.now();
  for (let n = 0; n < 1_000; n++) metrics.http.observe(0, "GET", 200, 0, 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  // All 1,000 lie in the window, and the window is at least as long as this.
  const windowSeconds = (performance.now() - started) / 1_000;
  const rate = metrics.requestRate.perSecond();
  assert(rate > 0 && rate <= 1_000 / windowSeconds, `${rate} in ${windowSeconds} s`);
  metrics.stop();
});

Deno.test("the content type is the one that Prometheus asks for", () => {
  const metrics = new Metrics(["/"], sources);
  assertMatch(metrics.registry.contentType, /^text\/plain; version=0\.0\.4/);
  metrics.stop();
});
