import { assertEquals } from "@std/assert";
import { serve } from "./mod.ts";
import { FaultClient, get, until } from "./testing/fault_clients.ts";
import { NATIVE_TRANSPORTS } from "./testing/tested_listener.ts";

for (const { transport, problem } of NATIVE_TRANSPORTS) {
  const test = (
    sentence: string,
    identifies: boolean,
    body: (port: number, asked: string[], handled: string[]) => Promise<void>,
  ) =>
    Deno.test({
      name: `${transport}: ${sentence}`,
      ignore: problem !== null,
      async fn() {
        const asked: string[] = [], handled: string[] = [], errors: Error[] = [];
        const listener = await serve({
          transport,
          hostname: "::",
          port: 0,
          module: new URL("./testing/gate_thread.ts", import.meta.url),
          data: { identifies },
          onMessage: (message) => asked.push(message as string),
          onError: (error) => errors.push(error),
        }, async (request) => {
          handled.push(new URL(request.url).pathname);
          return new Response(await request.text() || "handled");
        });
        await body(listener.addr.port, asked, handled);
        await listener.shutdown();
        assertEquals(errors, []);
        assertEquals(listener.statistics().answersInFlight, 0);
      },
    });

  test("what the gate refuses reaches neither fast routes nor the handler", false, async (
    port,
    _asked,
    handled,
  ) => {
    using client = await FaultClient.open(port);
    const statuses: number[] = [];
    for (const path of ["/fast", "/other", "/fast", "/fast", "/other"]) {
      statuses.push((await client.request(path)).status);
    }
    assertEquals(statuses, [200, 200, 200, 429, 429]);
    assertEquals(handled, ["/other"]);
  });

  test("each of pipelined requests is asked for once, and answered in its place", false, async (
    port,
    asked,
  ) => {
    using client = await FaultClient.open(port);
    const paths = ["/fast", "/slow", "/fast", "/slow", "/fast"];
    await client.send(paths.map((path) => get(path)).join(""));
    const bodies: string[] = [];
    for (const _ of paths) bodies.push(new TextDecoder().decode((await client.answer()).body));
    assertEquals(bodies, ["fast", "handled", "fast", "wait", "wait"]);
    // What a thread tells comes behind its answers.
    await until(() => asked.length >= paths.length, () => asked.join());
    assertEquals(asked, paths.map((path) => ` ${path}`));
  });

  test("behind a refusal the body is not taken for a request", false, async (port) => {
    using client = await FaultClient.open(port);
    for (let n = 0; n < 3; n++) await client.request("/fast");
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nGET / HTTP/1.1\r\n");
    const { status, head } = await client.answer();
    assertEquals([status, /\r\nconnection: close/i.test(head)], [429, true]);
    assertEquals(await client.read(), null);
  });

  test("clients are told apart by their addresses, over all their connections", true, async (
    port,
    asked,
  ) => {
    for (const hostname of ["127.0.0.1", "[::1]"]) {
      const statuses: number[] = [];
      for (let n = 0; n < 5; n++) {
        const response = await fetch(`http://${hostname}:${port}/fast`, {
          headers: { connection: "close" },
        });
        await response.body?.cancel();
        statuses.push(response.status);
      }
      assertEquals(statuses, [200, 200, 200, 429, 429]);
    }
    await until(() => asked.length >= 10, () => asked.join());
    assertEquals(new Set(asked), new Set(["::ffff:7f00:1 /fast", "::1 /fast"]));
  });
}
