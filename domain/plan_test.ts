import { assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { planKey, priceRange, REJECTION_REASONS, type RejectionReason } from "./plan.ts";

Deno.test("the price range is the lowest and the highest of all zones, whatever their order", () => {
  const prices = fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 12 });
  fc.assert(fc.property(prices, (prices) => {
    const zones = prices.map((price) => ({
      id: "186",
      capacity: 0,
      price,
      name: "",
      numbered: true,
    }));
    const sorted = prices.toSorted((a, b) => a - b);
    assertEquals(priceRange(zones), {
      minimum: sorted[0] ?? null,
      maximum: sorted.at(-1) ?? null,
    });
  }));
});

Deno.test("plans have the same key only with the same two ids", () => {
  const id = fc.stringMatching(/^[0-9a]{1,3}$/);
  fc.assert(fc.property(id, id, id, id, (a, b, c, d) => {
    const same = a === c && b === d;
    const keys = [planKey({ basePlanId: a, planId: b }), planKey({ basePlanId: c, planId: d })];
    (same ? assertEquals : assertNotEquals)(keys[0], keys[1]);
  }));
});

Deno.test("every reason for a rejection is listed once", () => {
  const all: Record<RejectionReason, true> = {
    missing_base_plan_id: true,
    missing_plan_id: true,
    invalid_id: true,
    unreadable_start: true,
    unreadable_price: true,
    too_large: true,
  };
  assertEquals([...REJECTION_REASONS].sort(), Object.keys(all).sort());
});
