import { assert, assertEquals, assertExists, assertGreater } from "@std/assert";
import { Validator } from "npm:@seriousme/openapi-schema-validator@2.11.0";
import { Ajv2020 } from "npm:ajv@8.20.0/dist/2020.js";
import addFormats from "npm:ajv-formats@3.0.1";
import { eventId } from "../domain/mod.ts";
import { HttpError, openApiDocument, route } from "./mod.ts";
import { planOf, TestApp, type TestAppOptions } from "./test_app.ts";

const info = { title: "Marquee", version: "1.2.3", description: "Under test." };

type Document = ReturnType<typeof openApiDocument>;

/** Checks real answers against what a document says of them. */
class AnswerCheck {
  /** "method path status" of every answer checked. */
  readonly checked = new Set<string>();
  readonly #document: Document;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor(document: Document) {
    this.#document = document;
    // deno-lint-ignore no-explicit-any
    (addFormats as any).default(this.#ajv);
    this.#ajv.addSchema({ $id: "http://openapi.test/document", ...document });
  }

  /** Fails where the answer is not one that the document describes. */
  async check(method: "get" | "post", path: string, response: Response): Promise<void> {
    const what = `${method} ${path} ${response.status}`;
    this.checked.add(what);
    const operation = this.#document.paths[path]?.[method] as {
      responses: Record<string, {
        content?: Record<string, { schema?: unknown }>;
        headers?: Record<string, unknown>;
      }>;
    };
    assertExists(operation, `${what}: the document has no such operation`);
    const key = String(response.status) in operation.responses
      ? String(response.status)
      : "default";
    assert(key !== "default" || response.status >= 400, `${what} is not in the document`);
    const described = operation.responses[key];
    for (const name of Object.keys(described.headers ?? {})) {
      assertExists(response.headers.get(name), `${what} lacks the header ${name}`);
    }
    if (described.content === undefined) {
      assertEquals((await response.bytes()).length, 0, `${what} has a body`);
      return;
    }
    const type = response.headers.get("content-type")!.split(";")[0];
    assertEquals(Object.keys(described.content), [type], `${what}: content type`);
    if (type !== "application/json") return await response.body?.cancel();
    const escape = (part: string) =>
      encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));
    const pointer = ["paths", path, method, "responses", key, "content", type, "schema"];
    assertExists(described.content[type].schema, `${what} has no schema`);
    const validate = this.#ajv.compile({
      $ref: `http://openapi.test/document#/${pointer.map(escape).join("/")}`,
    });
    const body = await response.json();
    assert(
      validate(body),
      `${what}: ${this.#ajv.errorsText(validate.errors)}\n${JSON.stringify(body)}`,
    );
  }
}

Deno.test("the document of the public routes is valid OpenAPI 3.1, as served", async () => {
  await using app = await TestApp.open();
  const document = await (await app.get("/openapi.json")).json();
  assertEquals(document.openapi.startsWith("3.1"), true);
  const validator = new Validator();
  const { valid, errors } = await validator.validate(document);
  assert(valid, JSON.stringify(errors));
  assertEquals(validator.version, "3.1");
  assertEquals(
    Object.keys(document.paths).sort(),
    [
      "/",
      "/docs",
      "/events/stream",
      "/events/{id}",
      "/health",
      "/openapi.json",
      "/ready",
      "/search",
    ],
  );
  const ids = Object.values(
    document.paths as Record<string, Record<string, { operationId: string }>>,
  )
    .flatMap((methods) => Object.values(methods)).map(({ operationId }) => operationId);
  assertEquals(new Set(ids).size, ids.length, "operation ids are unique");
});

Deno.test("the document of the admin routes is valid OpenAPI 3.1", async () => {
  await using app = await TestApp.open({ admin: { prefix: "/admin", token: "x" } });
  const { valid, errors } = await new Validator().validate(
    structuredClone(openApiDocument(info, app.adminRoutes)),
  );
  assert(valid, JSON.stringify(errors));
});

Deno.test("a validator that accepts everything would not have helped", async () => {
  const broken = { ...structuredClone(openApiDocument(info, [])), paths: { search: {} } };
  assertEquals((await new Validator().validate(broken)).valid, false);
});

Deno.test("every answer of every public route is one that the document describes", async () => {
  const loading: TestAppOptions = {
    isEmpty: true,
    checks: () => [{ name: "catalogue", isPassing: false, detail: "being loaded" }],
  };
  await using app = await TestApp.open();
  await using unready = await TestApp.open(loading);
  const document = await (await app.get("/openapi.json")).json() as Document;
  const answers = new AnswerCheck(document);
  const full = planOf("1", {
    organizerCompanyId: "9",
    end: null,
    sellFrom: 0,
    zones: [{ id: "1", capacity: null, price: 1.5, name: "é", numbered: true }],
  });
  await app.publish([
    full,
    planOf("2"),
    planOf("3", { start: -62_135_596_800, end: -62_135_596_800 }),
  ]);
  await app.publish([{ ...full, sellFrom: null, soldOut: true }]);
  const id = await eventId(full);

  const search = async (query: string, init?: RequestInit) =>
    await answers.check("get", "/search", await app.get(`/search?${query}`, init));
  await search("");
  await search("limit=1");
  await search("limit=1000");
  await search("starts_at=2100-01-01");
  await search("starts_at=never");
  await search("limit=1&cursor=x");
  await search("", { headers: { "if-none-match": "*" } });
  await search("x".repeat(9_000));
  await answers.check("get", "/search", await unready.get("/search"));
  await answers.check("get", "/events/{id}", await app.get(`/events/${id}`));
  await answers.check(
    "get",
    "/events/{id}",
    await app.get(`/events/${await eventId(planOf("2"))}`),
  );
  await answers.check("get", "/events/{id}", await app.get("/events/unknown"));
  await answers.check("get", "/events/{id}", await unready.get(`/events/${id}`));
  await answers.check("get", "/events/stream", await app.get("/events/stream"));
  await answers.check("get", "/health", await app.get("/health"));
  await answers.check("get", "/ready", await app.get("/ready"));
  await answers.check("get", "/ready", await unready.get("/ready"));
  await answers.check("get", "/openapi.json", await app.get("/openapi.json"));
  await answers.check("get", "/docs", await app.get("/docs"));
  await answers.check("get", "/", await app.get("/"));

  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      for (const status of Object.keys((operation as { responses: object }).responses)) {
        // A thousand streams are opened in stream_route_test.ts; "default" is whatever is not named.
        if (status === "default" || (path === "/events/stream" && status === "503")) continue;
        assert(answers.checked.has(`${method} ${path} ${status}`), `not seen: ${path} ${status}`);
      }
    }
  }
});

Deno.test("every answer of every admin route is one that its document describes", async () => {
  await using app = await TestApp.open({ admin: { token: "abc" } });
  const answers = new AnswerCheck(openApiDocument(info, app.adminRoutes));
  await app.publish([planOf("1")], [
    { reason: "missing_plan_id", basePlanId: "7", planId: null, detail: "missing" },
  ]);
  for (const path of ["/metrics", "/stats", "/polls", "/rejected"]) {
    await answers.check("get", path, await app.admin(path));
  }
  for (const path of ["/polls", "/rejected"]) {
    await answers.check("get", path, await app.admin(`${path}?limit=x`));
  }
  const headers = { authorization: "Bearer abc" };
  const profile = app.admin("/profile?seconds=1", { method: "POST", headers });
  for (const init of [{ method: "POST" }, { method: "POST", headers }]) {
    await answers.check("post", "/poll", await app.admin("/poll", init));
    await answers.check("post", "/profile", await app.admin("/profile", init));
  }
  await answers.check("post", "/profile", await profile);
  await answers.check(
    "post",
    "/profile",
    await app.admin("/profile?seconds=x", {
      method: "POST",
      headers,
    }),
  );
  assertEquals(
    [...answers.checked].sort(),
    [
      "get /metrics 200",
      "get /polls 200",
      "get /polls 400",
      "get /rejected 200",
      "get /rejected 400",
      "get /stats 200",
      "post /poll 200",
      "post /poll 401",
      "post /profile 200",
      "post /profile 400",
      "post /profile 401",
      "post /profile 409",
    ],
  );
});

Deno.test("errors that any route can give have the shape that the document gives as default", async () => {
  const fails = (status: number) =>
    route({
      method: "GET",
      path: `/fails/${status}`,
      summary: "Fails.",
      replies: {},
      handle: () => {
        if (status === 500) throw new Error("no reason");
        throw new HttpError(status, "some_reason", "a message");
      },
    });
  const statuses = [400, 401, 404, 408, 413, 414, 429, 431, 500, 503, 505];
  const routes = statuses.map(fails);
  await using app = await TestApp.open({ routes });
  const answers = new AnswerCheck(openApiDocument(info, routes));
  for (const status of statuses) {
    await answers.check("get", `/fails/${status}`, await app.get(`/fails/${status}`));
  }
  assertEquals(answers.checked.size, statuses.length);
});

Deno.test("the docs page shows every route and parameter, escaped, and loads nothing", async () => {
  await using app = await TestApp.open({
    routes: [route({
      method: "GET",
      path: "/odd",
      summary: 'A <script>alert("x")</script> & more.',
      query: { odd: { description: "<b>", schema: {}, parse: String } },
      replies: { 200: { description: "<i>" } },
      handle: () => ({ status: 200, headers: {}, body: null, length: 0 }),
    })],
  });
  const response = await app.get("/docs");
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  assertEquals(
    response.headers.get("content-security-policy")!.startsWith("default-src 'none'"),
    true,
  );
  const page = await response.text();
  let names = 0;
  for (const { path, query } of app.publicRoutes) {
    assert(page.includes(path), path);
    for (const name of Object.keys(query ?? {})) {
      names++;
      assert(page.includes(`<code>${name}</code>`), name);
    }
  }
  assertGreater(names, 4);
  assert(!/<script|<b>|<i>|src=|@import|url\(/i.test(page), "markup of a description got through");
  assertEquals(/<(\w+)[^>]*\bon\w+=/.test(page), false);
});
