import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { GradientLimit } from "./gradient_limit.ts";
import type { Measurement } from "./measurement.ts";

/** What a service that gives 100,000 answers a second, and no more, shows in a closed loop. */
function saturated(connections: number, thinkSeconds: number, baseSeconds = 0.000_05): Measurement {
  const throughput = Math.min(100_000, connections / (thinkSeconds + baseSeconds));
  return {
    periodMs: 5_000,
    throughput,
    latencyNs: (connections / throughput - thinkSeconds) * 1e9,
    connections,
    rejectionRate: 100,
  };
}

for (const [connections, thinkMs, right] of [[300, 0, 200], [900, 5, 700], [900, 6, 800]]) {
  Deno.test(`one step relieves a queue of ${connections} connections with ${thinkMs} ms between requests`, () => {
    const limit = new GradientLimit({ initial: connections, tolerance: 2 });
    const queue = saturated(connections, thinkMs / 1_000);
    assertEquals(limit.update(queue).limit, connections, "one period may be noise");
    assertEquals(limit.update(queue).state, "shrinking");
    assert(Math.abs(limit.value - right) <= 1, `${limit.value}`);
    const { latencyNs } = saturated(limit.value, thinkMs / 1_000);
    assert(Math.abs(latencyNs! - 2_000_000) < 20_000, `${latencyNs}`);
  });
}

Deno.test("connections that do not close keep the limit where it is", () => {
  const limit = new GradientLimit();
  limit.update(saturated(800, 0));
  limit.update(saturated(800, 0));
  const after = limit.value;
  for (let period = 0; period < 100; period++) {
    const { state, reason } = limit.update(saturated(800, 0));
    assertEquals(state, "waiting");
    assertMatch(reason, /have to close/);
  }
  assertEquals([after, limit.value], [400, 400]);
});

Deno.test("a growth that is answered by a queue is taken back at once, and remembered", () => {
  const limit = new GradientLimit({ initial: 400 });
  const free = { ...saturated(400, 0.004), latencyNs: 60_000 };
  limit.update(free);
  assertEquals(limit.value, 480);
  const { limit: after, state } = limit.update({
    ...free,
    connections: 480,
    throughput: 40_000,
    latencyNs: 8_000_000,
  });
  assertEquals([after, state], [400, "shrinking"]);
  for (let period = 0; period < 12; period++) {
    limit.update(free);
    assert(limit.value < 480, `${limit.value}`);
  }
});

Deno.test("a growth that costs throughput is taken back even when latency is harmless", () => {
  const limit = new GradientLimit({ initial: 400 });
  const free = { ...saturated(400, 0.004), latencyNs: 60_000 };
  limit.update(free);
  limit.update({
    ...free,
    connections: 480,
    throughput: free.throughput * 0.9,
    latencyNs: 900_000,
  });
  assertEquals(limit.value, 400);
});

Deno.test("latency that does not depend on connections raises the floor, and a lower one lowers it", () => {
  const limit = new GradientLimit({ initial: 1_000 });
  const floorOf = (measurement: Measurement) => limit.update(measurement).figures.floor_seconds;
  const slow = (connections: number) => ({ ...saturated(connections, 0.1), latencyNs: 20_000_000 });
  assertEquals(floorOf(slow(1_000)), 0.001);
  let floor = 0;
  for (let period = 0; period < 30 && floor !== 0.02; period++) floor = floorOf(slow(limit.value));
  assertEquals(floor, 0.02);
  assertEquals(limit.value, 1_000, "what was taken for a queue is given back");
  assertEquals(floorOf({ ...slow(500), latencyNs: 5_000_000, rejectionRate: 0 }), 0.005);
});

Deno.test("the floor has a greatest value", () => {
  const limit = new GradientLimit({ initial: 1_000, floorMaxNs: 5_000_000 });
  for (let period = 0; period < 200; period++) {
    const { figures } = limit.update({
      ...saturated(limit.value, 0.1),
      latencyNs: 20_000_000,
    });
    assert(figures.floor_seconds <= 0.005, `${figures.floor_seconds}`);
  }
});

Deno.test("a queue is relieved even where the limit is not reached", () => {
  const limit = new GradientLimit();
  const queue = { ...saturated(500, 0), rejectionRate: 0 };
  limit.update(queue);
  limit.update(queue);
  assert(limit.value < 500, `${limit.value}`);
});

Deno.test("fewer connections than the least limit are not blamed for latency", () => {
  const limit = new GradientLimit({ minimum: 100 });
  for (let period = 0; period < 100; period++) {
    limit.update({ ...saturated(20, 0), latencyNs: 50_000_000, rejectionRate: 0 });
  }
  assertEquals(limit.value, 800);
});

Deno.test("at the maximum it looks once whether fewer connections do as well", () => {
  const limit = new GradientLimit({ maximum: 800 });
  const gives = (connections: number) => ({
    ...saturated(connections, 0.004),
    latencyNs: 60_000,
    throughput: connections * 100,
  });
  const limits = Array.from({ length: 100 }, () => limit.update(gives(limit.value)).limit);
  assertEquals(limits.filter((one) => one === 720).length, 1);
  assertEquals(limits.at(-1), 800);
});

for (const [found, latencyNs] of [["no queue", 60_000], ["some queue", 2_000_000]] as const) {
  Deno.test(`with ${found}, a probe downwards whose connections never close is given up`, () => {
    const limit = new GradientLimit({ maximum: 800 });
    const stays = { ...saturated(800, 0.004), latencyNs };
    const limits = Array.from({ length: 300 }, () => limit.update(stays).limit);
    assert(limits.some((one) => one < 800), "it is tried");
    const below = limits.filter((one) => one < 800).length;
    assert(below <= 60, `refused for ${below} of 300 periods`);
    assertEquals(limits.at(-1), 800);
  });
}

Deno.test("a growth that lets nobody in, as within a tier, is not blamed for noise", () => {
  const limit = new GradientLimit({ initial: 400 });
  const free = { ...saturated(400, 0.004), latencyNs: 60_000 };
  assertEquals(limit.update(free).limit, 480);
  limit.update({ ...free, connections: 402, throughput: free.throughput * 0.98 });
  assert(limit.value > 480, `${limit.value}`);
});

Deno.test("a probe downwards that nobody left for, as within a tier, proves nothing", () => {
  const limit = new GradientLimit({ maximum: 800 });
  const free = { ...saturated(800, 0.004), latencyNs: 60_000 };
  while (limit.value === 800) limit.update(free);
  const { limit: after, figures } = limit.update({
    ...free,
    connections: 790,
    throughput: free.throughput * 1.01,
  });
  assertEquals([after, figures.ceiling], [800, 800]);
});

Deno.test("a change whose period cannot be judged is taken back", () => {
  const limit = new GradientLimit({ initial: 400 });
  const free = { ...saturated(400, 0.004), latencyNs: 60_000 };
  assertEquals(limit.update(free).limit, 480);
  assertEquals(limit.update({ ...free, throughput: 0, latencyNs: null }).limit, 400);
});

Deno.test("options out of range are refused by name", () => {
  assertThrows(() => new GradientLimit({ tolerance: 1 }), RangeError, "tolerance of 1");
  assertThrows(() => new GradientLimit({ growth: Number.NaN }), RangeError, "growth of NaN");
  assertThrows(
    () => new GradientLimit({ harmlessLatencyNs: 2e6, floorMaxNs: 1e6 }),
    RangeError,
    "floorMaxNs of 1000000: use 2000000 to",
  );
  assertThrows(() => new GradientLimit({ patience: 9, patienceMax: 8 }), RangeError, "patienceMax");
});
