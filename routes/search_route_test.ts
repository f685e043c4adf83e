import {
  assert,
  assertEquals,
  assertExists,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { gunzipSync } from "node:zlib";
import { planOf, TestApp } from "./test_app.ts";

const DAY = 86_400;
const START = Date.UTC(2021, 1, 1) / 1_000;

/** Three events on three days; the last has no end. */
async function openThreeDays(): Promise<TestApp> {
  const app = await TestApp.open();
  await app.publish([
    planOf("1", { title: "First", start: START, end: START + 3_600 }),
    planOf("2", { title: "Second", start: START + DAY, end: START + DAY + 3_600 }),
    planOf("3", { title: "Third", start: START + 2 * DAY, end: null }),
  ]);
  return app;
}

async function titles(app: TestApp, query: string): Promise<string[]> {
  const response = await app.get(`/search?${query}`);
  const body = await response.json();
  assertEquals(response.status, 200, JSON.stringify(body));
  return body.data.events.map(({ title }: { title: string }) => title);
}

Deno.test("both dates bound the answer, each by itself and together", async () => {
  await using app = await openThreeDays();
  for (
    const [query, found] of [
      ["", "First Second Third"],
      ["starts_at=2021-02-01", "First Second Third"],
      ["starts_at=2021-02-01T00:00:00Z", "First Second Third"],
      ["starts_at=2021-02-01T00:00:00.001Z", "Second Third"],
      ["starts_at=2021-02-01T00:00:01", "Second Third"],
      ["starts_at=2021-02-04", ""],
      ["ends_at=2021-01-31", ""],
      ["ends_at=2021-02-01", "First"],
      ["ends_at=2021-02-01T01:00:00%2B09:00", "First"],
      ["ends_at=2021-02-01T01:00:00.5Z", "First"],
      ["ends_at=2021-02-01T00:59:59Z", ""],
      ["ends_at=2021-02-03T00:00:00Z", "First Second Third"],
      ["starts_at=2021-02-02&ends_at=2021-02-02", "Second"],
      ["ends_at=2021-02-02&starts_at=2021-02-01T12:00:00", "Second"],
      ["starts_at=2021-02-01+00:00:00&x=y", "First Second Third"],
    ]
  ) {
    assertEquals((await titles(app, query)).join(" "), found, query);
  }
});

Deno.test("a parameter that cannot be used is 400 and is named, and nothing of it is kept", async () => {
  await using app = await openThreeDays();
  for (
    const [query, name] of [
      ["starts_at=yesterday", "starts_at"],
      ["starts_at=", "starts_at"],
      ["starts_at", "starts_at"],
      ["ends_at=2021-02-30", "ends_at"],
      ["ends_at=2021-02-01T24:00:00", "ends_at"],
      ["ends_at=2021-2-1", "ends_at"],
      ["ends_at=1612137600", "ends_at"],
      ["ends_at=2021-02-01T00:00:00%2B25:00", "ends_at"],
      ["starts_at=2021-02-02&ends_at=2021-02-01", "starts_at"],
      ["starts_at=2021-02-01T00:00:00.2Z&ends_at=2021-02-01T00:00:00.1Z", "starts_at"],
      ["starts_at=2021-02-01&starts_at=2021-02-01", "starts_at"],
      ["ends_at=%", "ends_at"],
      ["limit=0", "limit"],
      ["limit=1000001", "limit"],
      ["limit=", "limit"],
      ["limit=1.5", "limit"],
      ["limit=2&cursor=nonsense", "cursor"],
      ["cursor=", "cursor"],
    ]
  ) {
    for (let time = 0; time < 2; time++) {
      const response = await app.get(`/search?${query}`);
      assertEquals(response.status, 400, query);
      const { data, error } = await response.json();
      assertEquals([data, error.code], [null, "invalid_parameter"]);
      assertMatch(error.message, new RegExp(`^${name}: `), query);
      assertEquals(response.headers.get("etag"), null);
    }
  }
});

Deno.test("with a limit there is a cursor, on the last page it is null, without one there is none", async () => {
  await using app = await openThreeDays();
  const page = async (query: string) => (await (await app.get(`/search?${query}`)).json()).data;
  assertEquals(Object.keys(await page("")), ["events"]);
  const first = await page("limit=2");
  assertEquals(first.events.length, 2);
  const second = await page(`limit=2&cursor=${first.next_cursor}`);
  assertEquals([second.events.length, second.next_cursor], [1, null]);
  assertEquals((await page("limit=3")).next_cursor, null, "a full last page is a last page");
  const bounded = await page(`limit=1&ends_at=2021-02-02&cursor=${first.next_cursor}`);
  assertEquals([bounded.events.length, bounded.next_cursor], [0, null]);
  const rest = await page(`cursor=${first.next_cursor}`);
  assertEquals(rest.events.length, 1, "a cursor without limit gives all the rest");
  assertEquals((await page("limit=1000000")).events.length, 3);
});

Deno.test("a 200 carries ETag, Cache-Control, Vary and the version, and a new version a new ETag", async () => {
  await using app = await openThreeDays();
  const before = await app.get("/search");
  for (const name of ["etag", "cache-control", "vary", "x-request-id"]) {
    assertExists(before.headers.get(name), name);
  }
  assertEquals(before.headers.get("x-catalogue-version"), "1");
  assertEquals(before.headers.get("content-type"), "application/json");
  await app.publish([planOf("9")]);
  const after = await app.get("/search");
  assertEquals(after.headers.get("x-catalogue-version"), "2");
  assertNotEquals(after.headers.get("etag"), before.headers.get("etag"));
});

Deno.test("a kept answer does not outlive its version", async () => {
  await using app = await openThreeDays();
  for (let time = 0; time < 3; time++) assertEquals((await titles(app, "limit=10")).length, 3);
  await app.publish([planOf("9", { title: "Ninth" })]);
  assertEquals(await titles(app, "limit=10"), ["Ninth", "First", "Second", "Third"]);
});

Deno.test("If-None-Match gets 304 where it names what would be sent, in lists, weakly and by *", async () => {
  await using app = await openThreeDays();
  const etag = (await app.get("/search")).headers.get("etag")!;
  const gzip = { "accept-encoding": "gzip" };
  const gzipEtag = (await app.get("/search", { headers: gzip })).headers.get("etag")!;
  assertNotEquals(gzipEtag, etag, "two codings are two representations");
  const matching = [
    etag,
    `W/${etag}`,
    `"other", ${etag}`,
    `"other",W/${etag},"more"`,
    `"a,b", ${etag}`,
    "*",
    gzipEtag,
  ];
  for (const condition of matching) {
    for (const method of ["GET", "HEAD"]) {
      for (const coding of ["identity", "gzip"]) {
        const headers = { "if-none-match": condition, "accept-encoding": coding };
        const response = await app.get("/search", { method, headers });
        assertEquals(response.status, 304, `${method} ${condition}`);
        assertEquals(response.body, null);
        assertEquals(response.headers.get("etag"), coding === "gzip" ? gzipEtag : etag);
        assertExists(response.headers.get("cache-control"));
        assertExists(response.headers.get("vary"));
      }
    }
  }
  for (const condition of ['"other"', 'W/"other"', etag.slice(1, -1), '""', "", `"${etag}"`]) {
    const response = await app.get("/search", { headers: { "if-none-match": condition } });
    assertEquals(response.status, 200, condition);
    assertEquals((await response.json()).data.events.length, 3);
  }
  await app.publish([planOf("9")]);
  assertEquals((await app.get("/search", { headers: { "if-none-match": etag } })).status, 200);
});

Deno.test("a bad parameter is 400 even where If-None-Match would match", async () => {
  await using app = await openThreeDays();
  const response = await app.get("/search?limit=0", { headers: { "if-none-match": "*" } });
  assertEquals(response.status, 400);
});

Deno.test("gzip goes to those who accept it, by their q values, and to no others", async () => {
  await using app = await openThreeDays();
  const plain = await (await app.get("/search")).text();
  for (
    const [accepted, isGzip] of [
      ["gzip", true],
      ["gzip, deflate, br", true],
      ["deflate;q=1, gzip;q=0.5", true],
      ["gzip;q=1.0, identity;q=0.5", true],
      ["identity;q=0, gzip;q=0.1", true],
      ["gzip;q=0", false],
      ["gzip;q=0.000, *", false],
      ["identity, gzip;q=0", false],
      ["identity;q=1, gzip;q=0.5", false],
      ["deflate, br", false],
      ["", false],
      ["identity", false],
      ["gzipped", false],
    ] as const
  ) {
    const headers = { "accept-encoding": accepted };
    const response = await app.get("/search", { headers });
    assertEquals(response.headers.get("content-encoding"), isGzip ? "gzip" : null, accepted);
    assertStringIncludes(response.headers.get("vary")!.toLowerCase(), "accept-encoding");
    const bytes = await response.bytes();
    assertEquals(new TextDecoder().decode(isGzip ? gunzipSync(bytes) : bytes), plain);
  }
});

// Not yet: search_route.ts looks for "gzip" as it is written.
Deno.test("the name of a coding may be written in capitals", async () => {
  await using app = await openThreeDays();
  const response = await app.get("/search", { headers: { "accept-encoding": "GZIP" } });
  assertEquals(response.headers.get("content-encoding"), "gzip");
  await response.body?.cancel();
});

Deno.test("a long answer comes whole, plain and compressed", async () => {
  await using app = await TestApp.open();
  await app.publish(Array.from({ length: 3_000 }, (_, n) => planOf(String(n))));
  const plain = await (await app.get("/search")).text();
  assert(plain.length > 500_000, String(plain.length));
  assertEquals(JSON.parse(plain).data.events.length, 3_000);
  const headers = { "accept-encoding": "gzip" };
  const responses = await Promise.all(
    Array.from({ length: 12 }, () => app.get("/search", { headers })),
  );
  let compressed = 0;
  for (const response of responses) {
    const bytes = await response.bytes();
    const isGzip = response.headers.get("content-encoding") === "gzip";
    if (isGzip) compressed++;
    assertEquals(new TextDecoder().decode(isGzip ? gunzipSync(bytes) : bytes), plain);
  }
  assert(compressed > 0);
});

Deno.test("until the catalogue is loaded a search is 503 with Retry-After", async () => {
  await using app = await TestApp.open({ isEmpty: true });
  for (
    const path of ["/search", "/search?limit=0", "/events/e29672a1-69ef-5182-a389-724433a28521"]
  ) {
    const response = await app.get(path);
    assertEquals(response.status, 503);
    assertEquals(response.headers.get("retry-after"), "1");
    assertEquals((await response.json()).error.code, "catalogue_loading");
  }
});
