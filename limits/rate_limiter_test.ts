import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { ClientAddresses, TRUSTED_PROXY, UNKNOWN_CLIENT } from "./client_address.ts";
import { ClientBuckets } from "./client_buckets.ts";
import { RATE_CLIENTS_MAX } from "./limits.ts";
import { RateLimiter, type RateLimits } from "./rate_limiter.ts";

function limiter(limits: RateLimits) {
  const memory = RateLimiter.allocate(limits, 0);
  return { limiter: new RateLimiter(memory), clients: new ClientAddresses([], memory.seed) };
}

Deno.test("each client has its own rate, and all together have theirs", () => {
  const { limiter: one, clients } = limiter({ rate: 25, ratePerClient: 10 });
  const passed = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) => {
    let count = 0;
    for (let n = 0; n < 20; n++) if (one.admits(clients.identify(address), 0)) count++;
    return [count, one.refusedBy];
  });
  assertEquals(passed, [[10, "client"], [10, "client"], [5, "all"]]);
  // What all others kept out cost the third client nothing.
  assertEquals(one.admits(clients.identify("192.0.2.3"), 999), true);
});

Deno.test("who is not known has no rate of their own", () => {
  for (const client of [UNKNOWN_CLIENT, TRUSTED_PROXY]) {
    const { limiter: one } = limiter({ rate: 5, ratePerClient: 1 });
    const passed = Array.from({ length: 8 }, () => one.admits(client, 0));
    assertEquals(passed.filter((is) => is).length, 5);
  }
});

Deno.test("a flood of other clients gives a client at most a bucket more, in the same memory", () => {
  const memory = RateLimiter.allocate({ rate: null, ratePerClient: 3 }, 0);
  const one = new RateLimiter(memory), clients = new ClientAddresses([], memory.seed);
  const me = clients.identify("203.0.113.1");
  for (let n = 0; n < 3; n++) assertEquals(one.admits(me, 0), true);
  let nowMs = 0;
  for (let n = 0; n < RATE_CLIENTS_MAX * 4; n++) {
    if (n % 2_000 === 0) nowMs++;
    one.admits(
      clients.identify(`2001:db8:${(n >> 16).toString(16)}:${(n & 65_535).toString(16)}::`),
      nowMs,
    );
  }
  assertEquals(one.admits(me, nowMs), true);
  assertEquals(memory.clients.byteLength, RATE_CLIENTS_MAX * 12);
});

Deno.test("clients that stay are not driven out by as many as the table holds", () => {
  const memory = RateLimiter.allocate({ rate: null, ratePerClient: 1 }, 0);
  const one = new RateLimiter(memory), clients = new ClientAddresses([], memory.seed);
  const addresses = Array.from(
    { length: RATE_CLIENTS_MAX / 4 },
    (_, n) => clients.identify(`10.${n >> 16}.${n >> 8 & 255}.${n & 255}`),
  );
  addresses.forEach((client) => one.admits(client, 0));
  const again = addresses.filter((client) => one.admits(client, 500)).length;
  assertLess(again, addresses.length / 50);
});

Deno.test("a thread whose clock is behind drives out who was away longest, not who came last", () => {
  const buckets = new ClientBuckets(ClientBuckets.allocate(8), 1);
  for (let client = 1; client <= 8; client++) buckets.take(client, 992 + client);
  assertEquals(buckets.take(9, 999), true);
  assertEquals(buckets.take(8, 1_000), false, "the last one's token is spent");
  assertEquals(buckets.take(1, 1_000), true, "the first one made room");
});

Deno.test("a table has a power of two places", () => {
  assertThrows(() => ClientBuckets.allocate(100), RangeError, "100");
});
