/**
 * The HTTP contract (what README and /openapi.json promise), as steps against any service.
 *
 * @module
 */
import {
  assert,
  assertArrayIncludes,
  assertEquals,
  assertGreater,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { gunzipSync } from "node:zlib";
import { basePlan, feed, plan, zone } from "./feed_server.ts";
import { RawConnection, rawRequest } from "./raw_http.ts";
import {
  adminPost,
  eventually,
  type FoundEvent,
  idOf,
  pollOnce,
  searchFor,
  type Target,
  versionOf,
} from "./target.ts";

const EVENT_KEYS = [
  "id",
  "title",
  "start_date",
  "start_time",
  "end_date",
  "end_time",
  "min_price",
  "max_price",
];

/** The real feed's oddities in small, and what must come of them. */
const SEASON = [
  basePlan("291", "Camela en concierto", [
    plan("291", "2021-06-30T21:00:00", "2021-06-30T22:00:00", [
      zone("20.00"),
      zone("15.00"),
      zone("30.00"),
    ]),
  ]),
  basePlan("322", "Pantomima Full", [
    plan("1642", "2021-02-10T20:00:00", "2021-02-10T21:30:00", [zone("55.00", { zone_id: "311" })]),
  ]),
  basePlan("1591", 'Los "Morancos" & <friends> é 日本 🎭', [
    plan("1642", "2021-07-31T20:00:00", "2021-07-31T21:20:00", [
      zone("75.00", { zone_id: "186", capacity: 0 }),
      zone("65.5", { zone_id: "186", capacity: 14 }),
    ]),
  ]),
  basePlan("444", "Tributo", [
    plan("1642", "2021-09-30T20:00:00", "2021-09-31T20:00:00", [zone("0.00")]),
    plan("1643", "2021-10-11T20:00:00", "2021-10-11T20:00:00", [zone("60")]),
    plan("1644", "2021-06-30T21:00:00", "2021-06-30T21:30:00"),
  ]),
  basePlan("176", "Never online", [
    plan("500", "2021-06-30T21:00:00", "2021-06-30T22:00:00", [zone("9")]),
  ], { sell_mode: "offline", organizer_company_id: "2" }),
  basePlan("901", "Plans that cannot be read", [
    plan(undefined, "2021-06-30T21:00:00", "2021-06-30T22:00:00"),
    plan("1", "2021-09-31T20:00:00", "2021-10-01T20:00:00"),
    plan("2", "2021-06-30T21:00:00", "2021-06-30T22:00:00", [zone("gratis")]),
  ]),
];

/** What searches must show of SEASON, in order. */
async function seasonResults(): Promise<FoundEvent[]> {
  const event = async (
    key: [string, string],
    title: string,
    start: string,
    end: string | null,
    prices: [number | null, number | null],
  ): Promise<FoundEvent> => ({
    id: await idOf(...key),
    title,
    start_date: start.slice(0, 10),
    start_time: start.slice(11),
    end_date: end?.slice(0, 10) ?? null,
    end_time: end?.slice(11) ?? null,
    min_price: prices[0],
    max_price: prices[1],
  });
  return [
    await event(["322", "1642"], "Pantomima Full", "2021-02-10T20:00:00", "2021-02-10T21:30:00", [
      55,
      55,
    ]),
    await event(["444", "1644"], "Tributo", "2021-06-30T21:00:00", "2021-06-30T21:30:00", [
      null,
      null,
    ]),
    await event(
      ["291", "291"],
      "Camela en concierto",
      "2021-06-30T21:00:00",
      "2021-06-30T22:00:00",
      [15, 30],
    ),
    await event(
      ["1591", "1642"],
      'Los "Morancos" & <friends> é 日本 🎭',
      "2021-07-31T20:00:00",
      "2021-07-31T21:20:00",
      [65.5, 75],
    ),
    await event(["444", "1642"], "Tributo", "2021-09-30T20:00:00", null, [0, 0]),
    await event(["444", "1643"], "Tributo", "2021-10-11T20:00:00", "2021-10-11T20:00:00", [60, 60]),
  ];
}

/** Checks the one shape of errors and returns the message. */
function errorMessage(status: number, text: string, expected: [number, string]): string {
  const body = JSON.parse(text);
  assertEquals([status, body.error?.code], expected, text);
  assertEquals(body.data, null);
  assertMatch(body.error.code, /^[a-z]+(_[a-z]+)*$/);
  return body.error.message;
}

/**
 * Runs the suite. It sets the feed of its target, which must not have polled anything before.
 *
 * @param t Every expectation is a step of it
 */
export async function httpSuite(t: Deno.TestContext, target: Target): Promise<void> {
  const { url, adminUrl } = target;
  const expected = await seasonResults();
  const wholeBody = JSON.stringify({ data: { events: expected }, error: null });

  await t.step(
    "a poll brings what the feed lists, and sets aside what cannot be read",
    async () => {
      target.feed.xml = feed(SEASON);
      await eventually(async () => (await fetch(`${url}/ready`)).ok, "the service is ready");
      const poll = await pollOnce(target);
      assertEquals([poll.outcome, poll.rejected, poll.duplicates, poll.error], [
        "changed",
        3,
        0,
        null,
      ]);
      assertEquals([poll.plans, poll.added, poll.changed, poll.unlisted], [7, 7, 0, 0]);
      assertEquals(poll.bytes, new TextEncoder().encode(target.feed.xml).length);
    },
  );

  await t.step(
    "GET /search gives everything that is visible, in the contract's shape and order",
    async () => {
      const { text, status, headers } = await rawRequest(url, "GET", "/search");
      assertEquals(status, 200);
      assertEquals(headers.get("content-type"), "application/json");
      assertEquals(JSON.parse(text), JSON.parse(wholeBody));
      assertEquals(text, wholeBody);
      for (const event of JSON.parse(text).data.events) {
        assertEquals(
          Object.keys(event),
          EVENT_KEYS,
        );
      }
    },
  );

  await t.step("an event's id is the UUIDv5 that is the same everywhere, for ever", async () => {
    assertEquals(await idOf("444", "1642"), "e29672a1-69ef-5182-a389-724433a28521");
    const titles = await searchFor(url);
    assert(titles.some(({ id }) => id === "e29672a1-69ef-5182-a389-724433a28521"));
  });

  await t.step(
    "starts_at and ends_at bound the answer, in every form that the contract names",
    async () => {
      const all = [0, 1, 2, 3, 4, 5];
      const cases: [string, number[]][] = [
        ["", all],
        ["starts_at=2021-02-10T20:00:00Z", all],
        ["starts_at=2021-02-10T20:00:00.000000001Z", [1, 2, 3, 4, 5]],
        ["starts_at=2021-02-10T20:00:01Z", [1, 2, 3, 4, 5]],
        ["starts_at=2021-06-30T21:00:00%2B05:00", [1, 2, 3, 4, 5]],
        ["starts_at=2021-06-30T21:00:00-11:30", [1, 2, 3, 4, 5]],
        ["starts_at=2021-06-30T21:00:00", [1, 2, 3, 4, 5]],
        ["starts_at=2021-06-30", [1, 2, 3, 4, 5]],
        ["starts_at=2021-07-01", [3, 4, 5]],
        ["ends_at=2021-06-30T21:30:00Z", [0, 1]],
        ["ends_at=2021-06-30T21:29:59.999Z", [0]],
        ["ends_at=2021-06-30", [0, 1, 2]],
        ["ends_at=2021-06-29", [0]],
        ["ends_at=2021-09-30T20:00:00", [0, 1, 2, 3, 4]],
        ["ends_at=2021-09-30T19:59:59", [0, 1, 2, 3]],
        ["starts_at=2021-06-30&ends_at=2021-07-31", [1, 2, 3]],
        ["ends_at=2021-10-11T20:00:00Z&starts_at=2021-10-11T20:00:00Z", [5]],
        ["starts_at=2021-06-30T21:00:00Z&ends_at=2021-06-30T21:30:00Z", [1]],
        ["starts_at=1999-01-01&ends_at=1999-12-31", []],
        ["starts_at=0001-01-01&ends_at=9999-12-31T23:59:59Z", all],
        ["color=red&starts_at=2021-07-01&color=blue&%zz", [3, 4, 5]],
      ];
      for (const [query, indexes] of cases) {
        assertEquals(await searchFor(url, query), indexes.map((index) => expected[index]), query);
      }
    },
  );

  await t.step("a parameter that cannot be used is 400 and is named", async () => {
    const cases: [string, string][] = [
      ["starts_at=soon", "starts_at"],
      ["starts_at=", "starts_at"],
      ["ends_at=2021-02-30", "ends_at"],
      ["ends_at=2021-09-31T20:00:00", "ends_at"],
      ["starts_at=2021-02-01T25:00:00Z", "starts_at"],
      ["starts_at=2021-02-01T00:00Z", "starts_at"],
      ["starts_at=1612137600", "starts_at"],
      ["ends_at=%E0%A4%A", "ends_at"],
      ["starts_at=2021-02-02&ends_at=2021-02-01", "starts_at"],
      ["starts_at=2021-02-01&starts_at=2021-02-01", "starts_at"],
      ["ends_at=2021-02-01&x=1&ends_at=2021-02-02", "ends_at"],
      ["limit=0", "limit"],
      ["limit=-1", "limit"],
      ["limit=ten", "limit"],
      ["limit=99999999", "limit"],
      ["limit=5&limit=5", "limit"],
      ["cursor=zzz&limit=5", "cursor"],
      ["cursor=", "cursor"],
    ];
    for (const [query, name] of cases) {
      const { status, text, headers } = await rawRequest(url, "GET", `/search?${query}`);
      const message = errorMessage(status, text, [400, "invalid_parameter"]);
      assertMatch(message, new RegExp(`^${name}: .{5}`), query);
      assertEquals(headers.get("content-type"), "application/json");
    }
  });

  await t.step("pages follow one another by cursor, and the last has none", async () => {
    for (const limit of [1, 2, 3, 4, 6, 7, 1_000]) {
      for (const range of ["", "&starts_at=2021-06-30&ends_at=2021-10-12"]) {
        const walked: FoundEvent[] = [];
        let cursor: string | null = null;
        for (let pages = 0; pages < 10; pages++) {
          const after: string = cursor === null ? "" : `&cursor=${cursor}`;
          const response = await fetch(`${url}/search?limit=${limit}${range}${after}`);
          const { data, error } = await response.json();
          assertEquals([response.status, error], [200, null]);
          assertEquals(Object.keys(data), ["events", "next_cursor"]);
          walked.push(...data.events);
          cursor = data.next_cursor;
          if (cursor === null) break;
          assertEquals(data.events.length, limit);
        }
        assertEquals(cursor, null);
        assertEquals(walked, range === "" ? expected : expected.slice(1));
      }
    }
  });

  await t.step(
    "a 200 carries ETag, Cache-Control, Date, Content-Length and the version, once each",
    async () => {
      const version = await versionOf(url);
      for (const query of ["", "?limit=2", "?starts_at=2021-06-30"]) {
        const response = await rawRequest(url, "GET", `/search${query}`);
        const { headers, headerNames, body } = response;
        assertMatch(response.statusLine, /^HTTP\/1\.1 200 /);
        for (
          const name of [
            "etag",
            "cache-control",
            "date",
            "content-length",
            "x-catalogue-version",
            "x-request-id",
          ]
        ) {
          assertEquals(headerNames.filter((one) => one === name).length, 1, name);
        }
        assertMatch(headers.get("etag")!, /^"[^"]+"$/);
        assertEquals(headers.get("content-length"), String(body.length));
        assertEquals(headers.get("x-catalogue-version"), String(version));
        const date = headers.get("date")!;
        assertMatch(date, /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
        assert(Math.abs(Date.parse(date) - Date.now()) < 60_000, date);
      }
    },
  );

  await t.step(
    "If-None-Match that matches is 304 without a body, one that does not is 200",
    async () => {
      const etag = (await rawRequest(url, "GET", "/search")).headers.get("etag")!;
      using connection = await RawConnection.open(url);
      for (const condition of [etag, `W/${etag}`, `"a", ${etag} , "b"`, "*"]) {
        for (const method of ["GET", "HEAD"]) {
          const response = await connection.request(method, "/search", {
            "if-none-match": condition,
          });
          assertEquals(response.status, 304, condition);
          assertEquals(response.headers.get("etag"), etag);
          assertEquals(response.headers.has("cache-control"), true);
        }
      }
      await connection.send(
        `GET /search HTTP/1.1\r\nHost: t\r\nIf-None-Match: "a"\r\nIf-None-Match: ${etag}\r\n\r\n`,
      );
      assertEquals((await connection.response("GET")).status, 304, "a list may come in two fields");
      for (const condition of ['"a"', `${etag.slice(0, -1)}x"`, ""]) {
        const response = await connection.request("GET", "/search", { "if-none-match": condition });
        assertEquals([response.status, response.text], [200, wholeBody], condition);
      }
    },
  );

  await t.step(
    "gzip goes to those who accept it, by q values, and is the same answer",
    async () => {
      const cases: [string | null, boolean][] = [
        [null, false],
        ["gzip", true],
        ["br;q=1.0, gzip;q=0.8", true],
        ["gzip, deflate, br, zstd", true],
        ["gzip;q=0", false],
        ["gzip;q=0, *", false],
        ["identity", false],
        ["br", false],
      ];
      for (const [accepted, isGzip] of cases) {
        const headers: Record<string, string> = accepted === null
          ? {}
          : { "accept-encoding": accepted };
        const response = await rawRequest(url, "GET", "/search", headers);
        assertEquals(
          response.headers.get("content-encoding"),
          isGzip ? "gzip" : null,
          accepted ?? "none",
        );
        assertStringIncludes(response.headers.get("vary")?.toLowerCase() ?? "", "accept-encoding");
        const { body } = response;
        assertEquals(response.headers.get("content-length"), String(body.length));
        assertEquals(new TextDecoder().decode(isGzip ? gunzipSync(body) : body), wholeBody);
      }
    },
  );

  await t.step("the ETags of the two codings differ, and each is answered with 304", async () => {
    const coding = { "accept-encoding": "gzip" };
    const plain = (await rawRequest(url, "GET", "/search")).headers.get("etag")!;
    const zipped = (await rawRequest(url, "GET", "/search", coding)).headers.get("etag")!;
    assertNotEquals(plain, zipped);
    const headers = { ...coding, "if-none-match": zipped };
    assertEquals((await rawRequest(url, "GET", "/search", headers)).status, 304);
  });

  await t.step("HEAD is GET without the body, with the same headers", async () => {
    const id = expected[0].id;
    for (
      const path of [
        "/search",
        "/search?limit=1",
        "/search?limit=0",
        `/events/${id}`,
        "/ready",
        "/docs",
        "/openapi.json",
        "/nothing",
      ]
    ) {
      using connection = await RawConnection.open(url);
      const same = { "x-request-id": "same" };
      const get = await connection.request("GET", path, same);
      const head = await connection.request("HEAD", path, same);
      // What is read as the next answer would be the body of the one to HEAD.
      const next = await connection.request("GET", "/health");
      assertMatch(next.statusLine, /^HTTP\/1\.1 200 /);
      for (const { headers } of [get, head]) headers.delete("date");
      assertEquals([...head.headers], [...get.headers], path);
      assertEquals(head.status, get.status);
    }
  });

  await t.step(
    "X-Request-ID is taken where it is sane, made where it is not, and returned always",
    async () => {
      const made = new Set<string>();
      for (const path of ["/search", "/health", "/nothing", "/search?limit=x"]) {
        using connection = await RawConnection.open(url);
        const given = await connection.request("GET", path, { "x-request-id": "4bf92f3577b34da6" });
        assertEquals(given.headers.get("x-request-id"), "4bf92f3577b34da6");
        for (const bad of ["two words", "x".repeat(500), "<b>", ""]) {
          const id = (await connection.request("GET", path, { "x-request-id": bad })).headers
            .get("x-request-id")!;
          assertMatch(id, /^[\w.:-]{4,128}$/);
          made.add(id);
        }
      }
      assertEquals(made.size, 16, "every made id is new");
    },
  );

  await t.step(
    "a connection is kept alive, and answers pipelined requests in their order",
    async () => {
      using connection = await RawConnection.open(url);
      for (let n = 0; n < 3; n++) {
        assertEquals((await connection.request("GET", "/search?limit=1")).status, 200);
      }
      const paths = [
        "/search",
        "/health",
        "/search?limit=2",
        "/nothing",
        "/search?limit=0",
        "/search",
      ];
      const requests = paths.map((path, n) =>
        `GET ${path} HTTP/1.1\r\nHost: marquee.test\r\nX-Request-ID: number-${n}\r\n\r\n`
      );
      await connection.send(requests.join(""));
      const statuses: number[] = [];
      for (let n = 0; n < paths.length; n++) {
        const response = await connection.response();
        assertEquals(response.headers.get("x-request-id"), `number-${n}`);
        statuses.push(response.status);
      }
      assertEquals(statuses, [200, 200, 200, 404, 400, 200]);
    },
  );

  await t.step("Connection: close and HTTP/1.0 close the connection after the answer", async () => {
    using closing = await RawConnection.open(url);
    const response = await closing.request("GET", "/search", { connection: "close" });
    assertEquals(response.text, wholeBody);
    assert(await closing.isClosed(), "the connection stays open after Connection: close");
    using old = await RawConnection.open(url);
    await old.send("GET /search HTTP/1.0\r\nHost: marquee.test\r\n\r\n");
    assertEquals((await old.response()).text, wholeBody);
    assert(await old.isClosed(), "the connection stays open after HTTP/1.0");
  });

  await t.step(
    "a request may come in any pieces, and name its target in absolute form",
    async () => {
      using connection = await RawConnection.open(url);
      const request = "GET /search?limit=1 HTTP/1.1\r\nHost: marquee.test\r\nAccept: */*\r\n\r\n";
      for (const character of request) {
        await connection.send(character);
        if (character === "\n") await new Promise((resolve) => setTimeout(resolve, 2));
      }
      assertEquals((await connection.response()).status, 200);
      await connection.send(
        "GET http://marquee.test/search HTTP/1.1\r\nHost: marquee.test\r\n\r\n",
      );
      assertEquals((await connection.response()).text, wholeBody);
    },
  );

  await t.step(
    "what is no HTTP is refused with 400 and closed, and harms nobody else",
    async () => {
      using bystander = await RawConnection.open(url);
      assertEquals((await bystander.request("GET", "/health")).status, 200);
      for (
        const request of [
          "GET /search HTTP/1.1\r\nHost : marquee.test\r\n\r\n",
          "GET /search HTTP/1.1\r\nHost: marquee.test\r\n folded\r\n\r\n",
          "POST /search HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
          "POST /search HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n",
          "POST /search HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "GET /search HTTP/1.1\r\nHost: t\r\nX: a\0b\r\n\r\n",
          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no plain HTTP \r\n\r\n",
        ]
      ) {
        using connection = await RawConnection.open(url);
        await connection.send(request);
        const { status } = await connection.response();
        assertEquals(status, 400, JSON.stringify(request));
        assert(await connection.isClosed(), JSON.stringify(request));
      }
      assertEquals((await bystander.request("GET", "/health")).status, 200);
    },
  );

  await t.step("a client that leaves in the middle of anything harms nobody", async () => {
    for (
      const part of [
        "",
        "GE",
        "GET /search HTTP/1.1\r\nHost",
        "GET /search HTTP/1.1\r\nHost: t\r\n\r\n",
      ]
    ) {
      for (let n = 0; n < 20; n++) {
        using connection = await RawConnection.open(url);
        await connection.send(part);
      }
    }
    assertEquals((await searchFor(url)).length, expected.length);
  });

  await t.step(
    "an unknown path is 404, a wrong method 405 with Allow, both in the one shape",
    async () => {
      for (
        const path of ["/nothing", "/search/x", "/events", "/admin/metrics", "/%2e%2e/etc/passwd"]
      ) {
        const { status, text } = await rawRequest(url, "GET", path);
        errorMessage(status, text, [404, "not_found"]);
      }
      for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
        const { status, text, headers } = await rawRequest(url, method, "/search", {
          "content-length": "0",
        });
        errorMessage(status, text, [405, "method_not_allowed"]);
        const allowed = headers.get("allow")!.split(/, */);
        assertArrayIncludes(allowed, ["GET", "HEAD"]);
        assertEquals(allowed.includes(method), false);
      }
    },
  );

  await t.step("a target that is too long is 414, a body that is too large 413", async () => {
    const long = await rawRequest(url, "GET", `/search?x=${"y".repeat(20_000)}`);
    errorMessage(long.status, long.text, [414, "uri_too_long"]);
    using connection = await RawConnection.open(adminUrl);
    await connection.send("POST /poll HTTP/1.1\r\nHost: t\r\nContent-Length: 100000000\r\n\r\n");
    const large = await connection.response();
    errorMessage(large.status, large.text, [413, "content_too_large"]);
  });

  await t.step(
    "GET /events/{id} has the zones, the sightings and the history; unknown is 404",
    async () => {
      const id = await idOf("1591", "1642");
      const response = await fetch(`${url}/events/${id}`);
      assertEquals(response.status, 200);
      const { data, error } = await response.json();
      assertEquals(error, null);
      const { first_seen, last_seen, provider, ...event } = data.event;
      assertMatch(first_seen, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      assert(last_seen >= first_seen);
      assertStringIncludes(provider, "/feed");
      assertEquals(event, {
        id,
        base_plan_id: "1591",
        plan_id: "1642",
        title: 'Los "Morancos" & <friends> é 日本 🎭',
        sell_mode: "online",
        organizer_company_id: null,
        start_date: "2021-07-31",
        start_time: "20:00:00",
        end_date: "2021-07-31",
        end_time: "21:20:00",
        sell_from: "2020-07-01T00:00:00",
        sell_to: "2021-06-30T20:00:00",
        sold_out: false,
        min_price: 65.5,
        max_price: 75,
        zones: [
          { zone_id: "186", capacity: 0, price: 75, name: "Pit", numbered: true },
          { zone_id: "186", capacity: 14, price: 65.5, name: "Pit", numbered: true },
        ],
        visible: true,
        listed: true,
        changes: [],
        changes_dropped: 0,
      });
      const hidden = await (await fetch(`${url}/events/${await idOf("176", "500")}`)).json();
      assertEquals([hidden.data.event.visible, hidden.data.event.sell_mode], [false, "offline"]);
      assertEquals(hidden.data.event.organizer_company_id, "2");
      for (
        const unknown of ["00000000-0000-5000-8000-000000000000", "1642", await idOf("901", "1")]
      ) {
        const { status, text } = await rawRequest(url, "GET", `/events/${unknown}`);
        errorMessage(status, text, [404, "event_not_found"]);
      }
    },
  );

  await t.step(
    "GET /events/stream tells every change, and Last-Event-ID resumes without a gap",
    async () => {
      const listener = await EventStream.open(url);
      const change = async (title: string) => {
        target.feed.xml = feed([
          ...SEASON,
          basePlan("777", title, [
            plan("1", "2030-01-01T20:00:00", "2030-01-01T21:00:00"),
          ]),
        ]);
        return await pollOnce(target);
      };
      const first = await change("Streamed");
      const message = await listener.next();
      assertEquals(message.id, String(first.version));
      assertEquals(JSON.parse(message.data), { version: first.version, added: 1, changed: 0 });
      await listener.close();
      const second = await change("Streamed, changed once");
      const third = await change("Streamed, changed twice");
      const resumed = await EventStream.open(url, message.id);
      assertEquals(JSON.parse((await resumed.next()).data), {
        version: second.version,
        added: 0,
        changed: 1,
      });
      assertEquals((await resumed.next()).id, String(third.version));
      const fourth = await change("Streamed, changed three times");
      assertEquals((await resumed.next()).id, String(fourth.version));
      await resumed.close();
      const after = await pollOnce(target);
      assertEquals([after.outcome, after.version], ["unchanged", fourth.version]);
      // The rest of the suite goes on with the season alone; the streamed event stays, far in the future.
      const event = await (await fetch(`${url}/events/${await idOf("777", "1")}`)).json();
      assertEquals(
        event.data.event.changes.map(({ fields }: { fields: unknown }) => fields),
        [
          "Streamed",
          "Streamed, changed once",
          "Streamed, changed twice",
          "Streamed, changed three times",
        ]
          .slice(0, -1).map((from, n, all) => ({
            title: { from, to: all[n + 1] ?? "Streamed, changed three times" },
          })),
      );
    },
  );

  await t.step("a new version has a new ETag, which the old one does not match", async () => {
    const etag = (await rawRequest(url, "GET", "/search")).headers.get("etag")!;
    const before = await versionOf(url);
    target.feed.xml = feed(SEASON);
    const poll = await pollOnce(target);
    assertEquals([poll.outcome, poll.unlisted, poll.version], ["changed", 1, before + 1]);
    const response = await rawRequest(url, "GET", "/search", { "if-none-match": etag });
    assertEquals(response.status, 200);
    assertNotEquals(response.headers.get("etag"), etag);
    assertEquals(response.headers.get("x-catalogue-version"), String(before + 1));
    assertEquals(
      JSON.parse(response.text).data.events.at(-1).title,
      "Streamed, changed three times",
    );
  });

  await t.step("/health and /ready are 200, name their checks, and may not be kept", async () => {
    const health = await fetch(`${url}/health`);
    assertEquals(health.status, 200);
    assertEquals((await health.json()).status, "healthy");
    const ready = await fetch(`${url}/ready`);
    assertEquals(ready.status, 200);
    const { status, checks } = await ready.json();
    assertEquals(status, "ready");
    assertGreater(Object.keys(checks).length, 0);
    for (const check of Object.values(checks)) {
      assertEquals((check as { status: string }).status, "pass");
    }
    for (const { headers } of [health, ready]) {
      assertEquals(headers.get("cache-control"), "no-store");
    }
  });

  await t.step(
    "/openapi.json is OpenAPI 3.1 and names every public route; /docs shows them",
    async () => {
      const document = await (await fetch(`${url}/openapi.json`)).json();
      assertMatch(document.openapi, /^3\.1\.\d+$/);
      const paths = [
        "/search",
        "/events/{id}",
        "/events/stream",
        "/health",
        "/ready",
        "/openapi.json",
        "/docs",
      ];
      assertArrayIncludes(Object.keys(document.paths), paths);
      const names = document.paths["/search"].get.parameters.map(({ name }: { name: string }) =>
        name
      );
      assertArrayIncludes(names, ["starts_at", "ends_at", "limit", "cursor"]);
      const docs = await fetch(`${url}/docs`);
      assertMatch(docs.headers.get("content-type")!, /^text\/html/);
      const page = await docs.text();
      for (const path of paths) assertStringIncludes(page, path);
    },
  );

  await t.step("GET / is the board, which may load nothing and runs its own script", async () => {
    const board = await fetch(`${url}/?starts_at=2030-01-01`);
    assertEquals(board.status, 200);
    assertMatch(board.headers.get("content-type")!, /^text\/html/);
    const policy = board.headers.get("content-security-policy")!;
    assertMatch(policy, /^default-src 'none'; script-src 'sha256-[^']+'; /);
    assertStringIncludes(await board.text(), 'action="/search"');
  });

  await t.step(
    "GET /metrics is Prometheus text with the contract's names, and counts right",
    async () => {
      const scrape = async () => {
        const response = await fetch(`${adminUrl}/metrics`);
        assertMatch(response.headers.get("content-type")!, /^text\/plain/);
        return await response.text();
      };
      const read = (text: string, series: string): number => {
        const line = text.split("\n").find((line) => line.startsWith(`${series} `));
        return line === undefined ? NaN : Number(line.slice(series.length + 1));
      };
      const text = await scrape();
      const missing = METRICS.filter((name) => !new RegExp(`^# TYPE ${name} `, "m").test(text));
      const { transport } = (await (await fetch(`${adminUrl}/stats`)).json()).data;
      const excused = transport === "deno" ? METRICS_OF_LISTENERS : [];
      const due = missing.filter((name) => !METRICS_OF_LIMITS.includes(name));
      assertEquals(due.filter((name) => !excused.includes(name)), []);
      assertEquals(read(text, "catalogue_version"), await versionOf(url));
      assertEquals(read(text, "catalogue_events"), (await searchFor(url)).length);
      assertGreater(read(text, "catalogue_bytes"), 0);
      assert(read(text, "catalogue_age_seconds") < 600);
      assertMatch(text, /^provider_polls_total\{.*outcome="changed"\} \d+$/m);
      assertMatch(text, /^provider_plans_rejected_total\{.*reason="unreadable_price".*\} \d+$/m);
      assertMatch(text, /^provider_breaker_state\{.*\} 0$/m);

      const series = 'http_requests_total{route="/search",method="GET",status="400"}';
      const before = read(await scrape(), series);
      const count = 'http_request_duration_seconds_count{route="/search"}';
      const total = read(await scrape(), count);
      for (let n = 0; n < 7; n++) await rawRequest(url, "GET", "/search?limit=0");
      assertEquals(read(await scrape(), series), before + 7);
      assertEquals(read(await scrape(), count), total + 7);
    },
  );

  await t.step("GET /stats, /polls and /rejected tell operators what happened", async () => {
    const stats = (await (await fetch(`${adminUrl}/stats`)).json()).data;
    assertEquals(stats.catalogue.version, await versionOf(url));
    assertEquals(stats.providers.length, 1);
    assertEquals(typeof stats.transport, "string");

    const poll = await pollOnce(target);
    const { polls } = (await (await fetch(`${adminUrl}/polls?limit=3`)).json()).data;
    assertEquals(polls.length, 3);
    assertEquals([polls[0].outcome, polls[0].version], ["unchanged", poll.version]);
    for (const { at, took_ms, bytes } of polls) {
      assert(Math.abs(Date.parse(at) - Date.now()) < 600_000);
      assert(took_ms >= 0 && bytes > 0);
    }

    const { rejected } = (await (await fetch(`${adminUrl}/rejected`)).json()).data;
    const found = rejected.map((entry: Record<string, unknown>) => [
      entry.reason,
      entry.base_plan_id,
      entry.plan_id,
    ]);
    assertEquals(found.sort(), [
      ["missing_plan_id", "901", null],
      ["unreadable_price", "901", "2"],
      ["unreadable_start", "901", "1"],
    ]);
  });

  await t.step("POST /profile gives a V8 CPU profile", async () => {
    const response = await adminPost(target, "/profile?seconds=1");
    assertEquals(response.status, 200);
    const profile = await response.json();
    assertArrayIncludes(Object.keys(profile), [
      "nodes",
      "startTime",
      "endTime",
      "samples",
      "timeDeltas",
    ]);
    const bad = await adminPost(target, "/profile?seconds=0");
    errorMessage(bad.status, await bad.text(), [400, "invalid_parameter"]);
  });

  await t.step("admin routes are not on the public port", async () => {
    if (new URL(url).port === new URL(adminUrl).port) return;
    for (const path of ["/metrics", "/stats", "/polls", "/rejected"]) {
      assertEquals((await rawRequest(url, "GET", path)).status, 404, path);
    }
    for (const path of ["/poll", "/profile"]) {
      assertEquals(
        (await rawRequest(url, "POST", path, { "content-length": "0" })).status,
        404,
        path,
      );
    }
  });
}

/** The metrics that dashboards, alerts and autoscalers go by: none may be lost or renamed. */
const METRICS = [
  "http_requests_total",
  "http_requests_per_second",
  "http_request_duration_seconds",
  "http_connections_total",
  "http_connections_active",
  "http_bytes_received_total",
  "http_bytes_sent_total",
  "http_scaling_connection_limit",
  "http_scaling_rejection_rate",
  "http_scaling_rejections_total",
  "http_scaling_needs_scaleout",
  "http_scaling_saturation_ratio",
  "catalogue_events",
  "catalogue_version",
  "catalogue_bytes",
  "catalogue_age_seconds",
  "provider_polls_total",
  "provider_poll_duration_seconds",
  "provider_plans_rejected_total",
  "provider_breaker_state",
  "worker_pool_queue_depth",
  "rate_limited_total",
  "process_cpu_seconds_total",
  "process_resident_memory_bytes",
  "process_start_time_seconds",
];
/** Those that Deno.serve cannot tell. */
const METRICS_OF_LISTENERS = METRICS.filter((name) =>
  /^(http_connections_|http_bytes_received)/.test(name)
);
/** Those of limits that this version does not have. */
const METRICS_OF_LIMITS = METRICS.filter((name) =>
  /^(http_scaling_|worker_pool_|rate_limited_)/.test(name)
);

/** A client of /events/stream. */
class EventStream {
  readonly #abort: AbortController;
  readonly #messages: AsyncGenerator<{ id: string; data: string }>;

  private constructor(body: ReadableStream<Uint8Array>, abort: AbortController) {
    this.#abort = abort;
    this.#messages = read(body);
  }

  /** Resolves when the stream is open. */
  static async open(url: string, lastEventId?: string): Promise<EventStream> {
    const abort = new AbortController();
    const response = await fetch(`${url}/events/stream`, {
      signal: abort.signal,
      headers: lastEventId === undefined ? {} : { "last-event-id": lastEventId },
    });
    assertEquals(response.status, 200);
    assertMatch(response.headers.get("content-type")!, /^text\/event-stream/);
    return new EventStream(response.body!, abort);
  }

  async next(): Promise<{ id: string; data: string }> {
    const timer = setTimeout(() => this.#abort.abort(new Error("no message within 10 s")), 10_000);
    try {
      const { value, done } = await this.#messages.next();
      assertEquals(done, false, "the stream ended");
      return value!;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#messages.return(undefined).catch(() => {});
  }
}

async function* read(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<{ id: string; data: string }> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split(/\r?\n\r?\n/);
    rest = blocks.pop()!;
    for (const block of blocks) {
      const id = /^id: ?(.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (id !== undefined && data !== undefined) yield { id, data };
    }
  }
}
