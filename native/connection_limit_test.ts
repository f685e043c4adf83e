import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FaultClient, get, pause, until } from "./testing/fault_clients.ts";
import { NATIVE_TRANSPORTS, openTestedListener } from "./testing/tested_listener.ts";

const LIMIT = 10;
/** What a connection that says nothing is given, with the tick that finds it. */
const SHED_MS_MAX = 10_000;

for (const { transport, problem } of NATIVE_TRANSPORTS) {
  const open = (threads = 2) =>
    openTestedListener({ transport, threads, hostname: "0.0.0.0", connectionLimit: LIMIT });
  const test = (sentence: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${transport}: ${sentence}`, ignore: problem !== null, fn });

  test("connections past the limit get 503 and are closed, the others are answered", async () => {
    await using tested = await open();
    using clients = new DisposableStack();
    const admitted = await admit(tested.port, clients);
    for (let n = 0; n < 5; n++) {
      using refused = await FaultClient.open(tested.port);
      // Whatever it says: it is not read.
      await refused.send("GARBAGE\r\n\r\n");
      const { status, head, body } = await refused.answer();
      assertEquals(status, 503);
      assertStringIncludes(head.toLowerCase(), "\r\nretry-after: 1");
      assertStringIncludes(head.toLowerCase(), "\r\nconnection: close");
      const { data, error } = JSON.parse(new TextDecoder().decode(body));
      assertEquals([data, error.code], [null, "service_overloaded"]);
    }
    for (const client of admitted) assertEquals((await client.request("/")).status, 200);
    const counts = tested.listener.statistics();
    assertEquals([counts.connectionsActive, counts.connectionsShed], [LIMIT, 5]);
    assertEquals(counts.connectionsTotal, LIMIT);
    assertEquals(counts.refused, [{ status: 503, count: 5 }]);
    clients.dispose();
    await tested.quiet();
  });

  test("a place that is free is taken at once", async () => {
    await using tested = await open();
    using clients = new DisposableStack();
    const [first] = await admit(tested.port, clients);
    await first.leave("close");
    await until(() => tested.listener.statistics().connectionsActive === LIMIT - 1, () => "left");
    using next = await FaultClient.open(tested.port);
    assertEquals((await next.request("/")).status, 200);
  });

  test("a limit that moves down closes nothing and lets nobody in, up lets in as many", async () => {
    await using tested = await open();
    using clients = new DisposableStack();
    const admitted = await admit(tested.port, clients);
    tested.listener.setConnectionLimit(4);
    assertEquals(await ask(tested.port, 5, clients), [503, 503, 503, 503, 503]);
    for (const client of admitted) assertEquals((await client.request("/")).status, 200);
    tested.listener.setConnectionLimit(LIMIT + 3);
    assertEquals(await ask(tested.port, 5, clients), [200, 200, 200, 503, 503]);
    tested.listener.setConnectionLimit(Infinity);
    assertEquals(await ask(tested.port, 30, clients), Array(30).fill(200));
  });

  test("who is past the limit and says nothing is closed soon", async () => {
    await using tested = await open();
    using clients = new DisposableStack();
    await admit(tested.port, clients);
    using silent = await FaultClient.open(tested.port);
    const began = performance.now();
    assertEquals(await silent.read(), null);
    assert(performance.now() - began < SHED_MS_MAX);
    // And who reads the refusal and stays.
    using staying = await FaultClient.open(tested.port);
    assertEquals((await staying.request("/")).status, 503);
    assertEquals(await staying.read(), null);
    await until(() => tested.listener.statistics().connectionsShedding === 0, () => "it is closed");
  });

  test("places of a thread that dies are free again", async () => {
    // quiet() would complain of the thread.
    await using tested = await open(1);
    using clients = new DisposableStack();
    await admit(tested.port, clients);
    tested.listener.unsafeFailThread(0);
    await until(() => tested.listener.statistics().threadsReplaced === 1, () => "replaced");
    await pause(500);
    assertEquals(await ask(tested.port, LIMIT + 2, clients), [...Array(LIMIT).fill(200), 503, 503]);
  });

  test("a shutdown does not wait for those past the limit", async () => {
    await using tested = await open();
    using clients = new DisposableStack();
    await admit(tested.port, clients);
    const silent = await FaultClient.openMany(tested.port, 5);
    for (const client of silent) clients.use(client);
    await until(() => tested.listener.statistics().connectionsShed === 5, () => "shed");
    await tested.listener.shutdown();
  });
}

/** As many connections as are let in, each of which has been answered. */
async function admit(port: number, clients: DisposableStack): Promise<FaultClient[]> {
  const admitted = await FaultClient.openMany(port, LIMIT);
  for (const client of admitted) {
    clients.use(client);
    assertEquals((await client.request("/")).status, 200);
  }
  return admitted;
}

/** What new connections are answered, one after the other; they stay open. */
async function ask(port: number, count: number, clients: DisposableStack): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < count; n++) {
    const client = clients.use(await FaultClient.open(port));
    await client.send(get("/"));
    statuses.push((await client.answer()).status);
  }
  return statuses;
}
