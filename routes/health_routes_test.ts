import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Check } from "./mod.ts";
import { TestApp } from "./test_app.ts";

Deno.test("health is healthy while the process can answer, whatever else is the matter", async () => {
  const failing: Check = { name: "catalogue", isPassing: false, detail: "being loaded" };
  await using app = await TestApp.open({ isEmpty: true, checks: () => [failing] });
  const response = await app.get("/health");
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("cache-control"), "no-store");
  const { uptime_seconds, ...rest } = await response.json();
  assertEquals(rest, { status: "healthy", version: "1.2.3" });
  assertEquals(uptime_seconds >= 0 && uptime_seconds < 60, true);
});

Deno.test("ready names each check, and is 503 with Retry-After as soon as one fails", async () => {
  const checks: Check[] = [
    { name: "catalogue", isPassing: true, detail: "version 3" },
    { name: "running", isPassing: true, detail: "accepts requests" },
  ];
  await using app = await TestApp.open({ checks: () => checks });
  const ready = await app.get("/ready");
  assertEquals(ready.status, 200);
  assertEquals(await ready.json(), {
    status: "ready",
    checks: {
      catalogue: { status: "pass", detail: "version 3" },
      running: { status: "pass", detail: "accepts requests" },
    },
  });
  checks[1] = { name: "running", isPassing: false, detail: "shutting down" };
  const draining = await app.get("/ready");
  assertEquals(draining.status, 503);
  assertEquals(draining.headers.get("retry-after"), "1");
  const { data, error, status, checks: named } = await draining.json();
  assertEquals([data, error.code, status], [null, "not_ready", "not_ready"]);
  assertStringIncludes(error.message, "running: shutting down");
  assertEquals(named.catalogue.status, "pass");
  assertEquals(named.running, { status: "fail", detail: "shutting down" });
});
