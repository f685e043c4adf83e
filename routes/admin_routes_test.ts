import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { StandbyError } from "../store/mod.ts";
import { PoolFullError } from "../workers/mod.ts";
import { planOf, TestApp } from "./test_app.ts";

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

Deno.test("metrics come as they are, with their own content type", async () => {
  await using app = await TestApp.open();
  const response = await app.admin("/metrics");
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4");
  assertEquals(await response.text(), "up 1\n");
});

Deno.test("polls are listed newest first, as many as are asked for", async () => {
  await using app = await TestApp.open();
  for (let n = 1; n <= 3; n++) await app.publish([planOf("1", { title: `Title ${n}` })]);
  const { data, error } = await (await app.admin("/polls?limit=2")).json();
  assertEquals(error, null);
  assertEquals(data.polls.map(({ version }: { version: number }) => version), [3, 2]);
  const [{ id, at, took_ms, ...newest }] = data.polls;
  assertEquals(typeof id, "string");
  assertMatch(at, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert(took_ms >= 0);
  assertEquals(newest, {
    provider: "demo",
    outcome: "changed",
    attempts: 1,
    bytes: 1_000,
    plans: 1,
    added: 0,
    changed: 1,
    unlisted: 0,
    rejected: 0,
    duplicates: 0,
    version: 3,
    error: null,
  });
  for (const bad of ["limit=0", "limit=1001", "limit=x", "limit=1&limit=1"]) {
    assertEquals((await app.admin(`/polls?${bad}`)).status, 400, bad);
    assertEquals((await app.admin(`/rejected?${bad}`)).status, 400, bad);
  }
});

Deno.test("plans that were set aside are listed with their reason and their keys", async () => {
  await using app = await TestApp.open();
  await app.publish([planOf("1")], [
    { reason: "unreadable_price", basePlanId: "7", planId: "8", detail: '"gratis"' },
    { reason: "missing_plan_id", basePlanId: "7", planId: null, detail: "missing" },
  ]);
  const { rejected } = (await (await app.admin("/rejected")).json()).data;
  const byReason = Object.fromEntries(
    rejected.map((entry: { reason: string }) => [entry.reason, entry]),
  );
  assertEquals(Object.keys(byReason).sort(), ["missing_plan_id", "unreadable_price"]);
  const { first_seen, ...rest } = byReason.unreadable_price;
  assertMatch(first_seen, /Z$/);
  assertEquals(rest, {
    provider: "demo",
    reason: "unreadable_price",
    base_plan_id: "7",
    plan_id: "8",
    detail: '"gratis"',
  });
  assertEquals((await (await app.admin("/rejected?limit=1")).json()).data.rejected.length, 1);
});

Deno.test("POST /poll polls and tells what came of it", async () => {
  await using app = await TestApp.open();
  await app.publish([planOf("1")]);
  const response = await app.admin("/poll", { method: "POST" });
  assertEquals(response.status, 200);
  const { polls } = (await response.json()).data;
  assertEquals(polls.length, 1);
  assertEquals(polls[0].outcome, "empty");
  assertEquals((await app.admin("/poll")).status, 405);
});

Deno.test("with a token POSTs need it as Bearer, and reading does not", async () => {
  await using app = await TestApp.open({ admin: { token: "s3cret/+=" } });
  for (
    const given of [
      null,
      "Bearer",
      "Bearer wrong",
      "Bearer s3cret/+=x",
      "Bearer s3cret/+",
      "Basic s3cret/+=",
      "s3cret/+=",
    ]
  ) {
    const headers: HeadersInit = given === null ? {} : { authorization: given };
    const response = await app.admin("/poll", { method: "POST", headers });
    assertEquals(response.status, 401, given ?? "none");
    assertEquals(response.headers.get("www-authenticate"), "Bearer");
    const { error } = await response.json();
    assertEquals(error.code, "unauthorized");
    assert(!JSON.stringify(error).includes("s3cret"));
    assertEquals((await app.admin("/profile?seconds=1", { method: "POST", headers })).status, 401);
  }
  for (const scheme of ["Bearer", "bearer", "BEARER"]) {
    const headers = { authorization: `${scheme} s3cret/+=` };
    assertEquals((await app.admin("/poll", { method: "POST", headers })).status, 200);
  }
  for (const path of ["/metrics", "/stats", "/polls", "/rejected"]) {
    assertEquals((await app.admin(path)).status, 200, path);
  }
});

Deno.test("on a shared port everything is under the prefix and behind the token", async () => {
  await using app = await TestApp.open({
    admin: { prefix: "/admin", token: "abc", isReadProtected: true },
  });
  for (const path of ["/metrics", "/stats", "/polls", "/rejected"]) {
    assertEquals((await app.admin(path)).status, 404, path);
    assertEquals((await app.admin(`/admin${path}`)).status, 401, path);
    assertEquals((await app.admin(`/admin${path}`, { method: "HEAD" })).status, 401, path);
    assertEquals((await app.admin(`/admin${path}`, bearer("abc"))).status, 200, path);
  }
});

Deno.test("no answer to an operator may be kept", async () => {
  await using app = await TestApp.open();
  for (const path of ["/metrics", "/stats", "/polls", "/rejected", "/nothing"]) {
    assertEquals((await app.admin(path)).headers.get("cache-control"), "no-store", path);
  }
});

Deno.test("a profile is a V8 CPU profile of that time, one at a time", async () => {
  await using app = await TestApp.open();
  const started = performance.now();
  const taking = app.admin("/profile?seconds=1", { method: "POST" });
  const second = await app.admin("/profile?seconds=1", { method: "POST" });
  assertEquals(second.status, 409);
  assertEquals((await second.json()).error.code, "profile_running");
  // Something to find in it.
  while (performance.now() - started < 900) {
    await app.get("/search?starts_at=1970-01-01");
    await new Promise((resolve) => setTimeout(resolve));
  }
  const response = await taking;
  assertEquals(response.status, 200);
  assertStringIncludes(response.headers.get("content-disposition")!, ".cpuprofile");
  const profile = await response.json();
  assertGreater(profile.endTime - profile.startTime, 500_000);
  assertGreater(profile.nodes.length, 1);
  assertEquals(profile.samples.length, profile.timeDeltas.length);
  assertGreater(profile.samples.length, 100);
});

Deno.test("a profile ends early when its client leaves, and the next can be taken", async () => {
  await using app = await TestApp.open();
  const leaving = new AbortController();
  const request = new Request("http://marquee.test/profile?seconds=60", {
    method: "POST",
    signal: leaving.signal,
  });
  const taking = app.handleAdmin(request);
  setTimeout(() => leaving.abort(), 50);
  await (await taking).body?.cancel();
  const next = await app.admin("/profile?seconds=1", { method: "POST" });
  assertEquals(next.status, 200);
  await next.body?.cancel();
  for (const bad of ["seconds=0", "seconds=61", "seconds=x"]) {
    assertEquals((await app.admin(`/profile?${bad}`, { method: "POST" })).status, 400, bad);
  }
});

Deno.test("a poll that would wait on a full pool, or that another process makes, is 503, and says when to come back", async () => {
  const full = new PoolFullError("parse", 4, 16);
  await using app = await TestApp.open({ poll: () => Promise.reject(full) });
  const response = await app.admin("/poll", { method: "POST" });
  assertEquals([response.status, response.headers.get("retry-after")], [503, "5"]);
  const { data, error } = await response.json();
  assertEquals([data, error], [null, { code: "service_overloaded", message: full.message }]);
  await using standby = await TestApp.open({ poll: () => Promise.reject(new StandbyError()) });
  const elsewhere = await standby.admin("/poll", { method: "POST" });
  assertEquals([elsewhere.status, elsewhere.headers.get("retry-after")], [503, "5"]);
  assertEquals((await elsewhere.json()).error.code, "polled_elsewhere");
  await using failing = await TestApp.open({ poll: () => Promise.reject(new Error("another")) });
  assertEquals((await failing.admin("/poll", { method: "POST" })).status, 500);
});
