import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { Catalogue } from "../catalogue/mod.ts";
import { EDITIONS_PINNED_MAX } from "../catalogue/limits.ts";
import { testEventLine } from "../catalogue/testing/events.ts";
import { chooseMemory } from "../memory_source.ts";
import { transportProblem } from "../native/mod.ts";
import { NativeServer } from "./native_server.ts";

const EVENTS = 2_000;
const VERSIONS = 60;
const decoder = new TextDecoder();

for (const transport of ["uring", "epoll"] as const) {
  const problem = transportProblem(transport);
  if (problem !== null) console.warn(`Tests are ignored: ${problem}`);

  Deno.test({
    name: `${transport}: every answer is of one version, while editions come and threads die`,
    ignore: problem !== null,
    async fn() {
      const { source } = chooseMemory();
      const failures: Error[] = [];
      const server = await NativeServer.start({
        transport,
        hostname: "127.0.0.1",
        port: 0,
        threads: 2,
        connectionsMax: 1_000,
        connectionLimit: Infinity,
        headerTimeoutMs: 10_000,
        idleTimeoutMs: 60_000,
        bodyTimeoutMs: 10_000,
        writeTimeoutMs: 60_000,
        bodyBytesMax: 1_000,
        durationBounds: [0.001],
        module: new URL("../listener_worker.ts", import.meta.url),
        data: {
          version: "test",
          startedAt: 0,
          logRequests: 0,
          slowRequestMs: 60_000,
          rateLimit: null,
        },
        handler: () => new Response("no fast route", { status: 503 }),
        onLogged: () => {},
        onFailure: (error) => failures.push(error),
      });
      const catalogue = new Catalogue({
        storeId: "test",
        policy: "latest",
        source,
        onPublish: (edition) => server.publish(edition),
      });
      const publish = async (version: number) => {
        await catalogue.publish({
          version,
          isComplete: true,
          events: Array.from(
            { length: EVENTS },
            (_, n) => testEventLine(n, { title: `Version ${version}.` }),
          ),
          sightings: {},
        });
        await catalogue.settled();
      };
      await publish(1);
      const url = `http://127.0.0.1:${server.port}/search`;
      let isOver = false;
      const counted = { answers: 0, cutOff: 0 };

      /** Asks over and over, in either coding, and looks at each answer. */
      const ask = async (headers: Record<string, string>) => {
        while (!isOver) {
          // A thread that dies takes its connections with it.
          const response = await fetch(url, { headers }).catch(() => null);
          const body = await response?.text().catch(() => null);
          if (response === null || body === null || body === undefined) continue;
          if (response.status === 503) continue;
          const version = response.headers.get("x-catalogue-version");
          const { data: { events } } = JSON.parse(body);
          assertEquals(events.length, EVENTS);
          for (const { title } of events) assertEquals(title, `Version ${version}.`);
          counted.answers++;
        }
      };

      /** Reads one answer so slowly that many editions come and go meanwhile. */
      const crawl = async () => {
        using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
        await connection.write(
          new TextEncoder().encode(
            "GET /search HTTP/1.1\r\nHost: a\r\nX-Filler: ".padEnd(300, "a") +
              "\r\nConnection: close\r\n\r\n",
          ),
        );
        const bytes = new Uint8Array(16_384);
        let text = "";
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 40));
          const length = await connection.read(bytes).catch(() => null);
          if (length === null) break;
          text += decoder.decode(bytes.slice(0, length));
        }
        const versions = new Set(text.match(/Version \d+\./g) ?? []);
        assertLessOrEqual(versions.size, 1, "an answer of several versions");
        if (!text.endsWith("}")) counted.cutOff++;
      };

      const asking = [ask({}), ask({}), ask({ "accept-encoding": "gzip" })];
      const crawling = Array.from({ length: 8 }, crawl);
      for (let version = 2; version <= VERSIONS; version++) {
        await publish(version);
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (version === VERSIONS / 2) server.unsafeFailThread(0);
        assertLessOrEqual(catalogue.pinned, EDITIONS_PINNED_MAX * 2);
      }
      await eventually(() => server.statistics().threadsReplaced === 1);
      await Promise.all(crawling);
      // What the new thread has got is the current edition, without another one being published.
      const versions = await Promise.all(
        Array.from({ length: 16 }, () => fetch(url).then((one) => one.json())),
      );
      for (const { data } of versions) assertEquals(data.events[0].title, `Version ${VERSIONS}.`);
      isOver = true;
      await Promise.all(asking);
      assertGreater(counted.answers, 20);
      await eventually(() => catalogue.pinned === 0);
      assertEquals(server.statistics().answersInFlight, 0);
      assertEquals(failures.length, 1, "one thread was made to fail");
      assert(await server.shutdown(5_000));
      catalogue.close();
    },
  });
}

async function eventually(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !condition();) {
    if (performance.now() > end) throw new Error(`not within 10 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
