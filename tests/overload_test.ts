import { assert, assertEquals, assertMatch } from "@std/assert";
import { RawConnection } from "./raw_http.ts";
import { Service, START_PERMISSIONS } from "./service.ts";
import { eventually } from "./target.ts";
import { TRANSPORTS } from "./transports.ts";

/** The value of a metric without labels. */
async function metric(service: Service, name: string): Promise<number> {
  const text = await (await fetch(`${service.adminUrl}/metrics`)).text();
  return Number(text.match(new RegExp(`^${name} (\\S+)$`, "m"))?.[1]);
}

for (const { transport, problem } of TRANSPORTS) {
  const test = (
    sentence: string,
    settings: Record<string, string>,
    body: (service: Service) => Promise<void>,
  ) =>
    Deno.test({
      name: `${transport}: ${sentence}`,
      ignore: problem !== null,
      async fn() {
        await using service = await Service.start({
          settings: { TRANSPORT: transport, ...settings },
        });
        await body(service);
      },
    });

  test(
    "SHED=app answers connections past the limit 503, and says so to autoscalers",
    { SHED: "app", CONNECTION_LIMIT: "5" },
    async (service) => {
      using connections = new DisposableStack();
      const open = async () => connections.use(await RawConnection.open(service.url));
      const admitted: RawConnection[] = [];
      for (let n = 0; n < 5; n++) {
        const connection = await open();
        admitted.push(connection);
        assertEquals((await connection.request("GET", "/search")).status, 200);
      }
      assertEquals(await metric(service, "http_scaling_needs_scaleout"), 0);
      for (let n = 0; n < 3; n++) {
        const connection = await open();
        const { status, headers, text } = await connection.request("GET", "/search");
        assertEquals(status, 503);
        assertEquals(JSON.parse(text).error.code, "service_overloaded");
        assertEquals(JSON.parse(text).data, null);
        assertEquals(headers.get("retry-after"), "1");
        assertEquals(headers.get("connection"), "close");
        assertMatch(headers.get("x-request-id") ?? "", /./);
        assertEquals(await connection.isClosed(), true);
      }
      // Those that are open are served on.
      for (const connection of admitted) {
        assertEquals((await connection.request("GET", "/search")).status, 200);
      }
      const ready = await admitted[0].request("GET", "/ready");
      assertEquals(ready.status, 503);
      assertEquals(JSON.parse(ready.text).checks.capacity, {
        status: "fail",
        detail: "5 of 5 connections",
      });
      // Probes are answered all the same, on the admin port.
      assertEquals((await fetch(`${service.adminUrl}/health`)).status, 200);
      assertEquals((await fetch(`${service.adminUrl}/ready`)).status, 503);
      await eventually(
        async () => await metric(service, "http_scaling_rejections_total") === 3,
        "three rejections are counted",
      );
      assertEquals(await metric(service, "http_scaling_connection_limit"), 5);
      assertEquals(await metric(service, "http_scaling_saturation_ratio"), 1);
      assertEquals(await metric(service, "http_scaling_needs_scaleout"), 1);
      assert(await metric(service, "http_scaling_rejection_rate") > 0);
      assertEquals(await metric(service, "http_connections_active"), 5);
      // A place that is free is taken.
      admitted[0][Symbol.dispose]();
      await eventually(async () => {
        using next = await RawConnection.open(service.url);
        return (await next.request("GET", "/search")).status === 200;
      }, "a new connection is let in");
    },
  );

  test(
    "SHED=none lets everybody in, and saturation says how many too many",
    { CONNECTION_LIMIT: "4" },
    async (service) => {
      using connections = new DisposableStack();
      for (let n = 0; n < 6; n++) {
        const connection = connections.use(await RawConnection.open(service.url));
        assertEquals((await connection.request("GET", "/search")).status, 200);
      }
      await eventually(
        async () => await metric(service, "http_scaling_saturation_ratio") === 1.5,
        "a saturation of 1.5",
      );
      assertEquals(await metric(service, "http_scaling_rejections_total"), 0);
      assertEquals((await fetch(`${service.url}/ready`)).status, 200);
    },
  );

  test(
    "CONNECTION_LIMIT=auto decides period by period, and says why in log, metrics and /stats",
    {
      SHED: "app",
      CONNECTION_LIMIT: "auto",
      CONNECTION_LIMIT_MINIMUM: "2",
      CONNECTION_LIMIT_MAXIMUM: "4",
      LIMIT_PERIOD: "200ms",
      LOG_LEVEL: "debug",
    },
    async (service) => {
      const { message } = await service.line(
        ({ message }) => message.startsWith("The connection limit stays"),
        "a decision",
      );
      assertMatch(message, /^The connection limit stays 4, unused: nothing was answered$/);
      assert(await metric(service, "connection_limiter_limit") === 4);
      const { data } = await (await fetch(`${service.adminUrl}/stats`)).json();
      assertEquals([data.overload.shed, data.overload.connection_limit], ["app", 4]);
      assertMatch(data.overload.decisions.at(-1).text, /^The connection limit /);
      // The bounds hold from the first connection on.
      using connections = new DisposableStack();
      const statuses: number[] = [];
      for (let n = 0; n < 6; n++) {
        const connection = connections.use(await RawConnection.open(service.url));
        statuses.push((await connection.request("GET", "/search")).status);
      }
      assertEquals(statuses, [200, 200, 200, 200, 503, 503]);
    },
  );

  // A token a second: what is refused here would be let through only on a machine that takes so long.
  test(
    "RATE_LIMIT_PER_CLIENT answers 429 with when to come again, and keeps clients apart",
    { RATE_LIMIT_PER_CLIENT: "1", TRUSTED_PROXIES: "127.0.0.1" },
    async (service) => {
      using connection = await RawConnection.open(service.url);
      // What stands before the address that the proxy wrote may be made up.
      const ask = async (client: string, path = "/search") =>
        await connection.request("GET", path, { "X-Forwarded-For": `9.9.9.9, ${client}` });
      assertEquals((await ask("203.0.113.1")).status, 200);
      for (const path of ["/search", "/openapi.json"]) {
        const refused = await ask("203.0.113.1", path);
        assertEquals(refused.status, 429, path);
        assertEquals(JSON.parse(refused.text).error.code, "rate_limited");
        assertEquals(refused.headers.get("retry-after"), "1");
        assertEquals(refused.headers.get("ratelimit"), '"client";r=0;t=1');
        assertEquals(refused.headers.get("ratelimit-policy"), '"client";q=1;w=1');
        assertMatch(refused.headers.get("x-request-id") ?? "", /./);
      }
      assertEquals((await ask("203.0.113.2", "/openapi.json")).status, 200);
      // Who looks whether it is alive is not limited.
      for (let n = 0; n < 5; n++) assertEquals((await ask("203.0.113.1", "/health")).status, 200);
      assertEquals(await metric(service, "rate_limited_total"), 2);
      await eventually(
        async () => (await ask("203.0.113.1")).status === 200,
        "another token is there",
      );
    },
  );

  test(
    "RATE_LIMIT is one for all clients",
    { RATE_LIMIT: "1", RATE_LIMIT_PER_CLIENT: "1000", TRUSTED_PROXIES: "127.0.0.0/8" },
    async (service) => {
      using connection = await RawConnection.open(service.url);
      const ask = async (client: string) =>
        await connection.request("GET", "/search", { "X-Forwarded-For": client });
      assertEquals((await ask("203.0.113.1")).status, 200);
      const { status, headers } = await ask("203.0.113.2");
      assertEquals([status, headers.get("ratelimit")], [429, '"all";r=0;t=1']);
    },
  );

  test(
    "X-Forwarded-For of strangers is not believed",
    { RATE_LIMIT_PER_CLIENT: "1", TRUSTED_PROXIES: "10.0.0.0/8" },
    async (service) => {
      using connection = await RawConnection.open(service.url);
      const statuses: number[] = [];
      for (const client of ["203.0.113.1", "203.0.113.2"]) {
        const forwarded = { "X-Forwarded-For": client };
        statuses.push((await connection.request("GET", "/search", forwarded)).status);
      }
      assertEquals(statuses, [200, 429]);
    },
  );
}

Deno.test("deno: without FFI requests in flight are limited, since connections cannot be told", async () => {
  await using service = await Service.start({
    settings: { TRANSPORT: "deno", SHED: "app", CONNECTION_LIMIT: "2" },
    permissions: START_PERMISSIONS.filter((permission) => permission !== "--allow-ffi"),
  });
  using connections = new DisposableStack();
  // Streams stay in flight.
  for (let n = 0; n < 2; n++) {
    const stream = connections.use(await RawConnection.open(service.url));
    await stream.send("GET /events/stream HTTP/1.1\r\nHost: marquee.test\r\n\r\n");
    await stream.bytes(15);
  }
  const refused = connections.use(await RawConnection.open(service.url));
  assertEquals((await refused.request("GET", "/search")).status, 503);
});
