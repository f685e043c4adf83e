import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type CumulativeReading, MeasurementWindow, ReadingError } from "./measurement.ts";

const START: CumulativeReading = {
  atMs: 0,
  requests: 0,
  durationSeconds: 0,
  durations: 0,
  connections: 0,
  rejections: 0,
};

Deno.test("a period gives rates and means from what was counted in it", () => {
  const window = new MeasurementWindow(1_000);
  assertEquals(window.add({ ...START, requests: 1_000, durations: 10, connections: 100 }), null);
  const measurement = window.add({
    atMs: 2_000,
    requests: 3_000,
    durations: 14,
    durationSeconds: 0.002,
    connections: 300,
    rejections: 50,
  });
  assertEquals(measurement, {
    periodMs: 2_000,
    throughput: 1_000,
    latencyNs: 500_000,
    connections: 200,
    rejectionRate: 25,
  });
});

Deno.test("connections are averaged by the time they were open", () => {
  const window = new MeasurementWindow(1_000);
  window.add({ ...START, connections: 100 });
  assertEquals(window.add({ ...START, atMs: 800, connections: 100 }), null);
  const measurement = window.add({ ...START, atMs: 1_000, connections: 200 });
  assertEquals(measurement?.connections, 110);
});

Deno.test("a period without answers has no latency", () => {
  const window = new MeasurementWindow(1_000);
  window.add(START);
  const measurement = window.add({ ...START, atMs: 1_000 });
  assertEquals([measurement?.latencyNs, measurement?.throughput], [null, 0]);
});

Deno.test("after a restart of the service the window starts over", () => {
  const window = new MeasurementWindow(1_000);
  window.add({ ...START, requests: 5_000 });
  assertEquals(window.add({ ...START, atMs: 1_000, requests: 20 }), null);
  assertEquals(window.add({ ...START, atMs: 2_000, requests: 30 })?.throughput, 10);
});

Deno.test("what was read several periods ago is not compared with", () => {
  const window = new MeasurementWindow(1_000);
  window.add(START);
  assertEquals(window.add({ ...START, atMs: 60_000, requests: 5_000 }), null);
  assertEquals(window.add({ ...START, atMs: 61_000, requests: 5_100 })?.throughput, 100);
});

Deno.test("a reading that is no number is refused by name and leaves the window as it was", () => {
  const window = new MeasurementWindow(1_000);
  window.add(START);
  for (const bad of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    assertThrows(
      () => window.add({ ...START, atMs: 500, rejections: bad }),
      ReadingError,
      `rejections is ${bad}`,
    );
  }
  assertEquals(window.add({ ...START, atMs: 1_000, requests: 10 })?.throughput, 10);
});

Deno.test("a period out of bounds is refused", () => {
  for (const period of [0, -1, Number.NaN, 1e12]) {
    assertThrows(() => new MeasurementWindow(period), RangeError, `period of ${period} ms`);
  }
});

Deno.test("no sequence of readings gives a negative or infinite figure", () => {
  const figure = fc.double({ min: 0, max: 1e15, noNaN: true });
  const reading = fc.record({
    atMs: fc.integer({ min: 0, max: 20_000 }),
    requests: figure,
    durationSeconds: figure,
    durations: figure,
    connections: figure,
    rejections: figure,
  });
  let measured = 0;
  fc.assert(
    fc.property(
      fc.array(reading, { minLength: 10, maxLength: 30 }),
      fc.boolean(),
      (readings, isSorted) => {
        const window = new MeasurementWindow(1_000);
        if (isSorted) {
          for (const name of Object.keys(START) as (keyof CumulativeReading)[]) {
            const values = readings.map((one) => one[name]).sort((a, b) => a - b);
            readings.forEach((one, index) => one[name] = values[index]);
          }
        }
        for (const one of readings) {
          const measurement = window.add(one);
          if (measurement === null) continue;
          measured++;
          for (const value of Object.values(measurement)) {
            assert(value === null || Number.isFinite(value) && value >= 0, `${value}`);
          }
        }
      },
    ),
  );
  assert(measured > 100, `only ${measured} were measured`);
});
