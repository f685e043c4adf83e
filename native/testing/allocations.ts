/**
 * Serves requests of a fast route from this thread, over a real socket, and prints how many bytes of heap a request
 * costs. Client and server take turns, so that nothing else runs.
 * `deno run -A --v8-flags=--expose-gc,--min-semi-space-size=64,--max-semi-space-size=64 native/testing/allocations.ts uring|epoll`
 *
 * @module
 */
import { ConnectionCount } from "../connection_count.ts";
import { ConnectionCore } from "../connection_core.ts";
import { EpollDriver } from "../epoll_driver.ts";
import { HeadTemplate } from "../fast_route.ts";
import { EVENTS, SOCKET } from "../kernel_layout.ts";
import { check, libc } from "../libc.ts";
import { TICK_MS } from "../limits.ts";
import { mapMemory } from "../mapped_memory.ts";
import { openListeningSockets, socketAddress } from "../sockets.ts";
import { type StatisticsLayout, ThreadStatistics } from "../statistics.ts";
import { UringDriver } from "../uring_driver.ts";

const WARM_UP = 100_000;
const REQUESTS = 100_000;

const [socket] = openListeningSockets("127.0.0.1", 0, 1);
const layout: StatisticsLayout = {
  routes: [{ path: "/search", method: "GET" }],
  durationBounds: [0.001],
};
const head = new HeadTemplate(200, "OK", { "content-type": "application/json" });
const body = mapMemory(700);
body.bytes.fill(120);
const core = new ConnectionCore({
  connectionsMax: 10,
  connections: new ConnectionCount(ConnectionCount.allocate()),
  gate: null,
  abandoned: new Int32Array(1),
  bodyBytesMax: 0,
  headerTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  writeTimeoutMs: 60_000,
  statistics: new ThreadStatistics(ThreadStatistics.allocate(layout), layout),
  tell: () => {},
  routes: [{
    path: "/search",
    answer(request, answer) {
      if (request.fieldIndex("accept-encoding") >= 0) return false;
      answer.begin(head);
      answer.endHead(700);
      answer.addMemory(body.address, 700);
      return true;
    },
  }],
}, (events) => {
  const options = {
    listener: socket.descriptor,
    waker: check(libc().eventfd(0, EVENTS.EFD_NONBLOCK), "eventfd"),
    connectionsMax: 10,
    tickMs: TICK_MS,
    events,
  };
  return Deno.args[0] === "uring" ? new UringDriver(options) : new EpollDriver(options);
});
core.start(() => {});

const client = check(libc().socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0), "socket");
const address = socketAddress("127.0.0.1", socket.port);
check(libc().connect(client, address, address.length), "connect");
const request = new TextEncoder().encode(
  "GET /search?starts_at=2026-11-20 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n",
);
const requestLength = BigInt(request.length);
const answer = new Uint8Array(4_096);
const answerLength = BigInt(answer.length);
const answerPointer = Deno.UnsafePointer.of(answer);
let answers = 0;

function serve(count: number): void {
  const { write, recv } = libc();
  for (let i = 0; i < count; i++) {
    write(client, request, requestLength);
    // Once for what came, again for what was sent; an answer comes within a few turns.
    while (recv(client, answerPointer, answerLength, SOCKET.MSG_DONTWAIT) <= 0) core.turn();
    answers++;
  }
}

const { gc } = globalThis as unknown as { gc: () => void };
serve(WARM_UP);
gc();
const before = Deno.memoryUsage().heapUsed;
serve(REQUESTS);
const used = Deno.memoryUsage().heapUsed - before;
const text = new TextDecoder().decode(answer);
if (answers !== WARM_UP + REQUESTS || !/^HTTP\/1\.1 200 OK\r\n/.test(text)) throw new Error(text);
console.log(JSON.stringify({ requests: REQUESTS, bytesPerRequest: used / REQUESTS }));
Deno.exit(0);
