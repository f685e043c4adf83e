import { assertEquals } from "@std/assert";
import { SeededRandom } from "../native/testing/seeded_random.ts";
import { startLoad, uringProblem } from "./mod.ts";
import { answer, type RawConnection, RawServer, until } from "./testing/raw_server.ts";

const problem = uringProblem();
if (problem !== null) console.warn(`Tests on io_uring are ignored: ${problem}`);

const SEEDS = Number(Deno.env.get("FAULT_SEEDS") ?? "6");
const BEHAVIOURS: readonly ((connection: RawConnection) => Promise<void> | void)[] = [
  ({ send }) => send(answer("whole")),
  ({ send }) => send(answer("whole")),
  ({ send }) => send(answer("", "503 Service Unavailable")),
  ({ send }) =>
    send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"),
  async ({ send }) => {
    for (const part of answer("whole").match(/[^]{1,9}/g)!) {
      await send(part);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  },
  async ({ send, close }) => {
    await send(answer("whole", "200 OK", "Connection: close\r\n"));
    close();
  },
  // Says that it closes and does not.
  ({ send }) => send(answer("whole", "200 OK", "Connection: close\r\n")),
  async ({ send, close }) => {
    await send("HTTP/1.1 200 OK\r\n\r\nwhole");
    close();
  },
  async ({ send, close }) => {
    await send(answer("whole").slice(0, -1));
    close();
  },
  ({ close }) => close(),
  ({ send }) => send(answer("whole") + "more than was asked for"),
  ({ send }) => send("no answer\r\n\r\n"),
  () => {},
];

for (let seed = 0; seed < SEEDS; seed++) {
  Deno.test({
    name: `whatever a server does, each request comes to one end: seed ${seed}`,
    ignore: problem !== null,
    async fn() {
      const random = new SeededRandom(seed);
      const pick = <T>(of: readonly T[]): T => of[random.below(of.length)];
      using server = new RawServer((connection) => pick(BEHAVIOURS)(connection));
      const close = random.below(3) === 0;
      const running = startLoad({
        url: server.url,
        connections: 1 + random.below(10),
        connectionsMax: 30,
        pipeline: close ? 1 : pick([1, 2, 7]),
        close,
        rate: pick([null, 500, 5_000]),
        requests: pick([null, 300]),
        warmupMs: pick([0, 50]),
        durationMs: 400,
        timeoutMs: 60,
        reconnect: { pauseMs: pick([0, 3]), attemptsMax: pick([3, 1_000]) },
      });
      const moving = setInterval(() => running.setConnections(1 + random.below(30)), 30);
      const report = await running.report.finally(() => clearInterval(moving));
      const { sent, answered, failed, unanswered } = report.requests;
      const seen = JSON.stringify(report);
      assertEquals(sent, answered + failed + unanswered, seen);
      assertEquals(unanswered, 0, seen);
      assertEquals(report.latency.count + report.rejectedLatency.count, answered, seen);
      const { reset, timeout, closedEarly, malformed } = report.errors;
      assertEquals(reset + timeout + closedEarly + malformed, report.errorsTotal, seen);
      // An answer may be whole and what follows it malformed.
      assertEquals(reset + timeout + closedEarly <= failed, true, seen);
      assertEquals(answered > 0, true, seen);
      await until("all connections are closed", () => server.open === 0);
    },
  });
}
