import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import {
  chooseTiers,
  installRules,
  limitRules,
  readLadder,
  removeRules,
  tierFor,
} from "./ladder_rules.ts";
import { LIMIT_CEILING, TIER_CONNECTIONS_MAX, TIERS_MAX } from "./limits.ts";

const limits = fc.integer({ min: 1, max: LIMIT_CEILING });

Deno.test("tiers ascend from one bound to the other and are no more than allowed", () => {
  fc.assert(fc.property(limits, limits, (one, other) => {
    const [minimum, maximum] = [Math.min(one, other), Math.max(one, other)];
    const tiers = chooseTiers(minimum, maximum);
    assertEquals(tiers[0], minimum);
    assertEquals(tiers.at(-1), maximum);
    tiers.slice(1).forEach((tier, i) => assert(tier > tiers[i], `${tiers}`));
    assert(tiers.length <= TIERS_MAX);
    assert(tiers.length <= 2 || tiers.length * maximum <= TIER_CONNECTIONS_MAX);
  }));
});

Deno.test("a limit is held by the highest tier not above it, and by the first where all are", () => {
  fc.assert(fc.property(limits, limits, fc.integer(), (one, other, wanted) => {
    const tiers = chooseTiers(Math.min(one, other), Math.max(one, other));
    const tier = tierFor(tiers, wanted);
    assert(tiers.includes(tier));
    assert(tier <= wanted || tier === tiers[0]);
    assertEquals(tiers.filter((higher) => higher > tier && higher <= wanted), []);
  }));
  assertEquals(tierFor([10, 20], Infinity), 20);
  assertThrows(() => tierFor([10, 20], NaN), RangeError, "no number");
});

Deno.test("bounds that are no limits are refused with what would be", () => {
  assertThrows(() => chooseTiers(0, 10), RangeError, "from 1 to 1000000");
  assertThrows(() => chooseTiers(1, 10.5), RangeError, "10.5");
  assertThrows(() => chooseTiers(1, LIMIT_CEILING + 1), RangeError, "1000001");
  assertThrows(() => chooseTiers(20, 10), RangeError, "give the lower first");
});

Deno.test("moving the limit touches no rule that counts", () => {
  const ladder = { port: 8080, tiers: [100, 200, 300] };
  const moved = limitRules(ladder, 200);
  assertEquals(/ct count|count_\d+ ct|(flush|delete|add) chain \S+ \S+ count_/.test(moved), false);
  assertEquals(/\btable\b/.test(moved), false);
  assertEquals(moved.match(/goto refuse/g)?.length, 1);
  assert(moved.endsWith("over_200 goto refuse"));
});

Deno.test("the tier in force is visited first and is the only one that refuses", () => {
  const rules = installRules({ port: 8080, tiers: [100, 200, 300] }, 200);
  assertEquals([...rules.matchAll(/jump count_(\d+)/g)].map(([, tier]) => tier), [
    "200",
    "100",
    "300",
  ]);
  assertEquals(rules.match(/over_\d+ \{ goto refuse/g), ["over_200 { goto refuse"]);
});

Deno.test("installing begins with removing what is there, in the same transaction", () => {
  const rules = installRules({ port: 8080, tiers: [500] }, 500);
  assert(rules.startsWith(removeRules(8080) + "\ntable inet marquee_8080 {"));
});

Deno.test("a table that somebody has emptied is not a ladder", () => {
  const listing = JSON.stringify({
    nftables: ["input", "refuse", "ladder1", "count_5", "over_5"]
      .map((name) => ({ chain: { name } })),
  });
  const { isComplete, tiers, limit } = readLadder(8080, listing);
  assertEquals({ isComplete, tiers, limit }, { isComplete: false, tiers: [5], limit: null });
});
