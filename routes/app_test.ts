import {
  assert,
  assertEquals,
  assertExists,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { createApp, HttpError, jsonReply, type Route, route } from "./mod.ts";
import { planOf, TestApp } from "./test_app.ts";

/** Checks the one shape of errors and returns the message. */
async function errorOf(response: Response, status: number, code: string): Promise<string> {
  assertEquals(response.status, status);
  assertEquals(response.headers.get("content-type"), "application/json");
  assertEquals(response.headers.get("cache-control"), "no-store");
  assertExists(response.headers.get("x-request-id"));
  const body = await response.json();
  assertEquals(Object.keys(body), ["data", "error"]);
  assertEquals(body.data, null);
  assertEquals(Object.keys(body.error), ["code", "message"]);
  assertEquals(body.error.code, code);
  assertEquals(typeof body.error.message, "string");
  return body.error.message;
}

const failing: Route[] = [
  route({
    method: "GET",
    path: "/fails",
    summary: "",
    replies: {},
    handle: () => {
      throw new Error("the secret reason");
    },
  }),
  route({
    method: "GET",
    path: "/fails/later",
    summary: "",
    replies: {},
    handle: () => Promise.reject(new Error("the secret reason")),
  }),
  route({
    method: "GET",
    path: "/busy",
    summary: "",
    replies: {},
    handle: () => {
      throw new HttpError(503, "busy", "busy: try again", { headers: { "retry-after": "7" } });
    },
  }),
  route({
    method: "GET",
    path: "/never",
    summary: "",
    replies: {},
    handle: () => new Promise(() => {}),
  }),
  route({
    method: "GET",
    path: "/late",
    summary: "",
    replies: {},
    isUnbounded: true,
    handle: async () => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return jsonReply("late");
    },
  }),
  route({
    method: "POST",
    path: "/take",
    summary: "",
    replies: {},
    handle: () => jsonReply("taken"),
  }),
];

Deno.test("a path that is not there is 404, and the message names it", async () => {
  await using app = await TestApp.open();
  for (
    const path of [
      "/nothing",
      "/search/",
      "//search",
      "/Search",
      "/events",
      "/events/",
      "/events/a/b",
      "/toString",
    ]
  ) {
    assertStringIncludes(await errorOf(await app.get(path), 404, "not_found"), path);
  }
  await errorOf(await app.get(`/${"x".repeat(3_000)}`, { method: "POST" }), 404, "not_found");
});

Deno.test("a method that a path does not take is 405, and Allow says which it takes", async () => {
  await using app = await TestApp.open({ routes: failing });
  for (
    const [path, method, allow] of [
      ["/search", "POST", "GET, HEAD"],
      ["/search?limit=5", "DELETE", "GET, HEAD"],
      ["/search", "OPTIONS", "GET, HEAD"],
      ["/search", "BREW", "GET, HEAD"],
      ["/events/e29672a1-69ef-5182-a389-724433a28521", "PUT", "GET, HEAD"],
      ["/events/stream", "POST", "GET, HEAD"],
      ["/take", "GET", "POST"],
      ["/take", "HEAD", "POST"],
    ]
  ) {
    const response = await app.get(path, { method });
    assertEquals(response.headers.get("allow"), allow, `${method} ${path}`);
    if (method === "HEAD") assertEquals(response.status, 405);
    else {
      const message = await errorOf(response, 405, "method_not_allowed");
      assertStringIncludes(message, `${method} is not allowed`);
    }
  }
});

Deno.test("a target over its bound is 414, one at it is not", async () => {
  await using app = await TestApp.open();
  const longest = `/search?x=${"y".repeat(8_192 - 10)}`;
  assertEquals(longest.length, 8_192);
  assertEquals((await app.get(longest)).status, 200);
  assertStringIncludes(await errorOf(await app.get(`${longest}y`), 414, "uri_too_long"), "8192");
});

Deno.test("a body that says it is over its bound is 413, one at it is taken", async () => {
  await using app = await TestApp.open({ routes: failing });
  const post = (length: number) =>
    app.get("/take", { method: "POST", headers: { "content-length": String(length) } });
  assertEquals((await post(65_536)).status, 200);
  const response = await post(65_537);
  assertEquals(response.headers.get("connection"), "close");
  assertStringIncludes(await errorOf(response, 413, "content_too_large"), "65536");
  // Whatever the route and the method would have come to.
  const headers = { "content-length": "65537" };
  for (const [path, method] of [["/search", "GET"], ["/search", "POST"], ["/nowhere", "GET"]]) {
    await errorOf(await app.get(path, { method, headers }), 413, "content_too_large");
  }
});

Deno.test("a handler that throws is 500 and says nothing of why; the log gets the reason", async () => {
  await using app = await TestApp.open({ routes: failing });
  for (const path of ["/fails", "/fails/later"]) {
    const response = await app.get(path, { headers: { "x-request-id": "abc-1" } });
    const message = await errorOf(response, 500, "internal_error");
    assert(!message.includes("secret"));
    const { status, error, requestId } = app.answered.at(-1)!;
    assertEquals([status, requestId], [500, "abc-1"]);
    assertEquals((error as Error).message, "the secret reason");
  }
});

Deno.test("an answer that takes longer than REQUEST_TIMEOUT is 503 with Retry-After", async () => {
  await using app = await TestApp.open({ routes: failing, requestTimeoutMs: 20 });
  const response = await app.get("/never");
  assertEquals(response.headers.get("retry-after"), "1");
  assertStringIncludes(await errorOf(response, 503, "request_timeout"), "20 ms");
  assertEquals(await (await app.get("/late")).json(), "late", "an unbounded route has no deadline");
});

Deno.test("an error carries the headers and status that its handler gave it", async () => {
  await using app = await TestApp.open({ routes: failing });
  const response = await app.get("/busy");
  assertEquals(response.headers.get("retry-after"), "7");
  assertEquals(await errorOf(response, 503, "busy"), "busy: try again");
});

Deno.test("every answer carries the request's id where it is sane, and a new one where it is not", async () => {
  await using app = await TestApp.open({ routes: failing });
  for (const path of ["/search", "/health", "/nothing", "/search?limit=0", "/fails"]) {
    for (
      const given of ["a", "0af7651916cd43dd8448eb211c80319c", "a.b:c+d/e=f@g-h_i", "x".repeat(128)]
    ) {
      const response = await app.get(path, { headers: { "x-request-id": given } });
      assertEquals(response.headers.get("x-request-id"), given);
      assertEquals(app.answered.at(-1)!.requestId, given);
      await response.body?.cancel();
    }
  }
  const made = new Set<string>();
  for (const given of [undefined, "", "a b", "x".repeat(129), "<script>", 'a"b', "é", "a, b"]) {
    const headers: HeadersInit = given === undefined ? {} : { "x-request-id": given };
    const id = (await app.get("/search", { headers })).headers.get("x-request-id")!;
    assertNotEquals(id, given);
    assertMatch(id, /^[\w-]{5,64}$/);
    made.add(id);
  }
  assertEquals(made.size, 8, "each made id is new");
});

Deno.test("HEAD is GET without its body, on every GET route, with the same Content-Length", async () => {
  await using app = await TestApp.open();
  const plans = Array.from({ length: 3_000 }, (_, n) => planOf(String(n)));
  await app.publish(plans);
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, app.handle);
  const base = `http://127.0.0.1:${server.addr.port}`;
  const id = JSON.parse(await (await fetch(`${base}/search?limit=1`)).text()).data.events[0].id;
  const paths = [
    "/search",
    "/search?limit=2",
    "/search?limit=0",
    `/events/${id}`,
    "/events/nothing",
    "/ready",
    "/openapi.json",
    "/docs",
    "/nothing",
  ];
  for (const path of paths) {
    for (const coding of ["identity", "gzip"]) {
      const init = { headers: { "accept-encoding": coding, "x-request-id": "same" } };
      // Over a socket, since it is the transport that counts what is sent; read raw, since fetch decompresses.
      const get = await exchange(server.addr.port, "GET", path, init.headers);
      const head = await exchange(server.addr.port, "HEAD", path, init.headers);
      assertEquals(head.body.length, 0, `HEAD ${path} has a body`);
      for (const headers of [get.headers, head.headers]) headers.delete("date");
      assertEquals([...head.headers], [...get.headers], `${path} ${coding}`);
      assertEquals(head.status, get.status);
      assertEquals(get.headers.get("content-length"), String(get.body.length), `${path} ${coding}`);
    }
  }
  await server.shutdown();
});

/** One request on a connection of its own, read to its end. */
async function exchange(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; headers: Headers; body: Uint8Array }> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const request = `${method} ${path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n${lines}\r\n`;
  await connection.write(new TextEncoder().encode(request));
  const bytes = await new Response(connection.readable).bytes();
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  const [statusLine, ...fields] = text.slice(0, end).split("\r\n");
  return {
    status: Number(statusLine.split(" ")[1]),
    headers: new Headers(fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon), field.slice(colon + 1).trim()];
    })),
    body: bytes.subarray(end + 4),
  };
}

Deno.test("a request whose target has no path is one for /", async () => {
  await using app = await TestApp.open();
  for (
    const url of ["http://marquee.test", "http://marquee.test?x=1", "http://marquee.test/?/search"]
  ) {
    const response = await app.handle(new Request(url));
    assertEquals(response.status, 200);
    assertStringIncludes(await response.text(), "<h1>Marquee</h1>");
  }
});

Deno.test("each request is reported once, under its route, with its bytes and status", async () => {
  await using app = await TestApp.open();
  const paths = app.publicRoutes.map(({ path }) => path);
  const requests: [string, string, number, number][] = [
    ["GET", "/search", paths.indexOf("/search"), 200],
    ["HEAD", "/search", paths.indexOf("/search"), 200],
    ["GET", "/search?limit=0", paths.indexOf("/search"), 400],
    ["GET", "/events/unknown", paths.indexOf("/events/{id}"), 404],
    ["GET", "/nothing", paths.length, 404],
    ["PUT", "/search", paths.length, 405],
  ];
  for (const [method, path, index, status] of requests) {
    const before = app.answered.length;
    const body = await (await app.get(path, { method })).bytes();
    assertEquals(app.answered.length, before + 1);
    const answered = app.answered.at(-1)!;
    assertEquals([answered.method, answered.route, answered.status], [method, index, status]);
    assertEquals(answered.bytes, body.length, `${method} ${path}`);
    assertStringIncludes(answered.url, path);
    assert(answered.seconds >= 0 && answered.seconds < 5);
  }
});

Deno.test("a parameter of the path is decoded, and left as it is where it cannot be", async () => {
  const seen: string[] = [];
  const handle = createApp({
    routes: [route({
      method: "GET",
      path: "/things/{name}",
      summary: "",
      replies: {},
      handle: ({ path }) => {
        seen.push(path.name);
        return jsonReply(null);
      },
    })],
    requestTimeoutMs: 1_000,
    onAnswered: () => {},
  });
  for (const path of ["a%20b", "caf%C3%A9", "%ff", "100%25"]) {
    assertEquals((await handle(new Request(`http://test/things/${path}`))).status, 200);
  }
  assertEquals(seen, ["a b", "café", "%ff", "100%"]);
});
