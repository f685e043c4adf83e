import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RawConnection } from "./raw_http.ts";
import { runToEnd, Service, START_PERMISSIONS } from "./service.ts";
import { eventually } from "./target.ts";
import { TRANSPORTS } from "./transports.ts";

const native = TRANSPORTS.filter(({ transport }) => transport !== "deno");
const isNative = native.every(({ problem }) => problem === null);
const forbids = isNative ? await compileForbidder() : null;
if (forbids === null) console.warn("Tests are ignored: there is no cc to forbid io_uring with");

function announced(service: Service): string {
  const line = service.lines.find(({ message }) => message.startsWith("Transport: "))!;
  return `${line.transport}: ${line.message}`;
}

Deno.test({
  name: "auto takes io_uring where it works",
  ignore: !isNative,
  async fn() {
    await using service = await Service.start({ settings: { TRANSPORT: "auto" } });
    assertMatch(announced(service), /^uring: Transport: io_uring \(the best/);
  },
});

Deno.test({
  name: "where io_uring is forbidden, auto takes epoll, and says why and what to do",
  ignore: forbids === null,
  async fn() {
    await using service = await Service.start({
      settings: { TRANSPORT: "auto" },
      wrapper: [forbids!],
    });
    assertMatch(announced(service), /^epoll: Transport: epoll .*io_uring: forbidden.*seccomp/);
    assertEquals((await fetch(`${service.url}/health`)).status, 200);
  },
});

Deno.test({
  name: "where io_uring is forbidden and asked for, the start fails, and says why and what to do",
  ignore: forbids === null,
  async fn() {
    const { code, stderr } = await runToEnd({
      settings: { TRANSPORT: "uring" },
      wrapper: [forbids!],
    });
    assertEquals(code, 1);
    assertMatch(stderr, /Marquee cannot start: io_uring: forbidden.*seccomp/);
  },
});

Deno.test("without FFI auto takes Deno.serve, and says why and what to do", async () => {
  await using service = await Service.start({
    settings: { TRANSPORT: "auto" },
    permissions: START_PERMISSIONS.filter((permission) => permission !== "--allow-ffi"),
  });
  assertMatch(announced(service), /^deno: Transport: Deno\.serve .*--allow-ffi/);
  assertEquals((await fetch(`${service.url}/search`)).status, 200);
});

Deno.test("TLS is Deno.serve's: another transport with it is refused", async () => {
  const { code, stderr } = await runToEnd({
    settings: { TRANSPORT: "epoll", CERT_FILE: "/dev/null", KEY_FILE: "/dev/null" },
  });
  assertEquals(code, 1);
  assertStringIncludes(stderr, "TRANSPORT=epoll has no TLS");
});

for (const { transport, problem } of native) {
  Deno.test({
    name: `${transport}: the timeouts and the limit of connections are kept`,
    ignore: problem !== null,
    async fn() {
      await using service = await Service.start({
        settings: {
          TRANSPORT: transport,
          WORKERS: "1",
          MAX_CONNECTIONS: "3",
          HEADER_TIMEOUT: "1s",
          IDLE_TIMEOUT: "2s",
        },
      });
      using idle = await RawConnection.open(service.url);
      assertEquals((await idle.request("GET", "/health")).status, 200);
      using slow = await RawConnection.open(service.url);
      await slow.send("GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ");
      using silent = await RawConnection.open(service.url);
      using waiting = await RawConnection.open(service.url);
      const last = waiting.request("GET", "/health");
      const late = await slow.response();
      assertEquals([late.status, JSON.parse(late.text).error.code], [408, "request_timeout"]);
      // There is room for it now.
      assertEquals((await last).status, 200);
      assertEquals(await silent.isClosed(), true, "a connection without a request stays open");
      assertEquals(await idle.isClosed(), true, "an idle connection stays open");
    },
  });

  Deno.test({
    name: `${transport}: what is answered in a thread is measured and logged as elsewhere`,
    ignore: problem !== null,
    async fn() {
      await using service = await Service.start({
        settings: { TRANSPORT: transport, LOG_REQUESTS: "1" },
      });
      const response = await fetch(`${service.url}/health?a=b`, {
        headers: { "x-request-id": "asked-for" },
      });
      assertEquals(response.headers.get("x-request-id"), "asked-for");
      await response.body?.cancel();
      const line = await service.line(({ request_id }) => request_id === "asked-for", "it");
      assertEquals([line.method, line.url, line.status], ["GET", "/health?a=b", 200]);
      using refused = await RawConnection.open(service.url);
      await refused.send("GET /health HTTP/1.1\r\n\r\n");
      assertEquals((await refused.response()).status, 400);
      const scrape = async () => await (await fetch(`${service.adminUrl}/metrics`)).text();
      const text = await scrape();
      for (
        const sample of [
          'http_requests_total{route="/health",method="GET",status="200"} 1',
          'http_requests_total{route="unknown",method="other",status="400"} 1',
          'http_request_duration_seconds_count{route="/health"} 1',
        ]
      ) assertStringIncludes(text, `${sample}\n`);
      assertMatch(text, /^http_connections_total [2-9]$/m);
      assertMatch(text, /^http_bytes_received_total [1-9]\d+$/m);
      await eventually(
        async () => /^http_connections_active [01]$/m.test(await scrape()),
        "connections end",
      );
    },
  });
}

/** @returns The program, or `null` where there is no compiler */
async function compileForbidder(): Promise<string | null> {
  const program = await Deno.makeTempFile();
  const source = new URL("forbid_io_uring.c", import.meta.url).pathname;
  try {
    const { success } = await new Deno.Command("cc", { args: ["-o", program, source] }).output();
    return success ? program : null;
  } catch {
    return null;
  }
}
