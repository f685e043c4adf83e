import {
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { libc } from "../native/libc.ts";
import { serve } from "../native/mod.ts";
import { socketAddress } from "../native/sockets.ts";
import { descriptorsAdded, openDescriptors } from "../native/testing/open_descriptors.ts";
import {
  type LoadEngine,
  type LoadOptions,
  LoadOptionsError,
  type LoadReport,
  type LoadSample,
} from "./mod.ts";
import { runLoad, startLoad, uringProblem } from "./mod.ts";
import { answer, closedPort, RawServer, resettingServer, until } from "./testing/raw_server.ts";

const problem = uringProblem();
if (problem !== null) console.warn(`Tests on io_uring are ignored: ${problem}`);

/** Runs a test on both engines, or on io_uring only. */
function test(
  name: string,
  run: (engine: LoadEngine) => Promise<void>,
  engines: readonly LoadEngine[] = ["io_uring", "fetch"],
): void {
  for (const engine of engines) {
    const ignore = engine === "io_uring" && problem !== null;
    Deno.test({ name: `${engine}: ${name}`, ignore, fn: () => run(engine) });
  }
}

/** What holds of every report, whatever happened. */
function checkSums(report: LoadReport): void {
  const { sent, answered, failed, unanswered } = report.requests;
  assertEquals(sent, answered + failed + unanswered, "each request sent came to one end");
  assertEquals(report.latency.count + report.rejectedLatency.count, answered);
  assertEquals(sumOf(Object.values(report.statuses)), answered);
  assertEquals(sumOf(Object.values(report.errors)), report.errorsTotal);
  for (const name of ["sent", "answered", "status429", "status503"] as const) {
    const total = { ...report.requests, ...report }[name];
    assertEquals(sumOf(report.series.map((sample) => sample[name])), total, `series: ${name}`);
  }
  assertEquals(sumOf(report.series.map(({ errors }) => errors)), report.errorsTotal);
  assertEquals(JSON.parse(JSON.stringify(report)), report, "it can be written as JSON");
}

async function load(options: LoadOptions): Promise<LoadReport> {
  const report = await runLoad(options);
  checkSums(report);
  return report;
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

test("a closed loop counts what the server counts", async (engine) => {
  let asked = 0;
  await using server = Deno.serve({ port: 0, onListen() {} }, () => {
    asked++;
    return new Response("x".repeat(100));
  });
  const report = await load({
    url: `http://localhost:${server.addr.port}/`,
    engine,
    connections: 8,
    durationMs: 300,
    expect: { statuses: [200], length: 100, body: "x".repeat(100) },
  });
  assertGreater(asked, 8);
  assertEquals(report.requests, { sent: asked, answered: asked, failed: 0, unanswered: 0 });
  assertEquals([report.engine, report.loop, report.ended], [engine, "closed", "duration"]);
  assertEquals([report.statuses, report.errorsTotal], [{ "200": asked }, 0]);
  assertGreater(report.bytes.received, 100 * asked - 1);
});

test("a number of requests is sent exactly, to the native listener, kept and not", async (engine) => {
  for (const close of [false, true]) {
    const targets = new Map<string, number>();
    const listener = await serve({ hostname: "127.0.0.1", port: 0 }, (request) => {
      const { pathname } = new URL(request.url);
      targets.set(pathname, (targets.get(pathname) ?? 0) + 1);
      return new Response(request.headers.get("x-marquee"));
    });
    const report = await load({
      url: `http://127.0.0.1:${listener.addr.port}`,
      engine,
      connections: 7,
      requests: 300,
      close,
      paths: ["/a", "/b", "/c"],
      headers: { "x-marquee": "lit" },
      expect: { body: "lit" },
    });
    assertEquals([report.ended, report.requests.sent, report.requests.answered], [
      "requests",
      300,
      300,
    ]);
    assertEquals([...targets].toSorted(), [["/a", 100], ["/b", 100], ["/c", 100]]);
    assertEquals([report.errorsTotal, report.examples], [0, []]);
    if (engine === "io_uring") assertEquals(report.connections.opened, close ? 300 : 7);
    await listener.shutdown();
  }
});

test("a POST carries its body, byte for byte", async (engine) => {
  const bodies: string[] = [];
  const listener = await serve({ hostname: "127.0.0.1", port: 0 }, async (request) => {
    bodies.push(`${request.method} ${await request.text()}`);
    return new Response();
  });
  const report = await load({
    url: `http://127.0.0.1:${listener.addr.port}`,
    engine,
    connections: 3,
    requests: 30,
    method: "POST",
    body: '{"title":"Čapek’s R.U.R."}',
  });
  assertEquals(report.statuses, { "200": 30 });
  assertEquals(new Set(bodies), new Set(['POST {"title":"Čapek’s R.U.R."}']));
  await listener.shutdown();
});

test("a connection for each request is one", async (engine) => {
  using server = new RawServer(async ({ send, close, head }) => {
    await send(
      answer(head.match(/^connection: (.*)$/im)?.[1] ?? "", "200 OK", "Connection: close\r\n"),
    );
    close();
  });
  const report = await load({
    url: server.url,
    engine,
    requests: 50,
    close: true,
    expect: { body: "close" },
  });
  assertEquals([server.connections, server.requests, report.errorsTotal], [50, 50, 0]);
});

test("statuses are counted apart, and those of too much load have latencies of their own", async (engine) => {
  const statuses = ["200 OK", "429 Too Many Requests", "503 Service Unavailable", "404 Not Found"];
  using server = new RawServer(({ send, head }) =>
    send(answer("", statuses[Number(head.match(/\d/))]))
  );
  const report = await load({
    url: server.url,
    engine,
    requests: 40,
    paths: ["/0", "/1", "/2", "/3"],
    expect: { statuses: [200, 429, 503] },
  });
  assertEquals(report.statuses, { "200": 10, "404": 10, "429": 10, "503": 10 });
  assertEquals([report.status429, report.status503], [10, 10]);
  assertEquals([report.latency.count, report.rejectedLatency.count], [20, 20]);
  assertEquals([report.errors.wrongStatus, report.errorsTotal], [10, 10]);
  assertMatch(report.examples[0], /wrongStatus: \/3 was answered with 404/);
});

test("an answer may come in crumbs", async (engine) => {
  using server = new RawServer(async ({ send, number }) => {
    const text = number % 2 === 0
      ? answer("body")
      : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n3\r\nody\r\n0\r\n\r\n";
    for (const byte of text) {
      await send(byte);
      // So that each travels alone.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  });
  const report = await load({
    url: server.url,
    engine,
    requests: 12,
    connections: 4,
    expect: { body: "body" },
  });
  assertEquals([report.requests.answered, report.errorsTotal], [12, 0]);
});

test("a body may last until the connection ends", async (engine) => {
  using server = new RawServer(async ({ send, close }) => {
    await send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    close();
  });
  const report = await load({
    url: server.url,
    engine,
    requests: 10,
    connections: 2,
    expect: { body: "until the end" },
  });
  assertEquals([report.requests.answered, report.errorsTotal], [10, 0]);
  assertGreater(server.connections, 9);
});

test("a HEAD is answered without a body", async (engine) => {
  using server = new RawServer(({ send, head }) =>
    send(
      `HTTP/1.1 ${head.startsWith("HEAD ") ? "200 OK" : "405 No"}\r\nContent-Length: 500\r\n\r\n`,
    )
  );
  const report = await load({
    url: server.url,
    engine,
    method: "HEAD",
    requests: 20,
    connections: 2,
  });
  assertEquals([report.statuses, report.errorsTotal], [{ "200": 20 }, 0]);
});

test("a connection that ends in the middle of an answer is an error, and is made again", async (engine) => {
  using server = new RawServer(async ({ send, close, number }) => {
    await send(answer("whole").slice(0, number === 0 ? -2 : undefined));
    if (number === 0) close();
  });
  const report = await load({
    url: server.url,
    engine,
    connections: 1,
    requests: 5,
    reconnect: { pauseMs: 1 },
  });
  assertEquals([report.errors.closedEarly, report.errorsTotal], [1, 1], report.examples.join());
  assertEquals(report.requests, { sent: 5, answered: 4, failed: 1, unanswered: 0 });
  assertEquals(report.connections.retried, 1);
});

test("a reset is an error", async (engine) => {
  using server = await resettingServer();
  const report = await load({
    url: `http://127.0.0.1:${server.port}/`,
    engine,
    connections: 1,
    durationMs: 10_000,
    reconnect: { pauseMs: 1, attemptsMax: 3 },
  });
  assertEquals([report.ended, report.requests.answered], ["connections", 0]);
  assertEquals([report.errors.reset, report.errorsTotal], [3, 3], report.examples.join());
  assertEquals([report.connections.retried, report.connections.givenUp], [2, 1]);
});

test("an answer that does not come in time is an error, and its connection is not used again", async (engine) => {
  using server = new RawServer(({ send, number }) => number === 0 ? undefined : send(answer("")));
  const report = await load({
    url: server.url,
    engine,
    connections: 1,
    requests: 3,
    timeoutMs: 100,
    reconnect: { pauseMs: 1 },
  });
  assertEquals([report.errors.timeout, report.errorsTotal], [1, 1]);
  assertEquals(report.requests, { sent: 3, answered: 2, failed: 1, unanswered: 0 });
  assertEquals(server.connections, 2);
});

test("waiting for an answer that never comes is no part of the rate", async (engine) => {
  using server = new RawServer(({ send, number }) => number === 0 ? undefined : send(answer("")));
  const timeoutMs = 2_000;
  const report = await load({
    url: server.url,
    engine,
    connections: 2,
    durationMs: 200,
    timeoutMs,
    reconnect: { pauseMs: 1 },
  });
  assertEquals([report.errors.timeout, report.ended], [1, "duration"]);
  assertLess(report.elapsedMs, timeoutMs / 2);
  assertEquals(report.rate, report.requests.answered / report.elapsedMs * 1_000);
  // It was waited for all the same, and the samples show it.
  assertGreater(sumOf(report.series.map(({ elapsedMs }) => elapsedMs)), timeoutMs * 0.9);
});

test("a header field that is asked for replaces ours, however it is spelt", async (engine) => {
  using server = new RawServer(({ send, head }) =>
    send(answer(head.match(/^accept-encoding: (.*)$/im)?.[1] ?? ""))
  );
  const report = await load({
    url: server.url,
    engine,
    requests: 10,
    headers: { "Accept-Encoding": "gzip" },
    expect: { body: "gzip" },
  });
  assertEquals([report.requests.answered, report.errorsTotal], [10, 0], report.examples.join());
});

test("lengths and bodies that are not the ones expected are errors", async (engine) => {
  using server = new RawServer(({ send, head }) =>
    send(answer(head.includes("/long") ? "bodies" : "bodx"))
  );
  const report = await load({
    url: server.url,
    engine,
    requests: 10,
    paths: ["/long", "/other"],
    expect: { body: "body" },
  });
  assertEquals([report.errors.wrongLength, report.errors.wrongBody, report.errorsTotal], [
    5,
    5,
    10,
  ]);
  assertEquals(report.requests.answered, 10);
});

test("an oracle sees every answer", async (engine) => {
  using server = new RawServer(({ send, head }) =>
    send(answer(`${head.match(/\/\w+/)}`.repeat(2_000)))
  );
  const oracle = "data:text/javascript," +
    encodeURIComponent(`export default (path, status, body) =>
    status === 200 && new TextDecoder().decode(body) === path.repeat(2000) && path !== "/b" ? null : "no " + path`);
  const report = await load({
    url: server.url,
    engine,
    requests: 9,
    paths: ["/a", "/b", "/c"],
    expect: { oracle },
  });
  assertEquals([report.errors.wrongBody, report.errorsTotal], [3, 3]);
  assertEquals(report.examples, ["wrongBody: /b: no /b"]);
});

test("connections that are refused are tried again until they are let in", async (engine) => {
  const port = closedPort();
  const samples: LoadSample[] = [];
  const running = startLoad({
    url: `http://127.0.0.1:${port}/`,
    engine,
    connections: 4,
    durationMs: 60_000,
    reconnect: { pauseMs: 10, attemptsMax: 100_000 },
    onProgress: (sample) => samples.push(sample),
  });
  await until("a second without a server", () => samples.length > 0);
  assertGreater(samples[0].refused, 3);
  using server = new RawServer(({ send }) => send(answer("")), port);
  await until("requests", () => server.requests > 20);
  running.stop();
  const report = await running.report;
  checkSums(report);
  assertEquals([report.ended, report.errors.refused], ["stopped", report.errorsTotal]);
  assertEquals(report.connections.retried >= report.errors.refused, true);
  assertGreater(report.requests.answered, 0);
});

test("who is answered 503 and cut off pauses like who is refused", async (engine) => {
  using server = new RawServer(async ({ send, close }) => {
    await send(answer("", "503 Service Unavailable", "Connection: close\r\n"));
    close();
  });
  const report = await load({
    url: server.url,
    engine,
    connections: 1,
    durationMs: 10_000,
    reconnect: { pauseMs: 1, attemptsMax: 3 },
  });
  assertEquals([report.status503, report.connections.givenUp, report.ended], [3, 1, "connections"]);
});

test("a connection is made again after as many answers as it was to have", async (engine) => {
  using server = new RawServer(({ send }) => send(answer("")));
  const report = await load({
    url: server.url,
    engine,
    connections: 2,
    requests: 60,
    answersPerConnection: 10,
  });
  assertEquals([report.requests.answered, report.errorsTotal], [60, 0]);
  // Whoever is quicker answers more; the last ones may be those that a connection has to the end.
  assertGreater(report.connections.opened, 5);
}, ["io_uring"]);

test("a load gives up when every connection has failed too often", async (engine) => {
  const report = await load({
    url: `http://127.0.0.1:${closedPort()}/`,
    engine,
    connections: 3,
    reconnect: { pauseMs: 1, attemptsMax: 4 },
  });
  assertEquals([report.ended, report.errors.refused, report.requests.sent], ["connections", 12, 0]);
  assertEquals(report.connections.givenUp, 3);
});

test("an open loop sends what is due when it is due", async (engine) => {
  using server = new RawServer(({ send }) => send(answer("")));
  const report = await load({ url: server.url, engine, connections: 4, rate: 500, requests: 100 });
  assertEquals([server.requests, report.loop, report.ended], [100, "open", "requests"]);
  assertEquals([report.open!.due, report.open!.unsent, report.open!.isRateKept], [100, 0, true]);
  // The last one is due 198 ms after the first.
  assertEquals(report.elapsedMs >= 198, true);
});

test("an open loop shows a server that stops to all who would have asked", async (engine) => {
  let stalled: Promise<void> | null = null;
  using server = new RawServer(async ({ send }) => {
    if (server.requests === 20) stalled = new Promise((resolve) => setTimeout(resolve, 500));
    await stalled;
    await send(answer(""));
  });
  const report = await load({ url: server.url, engine, connections: 2, rate: 200, requests: 150 });
  // In the half second 100 requests were due. A loop that waits for answers would have sent two of them.
  assertEquals([report.requests.answered, report.open!.unsent], [150, 0]);
  assertGreater(report.latency.p50Ms, 50);
  assertGreater(report.latency.maxMs, 400);
  assertGreater(report.open!.backlogMost, 30);
});

test("a rate that is not kept is said not to be", async (engine) => {
  using server = new RawServer(async ({ send }) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    await send(answer(""));
  });
  const report = await load({
    url: server.url,
    engine,
    connections: 1,
    rate: 1_000,
    durationMs: 300,
  });
  assertEquals(report.open!.isRateKept, false);
  assertEquals(report.open!.unsent, report.open!.due - report.requests.sent);
  assertGreater(report.open!.unsent, 200);
});

test("what was asked while warming up does not count", async (engine) => {
  using server = new RawServer(({ send }) => send(answer("")));
  const samples: LoadSample[] = [];
  const report = await load({
    url: server.url,
    engine,
    connections: 2,
    warmupMs: 150,
    requests: 30,
    onProgress: (sample) => samples.push(sample),
  });
  assertEquals([report.requests.sent, report.requests.answered, report.ended], [
    30,
    30,
    "requests",
  ]);
  assertGreater(server.requests, 30);
  assertEquals(samples, report.series);
});

test("a load that is stopped reports what there is", async (engine) => {
  using server = new RawServer(({ send, number }) => number === 0 ? undefined : send(answer("")));
  const stopping = new AbortController();
  const report = load({ url: server.url, engine, connections: 2, signal: stopping.signal });
  await until("requests", () => server.requests > 10);
  stopping.abort();
  const { ended, requests } = await report;
  assertEquals(ended, "stopped");
  assertGreater(requests.answered, 0);
  assertGreater(requests.unanswered, 0);
  const before = await load({ url: server.url, engine, signal: AbortSignal.abort() });
  assertEquals([before.ended, before.requests.answered], ["stopped", 0]);
});

test("progress is one sample a second, the same as in the report", async (engine) => {
  using server = new RawServer(({ send }) => send(answer("")));
  const samples: LoadSample[] = [];
  const report = await load({
    url: server.url,
    engine,
    connections: 2,
    rate: 100,
    durationMs: 2_100,
    onProgress: (sample) => samples.push(sample),
  });
  assertEquals(samples, report.series);
  assertGreater(samples.length, 1);
  assertEquals(samples.map(({ second }) => second), samples.map((_, i) => i));
});

test("connections come and go while a load runs, busy or idle", async () => {
  for (const rate of [null, 1]) {
    using server = new RawServer(({ send }) => send(answer("")));
    const running = startLoad({
      url: server.url,
      engine: "io_uring",
      connections: 2,
      connectionsMax: 6,
      rate,
      durationMs: 60_000,
    });
    for (const connections of [6, 1, 3]) {
      running.setConnections(connections);
      await until(`${connections} connections`, () => server.open === connections);
    }
    assertThrows(() => running.setConnections(7), LoadOptionsError, "from 1 to 6");
    running.stop();
    const report = await running.report;
    checkSums(report);
    assertEquals([report.errorsTotal, report.connections.opened], [0, 8]);
    assertEquals([report.connections.openMost, report.connections.openAtEnd], [6, 3]);
    await until("all are closed", () => server.open === 0);
  }
}, ["io_uring"]);

test("requests are pipelined, in order, and no more than may be", async () => {
  let most = 0;
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    for await (const socket of server) {
      (async () => {
        const buffer = new Uint8Array(65_536);
        for (let length = await socket.read(buffer); length !== null;) {
          const text = new TextDecoder().decode(buffer.subarray(0, length));
          const asked = [...text.matchAll(/GET (\/\w+) /g)].map(([, path]) => path);
          most = Math.max(most, asked.length);
          await socket.write(new TextEncoder().encode(asked.map((path) => answer(path)).join("")));
          length = await socket.read(buffer);
        }
        socket.close();
      })();
    }
  })();
  const oracle = "data:text/javascript," + encodeURIComponent(
    `export default (path, status, body) => new TextDecoder().decode(body) === path ? null : "another's"`,
  );
  const report = await load({
    url: `http://127.0.0.1:${server.addr.port}`,
    connections: 3,
    pipeline: 8,
    requests: 1_003,
    paths: ["/a", "/bb", "/ccc", "/d", "/e"],
    expect: { oracle },
  });
  server.close();
  await served;
  assertEquals([report.requests.answered, report.errorsTotal], [1_003, 0], report.examples.join());
  assertEquals(most, 8);
}, ["io_uring"]);

test("of what was pipelined all is lost with the connection", async () => {
  using server = new RawServer(async ({ send, close, number, requests }) => {
    if (requests === 3 && number === 0) close();
    else await send(answer(""));
  });
  const report = await load({
    url: server.url,
    connections: 1,
    pipeline: 10,
    requests: 10,
    reconnect: { pauseMs: 1 },
  });
  assertEquals(report.requests, { sent: 10, answered: 2, failed: 8, unanswered: 0 });
  const { closedEarly, reset } = report.errors;
  assertEquals([closedEarly + reset, report.errorsTotal], [8, 8]);
}, ["io_uring"]);

test("what is no answer, or nobody's, is malformed", async () => {
  const texts = [
    "SSH-2.0-OpenSSH_9.2\r\n",
    answer("") + "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\n\n",
  ];
  for (const text of texts) {
    using server = new RawServer(({ send, number }) => send(number === 0 ? text : answer("")));
    const report = await load({
      url: server.url,
      connections: 1,
      requests: 5,
      reconnect: { pauseMs: 1 },
    });
    assertEquals([report.errors.malformed, report.errorsTotal], [1, 1], JSON.stringify(text));
  }
}, ["io_uring"]);

test(
  "a kept connection that the server closes when nothing is asked on it is no error",
  async () => {
    using server = new RawServer(async ({ send, close }) => {
      await send(answer(""));
      close();
    });
    const report = await load({ url: server.url, connections: 1, rate: 20, requests: 5 });
    assertEquals([report.requests.answered, report.errorsTotal], [5, 0], report.examples.join());
    assertEquals(report.connections.closedIdle >= 4, true);
    assertEquals(server.connections >= 5, true);
  },
  ["io_uring"],
);

test("a request that is larger than what the system takes at once is sent whole", async () => {
  const value = "v".repeat(60_000);
  using server = new RawServer(({ send, head }) => send(answer(String(head.includes(value)))));
  const report = await load({
    url: server.url,
    connections: 2,
    pipeline: 200,
    requests: 400,
    headers: { "x-long": value },
    expect: { body: "true" },
  });
  assertEquals([report.requests.answered, report.errorsTotal], [400, 0], report.examples.join());
}, ["io_uring"]);

test("a connection that is not made in time is an error", async () => {
  // A backlog of one, and nobody who accepts: the system drops what else would connect.
  const { SOCK_STREAM, AF_INET } = { SOCK_STREAM: 1, AF_INET: 2 };
  const descriptor = libc().socket(AF_INET, SOCK_STREAM, 0);
  try {
    const address = socketAddress("127.0.0.1", 0);
    assertEquals(libc().bind(descriptor, address, address.length), 0);
    assertEquals(libc().listen(descriptor, 0), 0);
    libc().getsockname(descriptor, address, new Uint32Array([address.length]));
    const report = await load({
      url: `http://127.0.0.1:${address[2] << 8 | address[3]}`,
      connections: 8,
      durationMs: 300,
      timeoutMs: 200,
      connectTimeoutMs: 200,
      reconnect: { attemptsMax: 1 },
    });
    assertGreater(report.errors.connectTimeout, 0);
    assertEquals(report.errors.connectTimeout + report.errors.timeout, report.errorsTotal);
  } finally {
    libc().close(descriptor);
  }
}, ["io_uring"]);

test("IPv6 is spoken", async () => {
  await using server = Deno.serve(
    { hostname: "::1", port: 0, onListen() {} },
    () => new Response("6"),
  );
  const report = await load({
    url: `http://[::1]:${server.addr.port}`,
    requests: 10,
    expect: { body: "6" },
  });
  assertEquals([report.requests.answered, report.errorsTotal], [10, 0]);
}, ["io_uring"]);

test("nothing is left open when a load is over", async () => {
  using server = new RawServer(({ send }) => send(answer("")));
  await load({ url: server.url, connections: 20, requests: 100 });
  await openDescriptors();
  const before = await openDescriptors();
  for (let i = 0; i < 3; i++) await load({ url: server.url, connections: 20, requests: 100 });
  await until("all connections are closed", () => server.open === 0);
  // A thread goes a little after its last word.
  await until(
    "no descriptors are left",
    async () => descriptorsAdded(before, await openDescriptors()).size === 0,
  );
}, ["io_uring"]);

test("a load that is given up while it warms up says why", async (engine) => {
  const report = await load({
    url: `http://127.0.0.1:${closedPort()}/`,
    engine,
    connections: 1,
    warmupMs: 5_000,
    reconnect: { pauseMs: 1, attemptsMax: 2 },
  });
  assertEquals([report.ended, report.errors.refused], ["connections", 2]);
}, ["io_uring"]);

Deno.test("https goes by fetch", async () => {
  const report = await load({
    url: `https://127.0.0.1:${closedPort()}/`,
    connections: 1,
    reconnect: { pauseMs: 1, attemptsMax: 2 },
  });
  assertEquals([report.engine, report.engineReason], ["fetch", "the URL is https"]);
  assertEquals(report.errors.refused, 2);
  await assertRejects(
    () => runLoad({ url: "https://127.0.0.1:1/", engine: "io_uring" }),
    LoadOptionsError,
    "no io_uring: the URL is https",
  );
});

Deno.test("options that make no sense are refused by name", async () => {
  const url = "http://127.0.0.1:1/";
  const wrong: [Partial<LoadOptions>, RegExp][] = [
    [{ url: "127.0.0.1:80" }, /URL: .* is none: write http/],
    [{ url: "ftp://host/" }, /URL/],
    [{ url: "http://name:password@host/" }, /Authorization/],
    [{ connections: 0 }, /connections: 0 is not between 1 and/],
    [{ connections: 1.5 }, /connections: 1.5 is no whole number/],
    [{ connections: 2, connectionsMax: 1 }, /connectionsMax/],
    [{ rate: 0 }, /rate/],
    [{ rate: NaN }, /rate: NaN/],
    [{ durationMs: 3_600_001 }, /durationMs/],
    [{ requests: 0 }, /requests/],
    [{ close: true, pipeline: 2 }, /pipeline: 2 with close/],
    [{ connections: 18_000, pipeline: 1_000 }, /connections times pipeline/],
    [{ paths: [] }, /paths/],
    [{ paths: ["search"] }, /paths: "search"/],
    [{ paths: ["/a b"] }, /paths/],
    [{ headers: { "a b": "c" } }, /headers/],
    [{ headers: { a: "b\r\nc: d" } }, /headers/],
    [{ headers: { "Content-Length": "1" } }, /headers/],
    [{ body: "a" }, /body: GET has none/],
    [{ reconnect: { attemptsMax: 0 } }, /reconnect.attemptsMax/],
    [{ expect: { statuses: [99] } }, /expect.statuses/],
  ];
  for (const [options, message] of wrong) {
    assertMatch(
      assertThrows(() => startLoad({ url, ...options }), LoadOptionsError).message,
      message,
    );
  }
  const error = await assertRejects(() => runLoad({ url: "http://nowhere.invalid/" }), Error);
  assertMatch(error.message, /nowhere.invalid: no such host/);
});
