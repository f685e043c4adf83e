import { assertEquals } from "@std/assert";
import { ScalingSignals } from "./scaling_signals.ts";

const LIMIT = 100;

/** Looks once a second. */
function watch(
  signals: ScalingSignals,
  from: number,
  seconds: number,
  active: number,
  rejections = 0,
) {
  for (let second = from; second < from + seconds; second++) {
    signals.update({ active, limit: LIMIT, rejections }, second * 1_000);
  }
}

Deno.test("saturation is what is open of the limit, and may be above 1 where nothing is refused", () => {
  const signals = new ScalingSignals();
  watch(signals, 0, 1, 150);
  assertEquals([signals.saturation, signals.connectionLimit], [1.5, LIMIT]);
});

Deno.test("a connection that is refused wants more instances at once", () => {
  const signals = new ScalingSignals();
  watch(signals, 0, 5, 50);
  assertEquals(signals.needsScaleout, false);
  watch(signals, 5, 1, 50, 1);
  assertEquals(signals.needsScaleout, true);
});

Deno.test("what was refused before the first look is no news", () => {
  const signals = new ScalingSignals();
  watch(signals, 0, 3, 50, 1_000);
  assertEquals([signals.needsScaleout, signals.rejectionRate, signals.rejections], [
    false,
    0,
    1_000,
  ]);
});

Deno.test("a short rush wants nothing, five seconds do, and it ends after a calm minute only", () => {
  const signals = new ScalingSignals();
  watch(signals, 0, 4, 95);
  watch(signals, 4, 1, 50);
  watch(signals, 5, 5, 95);
  assertEquals(signals.needsScaleout, false);
  watch(signals, 10, 1, 95);
  assertEquals(signals.needsScaleout, true);
  watch(signals, 11, 60, 50);
  assertEquals(signals.needsScaleout, true);
  // Neither high nor low: it stays what it was.
  watch(signals, 71, 1, 80);
  watch(signals, 72, 60, 50);
  assertEquals(signals.needsScaleout, true);
  watch(signals, 132, 1, 50);
  assertEquals(signals.needsScaleout, false);
});

Deno.test("rejections a second are those of the last ten, however often one looks", () => {
  const signals = new ScalingSignals();
  for (let ms = 0; ms <= 20_000; ms += 100) {
    signals.update({ active: 0, limit: LIMIT, rejections: ms / 10 }, ms);
  }
  assertEquals(signals.rejectionRate, 100);
  for (let second = 21; second <= 31; second++) {
    signals.update({ active: 0, limit: LIMIT, rejections: 2_000 }, second * 1_000);
  }
  assertEquals(signals.rejectionRate, 0);
});

Deno.test("a counter that begins anew takes nothing back", () => {
  const signals = new ScalingSignals();
  watch(signals, 0, 1, 50, 40);
  watch(signals, 1, 1, 50, 5);
  assertEquals([signals.rejections, signals.rejectionRate], [45, 5]);
});
