import { assert, assertEquals, assertMatch } from "@std/assert";
import { transportProblem } from "../../native/mod.ts";
import { RunningService } from "./running_service.ts";

const FAST = "/api/v1/compute/fast", INTENSIVE = "/api/v1/compute/intensive";
/** A fifth of a second of work or so. */
const LONG = { limit: 5_000_000 };
const WAIT_MS_MAX = 30_000;
/** However slow the machine is, no task is given up for the time that it takes. */
const PATIENT = ["--task-timeout", "60000"];

/** An answer's status, and its data or the code of its error. */
async function outcome(response: Response): Promise<[status: number, unknown]> {
  const { data, error = null } = await response.json();
  assert(response.headers.get("x-request-id"), "every answer has an id");
  if (error === null) return [response.status, data];
  assertEquals([data, Object.keys(error)], [null, ["code", "message"]]);
  if (response.status === 503) assertEquals(response.headers.get("retry-after"), "1");
  return [response.status, error.code];
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + WAIT_MS_MAX; !await holds();) {
    if (performance.now() > end) throw new Error(`not so within ${WAIT_MS_MAX} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Sends bytes as they are, and reads until the service closes. */
async function raw(service: RunningService, text: string): Promise<string> {
  const { hostname, port } = new URL(service.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(text));
  return await new Response(connection.readable).text();
}

for (const transport of ["uring", "epoll"] as const) {
  const problem = transportProblem(transport);
  if (problem !== null) console.warn(`The example is not tested on ${transport}: ${problem}`);
  const test = (
    sentence: string,
    args: string[],
    body: (service: RunningService) => Promise<void>,
  ) =>
    Deno.test({
      name: `compute, ${transport}: ${sentence}`,
      ignore: problem !== null,
      async fn() {
        await using service = await RunningService.start("--transport", transport, ...args);
        assertEquals(service.transport, transport);
        await body(service);
        assertEquals(await service.stop(), 0);
      },
    });

  test("it computes, says what is wrong, and counts", [], async (service) => {
    assertEquals(await outcome(await service.post(FAST, { numbers: [1, 2, 3, 6] })), [
      200,
      { count: 4, mean: 3, variance: 3.5 },
    ]);
    assertEquals(await outcome(await service.post(INTENSIVE, { limit: 1_000_000 })), [
      200,
      { limit: 1_000_000, primes: 78_498 },
    ]);
    const wrong: [path: string, value: unknown, name: string][] = [
      [FAST, {}, "numbers"],
      [FAST, { numbers: [] }, "numbers"],
      [FAST, { numbers: Array(101).fill(1) }, "numbers"],
      [FAST, { numbers: [1, "2"] }, "numbers[1]"],
      [FAST, { numbers: [1e308, 1e308] }, "numbers[0]"],
      [FAST, { numbers: [1e100, -1.1e100] }, "numbers[1]"],
      [FAST, [1], "body"],
      [INTENSIVE, {}, "limit"],
      [INTENSIVE, { limit: 5_000_001 }, "limit"],
      [INTENSIVE, { limit: 1.5 }, "limit"],
      [INTENSIVE, null, "body"],
    ];
    for (const [path, value, name] of wrong) {
      const response = await service.post(path, value);
      const { error } = await response.clone().json();
      assertEquals(await outcome(response), [400, "invalid_parameter"]);
      assertEquals(error.message.split(":")[0], name);
    }
    assertEquals((await outcome(await service.post("/nowhere", {})))[0], 404);
    for (const [path, allow] of [[FAST, "POST"], [INTENSIVE, "POST"], ["/metrics", "GET"]]) {
      const response = await fetch(service.url + path, { method: "PUT", body: "{}" });
      assertEquals(response.headers.get("allow"), allow);
      assertEquals(await outcome(response), [405, "method_not_allowed"]);
    }
    assertEquals(
      await outcome(await service.post(FAST, { numbers: Array(5_000).fill(1) })),
      [413, "content_too_large"],
    );
    const health = await fetch(`${service.url}/health`);
    assertEquals([health.status, await health.json()], [200, { status: "healthy" }]);
    const of = (route: string, status: number) =>
      service.metric(`http_requests_total{route="${route}",method="POST",status="${status}"}`);
    assertEquals(
      await Promise.all([of(FAST, 200), of(FAST, 400), of(INTENSIVE, 200), of(INTENSIVE, 400)]),
      [1, 7, 1, 4],
    );
  });

  test("a body in chunks is computed as one with a length is", [], async (service) => {
    const chunks = ReadableStream.from(['{"numb', 'ers":[1,3]}'])
      .pipeThrough(new TextEncoderStream());
    const response = await service.post(FAST, null, { body: chunks });
    assertEquals(await outcome(response), [200, { count: 2, mean: 2, variance: 1 }]);
    await outcome(await service.post(FAST, { numbers: [1] }));
    // Though one was answered by the handler and one by a thread, they are one series.
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line.includes(`route="${FAST}"`));
    assertEquals(lines, [`http_requests_total{route="${FAST}",method="POST",status="200"} 2`]);
  });

  test("ids of requests are taken or made, on errors too", [], async (service) => {
    const id = async (path: string, given: string, body: string) => {
      const response = await service.post(path, null, { body, headers: { "x-request-id": given } });
      await response.body?.cancel();
      return response.headers.get("x-request-id");
    };
    const large = "x".repeat(5_000);
    for (
      const [path, body] of [
        [FAST, '{"numbers":[1]}'],
        [FAST, "{}"],
        [INTENSIVE, '{"limit":9}'],
        [INTENSIVE, "{}"],
        ["/nowhere", "{}"],
        [FAST, large],
      ]
    ) {
      assertEquals(await id(path, "mine-1", body), "mine-1");
      assertMatch(await id(path, "not sane", body) ?? "", /^[0-9a-f-]{36}$/);
    }
    assertMatch(await raw(service, "no request\r\n\r\n"), /^HTTP\/1\.1 400 .*\r\nx-request-id: /s);
  });

  test("a body that does not come is a 408", ["--body-timeout", "300"], async (service) => {
    for (const path of [FAST, INTENSIVE]) {
      const answer = await raw(
        service,
        `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n{"numbers":`,
      );
      assertMatch(answer, /^HTTP\/1\.1 408 .*\r\nx-request-id: .*"code":"request_timeout"/s);
    }
  });

  test("a task more than the queue holds is refused, and the others are done", [
    "--threads",
    "1",
    "--queue",
    "1",
    ...PATIENT,
  ], async (service) => {
    const asked = Array.from({ length: 10 }, () => service.post(INTENSIVE, LONG));
    const outcomes = await Promise.all(asked.map(async (one) => outcome(await one)));
    const done = outcomes.filter(([status]) => status === 200);
    const refused = outcomes.filter(([status]) => status === 503);
    assert(done.length >= 2 && refused.length >= 1, JSON.stringify(outcomes));
    assertEquals(done.length + refused.length, 10);
    assertEquals(done[0][1], { limit: 5_000_000, primes: 348_513 });
    assertEquals(refused[0][1], "service_overloaded");
    assertEquals(await service.metric("worker_pool_queue_depth"), 0);
  });

  test("a task that takes too long is given up", ["--task-timeout", "50"], async (service) => {
    assertEquals(await outcome(await service.post(INTENSIVE, LONG)), [503, "request_timeout"]);
    assertEquals(await service.metric("worker_pool_active"), 0);
  });

  test("the tasks of clients that leave are given up", [
    "--threads",
    "1",
    "--queue",
    "16",
    ...PATIENT,
  ], async (service) => {
    const leaving = new AbortController();
    const asked = Array.from(
      { length: 17 },
      () => service.post(INTENSIVE, LONG, { signal: leaving.signal }),
    );
    await until(async () => await service.metric("worker_pool_queue_depth") >= 10);
    leaving.abort();
    await Promise.allSettled(asked);
    await until(async () => await service.metric("worker_pool_active") === 0);
    const done = `http_requests_total{route="${INTENSIVE}",method="POST",status="200"}`;
    assert(await service.metric(done) < 10);
  });

  test("who asks too often is told so, on every route but /health", [
    "--rate",
    "1",
  ], async (service) => {
    for (const path of [FAST, INTENSIVE, "/nowhere"]) {
      const asked = Array.from({ length: 20 }, async () => {
        const response = await service.post(path, { numbers: [1], limit: 1 });
        if (response.status === 429) assertEquals(response.headers.get("retry-after"), "1");
        return await outcome(response);
      });
      const refused = (await Promise.all(asked)).filter(([status]) => status === 429);
      assert(refused.length >= 1, path);
      assertEquals(refused[0][1], "rate_limited");
    }
    for (let n = 0; n < 5; n++) {
      assertEquals(await outcome(await fetch(`${service.url}/health`)), [200, undefined]);
    }
  });
}
