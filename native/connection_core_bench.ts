import { ConnectionCount } from "./connection_count.ts";
import { ConnectionCore } from "./connection_core.ts";
import { type Driver, type DriverEvents, LATER } from "./driver.ts";
import { HeadTemplate } from "./fast_route.ts";
import { RequestParser } from "./request_parser.ts";
import { type StatisticsLayout, ThreadStatistics } from "./statistics.ts";

const encoder = new TextEncoder();
const SHORT = encoder.encode("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
const POST = encoder.encode(
  `POST / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 60\r\n\r\n${"x".repeat(60)}`,
);
const BROWSER = encoder.encode(
  "GET /search?starts_at=2026-11-20&ends_at=2026-11-21 HTTP/1.1\r\nHost: events.example.com\r\n" +
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
    "Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n\r\n",
);

/** A driver that sends nothing, so that what is measured is the core. */
class NoDriver implements Driver {
  readonly name = "uring";
  readonly connectionsMax = 1;
  readonly generations = new Uint32Array(1);
  readonly wasBusy = false;
  readonly buffersLent = 0;
  sends = 0;
  turn(): void {}
  accept(): void {}
  receive(): void {}
  pause(): void {}
  refresh(): void {}
  identify(): void {}
  send(): number {
    this.sends++;
    return LATER;
  }
  finish(): void {}
  close(): void {}
  [Symbol.dispose](): void {}
}

const layout: StatisticsLayout = {
  routes: [{ path: "/", method: "GET" }, { path: "/", method: "POST" }],
  durationBounds: [],
};
const driver = new NoDriver();
const head = new HeadTemplate(200, "OK", { "content-type": "application/json" });
const core = new ConnectionCore({
  connectionsMax: 1,
  connections: new ConnectionCount(ConnectionCount.allocate()),
  gate: null,
  abandoned: new Int32Array(1),
  bodyBytesMax: 1_000,
  headerTimeoutMs: 1_000,
  idleTimeoutMs: 1_000,
  bodyTimeoutMs: 1_000,
  writeTimeoutMs: 1_000,
  statistics: new ThreadStatistics(ThreadStatistics.allocate(layout), layout),
  tell: () => {},
  routes: (["GET", "POST"] as const).map((method) => ({
    path: "/",
    method,
    answer(_request, answer) {
      answer.begin(head);
      answer.endHead(700);
      answer.addMemory(4_096, 700);
      return true;
    },
  })),
}, (_events: DriverEvents) => driver);
core.opened(0);

Deno.bench("a request of a fast route, from its bytes to its message", () => {
  core.received(0, SHORT, 0, SHORT.length);
  core.sent(0, 1_000_000);
});

Deno.bench("the same with a body of 60 bytes", () => {
  core.received(0, POST, 0, POST.length);
  core.sent(0, 1_000_000);
});

const parser = new RequestParser();

Deno.bench("a short head is parsed", () => {
  parser.parse(SHORT, 0, SHORT.length);
});

Deno.bench("a browser's head of 450 bytes is parsed", () => {
  parser.parse(BROWSER, 0, BROWSER.length);
});
