import { ConnectionCount } from "./connection_count.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConnectionCore } from "./connection_core.ts";
import type { Driver, DriverEvents } from "./driver.ts";
import { EpollDriver } from "./epoll_driver.ts";
import { type ExchangeRequest, SEND_LAST, type ThreadMessage } from "./exchange.ts";
import { HeadTemplate } from "./fast_route.ts";
import { EVENTS } from "./kernel_layout.ts";
import { check, libc } from "./libc.ts";
import { TICK_MS } from "./limits.ts";
import { openListeningSockets } from "./sockets.ts";
import { COUNT, ThreadStatistics } from "./statistics.ts";
import { NATIVE_TRANSPORTS } from "./testing/tested_listener.ts";
import { UringDriver } from "./uring_driver.ts";

/** More than sockets hold. */
const ANSWER_BYTES = 20_000_000;
const TURNS_MAX = 200;
/** How long clients wait for what must not come, in milliseconds. */
const QUIET_MS = 500;
const BEFORE = 65, AFTER = 66;

for (const { transport, problem } of NATIVE_TRANSPORTS) {
  Deno.test({
    name:
      `${transport}: a thread that was given up sends nothing of memory that is not its any more`,
    ignore: problem !== null,
    async fn() {
      const [{ descriptor: listener, port }] = openListeningSockets("127.0.0.1", 0, 1);
      const waker = check(libc().eventfd(0, EVENTS.EFD_CLOEXEC | EVENTS.EFD_NONBLOCK), "eventfd");
      const abandoned = new Int32Array(new SharedArrayBuffer(4));
      const layout = { routes: [{ path: "/hangs", method: "GET" as const }], durationBounds: [] };
      const statistics = new ThreadStatistics(ThreadStatistics.allocate(layout), layout);
      const requests: ExchangeRequest[] = [];
      const answer = new Uint8Array(new ArrayBuffer(ANSWER_BYTES)).fill(BEFORE);
      const address = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(answer)));
      let driver: Driver | undefined;
      const core = new ConnectionCore({
        connectionsMax: 10,
        connections: new ConnectionCount(ConnectionCount.allocate()),
        gate: null,
        abandoned,
        bodyBytesMax: 0,
        headerTimeoutMs: 60_000,
        idleTimeoutMs: 60_000,
        bodyTimeoutMs: 60_000,
        writeTimeoutMs: 60_000,
        routes: [{
          path: "/hangs",
          answer(_request, fast) {
            // As the main thread does after a while.
            Atomics.store(abandoned, 0, 1);
            fast.begin(new HeadTemplate(200, "OK", {}));
            fast.endHead(1_000);
            fast.addMemory(address, 1_000);
            return true;
          },
        }],
        statistics,
        tell: (message: ThreadMessage) => {
          if (message.kind === "request") requests.push(message);
        },
      }, (events: DriverEvents) => {
        const options = { listener, waker, connectionsMax: 10, tickMs: TICK_MS, events };
        return driver = transport === "uring" ? new UringDriver(options) : new EpollDriver(options);
      });
      core.start(() => {});
      const slow = await ask(port), late = await ask(port);
      const turnUntil = (holds: () => boolean) => {
        for (let turns = 0; !holds(); turns++) {
          assert(turns < TURNS_MAX, "what is waited for does not come");
          core.turn();
        }
      };
      turnUntil(() => requests.length === 2);

      // An answer whose client does not read: the kernel has some of it, and waits for room for the rest.
      core.sendFor(requests[0].connection, address, ANSWER_BYTES, SEND_LAST);
      let sent = -1;
      turnUntil(() => {
        const isStuck = sent > 0 && sent === statistics.counts[COUNT.bytesSent];
        sent = statistics.counts[COUNT.bytesSent];
        return isStuck;
      });

      const hanging = await ask(port, "/hangs");
      assertThrows(() => turnUntil(() => false), Error, "given up");
      answer.fill(AFTER);
      const received = [await read(slow, sent)];
      assertThrows(() => core.turn(), Error, "given up");
      assertThrows(
        () => core.sendFor(requests[1].connection, address, 1_000, SEND_LAST),
        Error,
        "given up",
      );
      driver![Symbol.dispose]();
      libc().close(listener);
      libc().close(waker);
      // A ring lives on until its thread ends, and with it what it has open: nothing tells of an end.
      setTimeout(() => [slow, late, hanging].forEach((client) => client.close()), QUIET_MS);
      received.push(await read(slow, ANSWER_BYTES - sent), await read(late, 1_000));
      assertEquals(received.map((bytes) => bytes.includes(AFTER)), [false, false, false]);
      assertEquals(received[0].length, sent);
      assertEquals((await read(hanging, 1)).length, 0);
    },
  });
}

/** A client that has asked for something. */
async function ask(port: number, path = "/"): Promise<Deno.TcpConn> {
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  await client.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`));
  return client;
}

/** Reads so many bytes, or what there is before the end. */
async function read(client: Deno.TcpConn, byteLength: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(byteLength);
  let at = 0;
  while (at < byteLength) {
    const length = await client.read(bytes.subarray(at)).catch(() => null);
    if (length === null) break;
    at += length;
  }
  return bytes.subarray(0, at);
}
