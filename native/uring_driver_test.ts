import { assertEquals } from "@std/assert";
import type { DriverEvents } from "./driver.ts";
import { EVENTS } from "./kernel_layout.ts";
import { check, libc } from "./libc.ts";
import { ACCEPTS_MAX, BACKLOG } from "./limits.ts";
import { openListeningSockets } from "./sockets.ts";
import { NATIVE_TRANSPORTS } from "./testing/tested_listener.ts";
import { UringDriver } from "./uring_driver.ts";

/** More than are accepted one by one, fewer than a turn handles. */
const WAITING = 2 * ACCEPTS_MAX;
const ALLOWED = 4 * BACKLOG;

const { problem } = NATIVE_TRANSPORTS.find(({ transport }) => transport === "uring")!;

for (
  const { threads, accepted } of [{ threads: 1, accepted: WAITING }, {
    threads: 5,
    accepted: ACCEPTS_MAX,
  }]
) {
  Deno.test({
    name:
      `uring: each of ${threads} threads takes ${accepted} of ${WAITING} that wait, where ${ALLOWED} may come`,
    ignore: problem !== null,
    async fn() {
      const [{ descriptor: listener, port }] = openListeningSockets("127.0.0.1", 0, 1);
      const waker = check(libc().eventfd(0, EVENTS.EFD_CLOEXEC | EVENTS.EFD_NONBLOCK), "eventfd");
      let opened = 0;
      const nothing = () => {};
      const events: DriverEvents = {
        begun: nothing,
        // All threads see the same number until their connections are counted.
        connectionsAllowed: () => opened === 0 ? ALLOWED : 0,
        opened: () => void opened++,
        received: nothing,
        ended: nothing,
        hungUp: nothing,
        sent: nothing,
        identified: nothing,
        closed: nothing,
        woken: nothing,
        exhausted: nothing,
      };
      const driver = new UringDriver({
        listener,
        waker,
        connectionsMax: ALLOWED,
        threads,
        tickMs: 10,
        events,
      });
      const clients: Deno.TcpConn[] = [];
      try {
        for (let n = 0; n < WAITING; n++) {
          clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
        }
        driver.accept();
        for (let turn = 0; turn < 10; turn++) driver.turn();
        assertEquals(opened, accepted);
      } finally {
        for (const client of clients) client.close();
        driver[Symbol.dispose]();
        for (const descriptor of [waker, listener]) libc().close(descriptor);
      }
    },
  });
}
