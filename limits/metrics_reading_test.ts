import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Counter, Gauge, Registry } from "prom-client";
import { Metrics } from "../telemetry/mod.ts";
import { METRICS_BYTES_MAX } from "./limits.ts";
import { ReadingError } from "./measurement.ts";
import { parseMetrics, readMetrics } from "./metrics_reading.ts";
import { testMetricSources } from "./testing/metric_sources.ts";

/** A server that answers everything with one function, while a test runs. */
function serve(handler: (request: Request) => Response | Promise<Response>) {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler);
  return {
    url: `http://127.0.0.1:${server.addr.port}/metrics`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("the service's own metrics are read over HTTP, refusals left out", async () => {
  const metrics = new Metrics(["/search", "unknown"], testMetricSources({ rejections: 17 }));
  for (let i = 0; i < 40; i++) metrics.http.observe(0, "GET", 200, 0.001, 100);
  metrics.http.observe(0, "GET", 304, 0.001, 0);
  metrics.http.observe(0, "GET", 503, 0.001, 0);
  metrics.http.observe(0, "GET", 429, 0.001, 0);
  metrics.http.observe(1, "GET", 404, 0.5, 0);
  metrics.http.addListener(() => ({
    connectionsTotal: 20,
    connectionsActive: 12,
    bytesReceived: 0,
    bytesSent: 0,
    fastRoutes: [{
      path: "/search",
      answers: [{ method: "GET", status: 200, count: 7 }],
      durations: [0, 7],
      sumSeconds: 0.000_35,
    }],
    refused: [{ status: 400, count: 2 }, { status: 503, count: 5 }],
  }));
  await using server = serve(async () => new Response(await metrics.registry.metrics()));
  const before = performance.now();
  const reading = await readMetrics({ url: server.url });
  metrics.stop();
  assert(reading.atMs >= before && reading.atMs <= performance.now());
  assertEquals({ ...reading, atMs: 0, durationSeconds: reading.durationSeconds.toFixed(6) }, {
    atMs: 0,
    requests: 40 + 1 + 1 + 7 + 2,
    durations: 44 + 7,
    durationSeconds: "0.543350",
    connections: 12,
    rejections: 17,
  });
  const ofSearch = parseMetrics(await metrics.registry.metrics(), 0, ["/search"]);
  assertEquals([ofSearch.durations, ofSearch.durationSeconds.toFixed(6)], [50, "0.043350"]);
});

Deno.test("whatever prom-client writes is read, labels with any characters included", async () => {
  const label = fc.string({ unit: "binary" });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(label, fc.double({ min: 0, max: 1e300, noNaN: true })), { maxLength: 8 }),
      async (samples) => {
        const registry = new Registry();
        const requests = new Counter({
          name: "http_requests_total",
          help: 'Requests.\n{With} a "help".',
          labelNames: ["route", "status"],
          registers: [registry],
        });
        new Gauge({ name: "http_connections_active", help: "-", registers: [registry] }).set(3);
        let sum = 0;
        const sums = new Map<string, number>();
        for (const [route, value] of samples) {
          requests.inc({ route, status: "200" }, value);
          sums.set(route, (sums.get(route) ?? 0) + value);
        }
        for (const value of sums.values()) sum += value;
        assertEquals(parseMetrics(await registry.metrics(), 0).requests, sum);
      },
    ),
  );
});

Deno.test("what is no exposition of the service is refused with its line", () => {
  for (
    const [line, why] of [
      ["http_connections_active", "no sample: http_connections_active"],
      ["http_connections_active x", "http_connections_active is x"],
      ["http_connections_active NaN", "http_connections_active is NaN"],
      ["http_connections_active -1", "http_connections_active is -1"],
      ["http_connections_active +Inf", "http_connections_active is +Inf"],
      ['http_requests_total{status="200} 1', "no labels"],
      ["http_requests_total{status=200} 1", "no labels"],
      ['http_requests_total{status="200" route="a"} 1', "no labels"],
      [`http_requests_total{route="${"x".repeat(8_192)}"} 1`, "no sample"],
      ["<html>", "no http_connections_active in it"],
      ["", "no http_connections_active in it"],
    ]
  ) {
    assertThrows(() => parseMetrics(line, 0), ReadingError, why);
  }
});

Deno.test("lines of other metrics and times of samples do no harm", () => {
  const text = `# HELP http_connections_active {
other_metric{ 
http_connections_active_max nonsense
http_connections_active{} 5 1700000000000
`;
  assertEquals(parseMetrics(text, 0).connections, 5);
});

Deno.test("another status than 200 is an error that names the URL", async () => {
  await using server = serve(() => new Response("no", { status: 401 }));
  await assertRejects(
    () => readMetrics({ url: server.url }),
    ReadingError,
    `${server.url}: status 401`,
  );
});

Deno.test("nobody there is an error that names the URL", async () => {
  const { url, [Symbol.asyncDispose]: end } = serve(() => new Response());
  await end();
  const error = await assertRejects(() => readMetrics({ url }), ReadingError, url);
  assert(error.message.length > url.length + 5, error.message);
});

Deno.test("an answer without an end is cut off", async () => {
  let sent = 0;
  const piece = new TextEncoder().encode("# a comment\n".repeat(10_000));
  await using server = serve(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          controller.enqueue(piece);
          sent += piece.length;
        },
      }),
    )
  );
  await assertRejects(
    () => readMetrics({ url: server.url }),
    ReadingError,
    `more than ${METRICS_BYTES_MAX} bytes`,
  );
  assert(sent < METRICS_BYTES_MAX * 8, `${sent} bytes were taken`);
});

Deno.test("a server that does not answer ends with the caller's signal", async () => {
  const asked = Promise.withResolvers<void>(), release = Promise.withResolvers<void>();
  await using server = serve(async () => {
    asked.resolve();
    await release.promise;
    return new Response();
  });
  const abort = new AbortController();
  const reading = assertRejects(
    () => readMetrics({ url: server.url }, abort.signal),
    ReadingError,
    server.url,
  );
  await asked.promise;
  abort.abort();
  await reading;
  release.resolve();
});

Deno.test("the token is sent", async () => {
  await using server = serve(({ headers }) =>
    new Response(
      headers.get("authorization") === "Bearer secret" ? "http_connections_active 1\n" : "",
    )
  );
  const { connections } = await readMetrics({ url: server.url, authorization: "Bearer secret" });
  assertEquals(connections, 1);
});
