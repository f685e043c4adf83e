import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";
import type { BasePlan, Plan } from "./base_plan.ts";
import { createSeason } from "./season.ts";

const DAY_STEPS = 144;
const START = Date.UTC(2026, 2, 10, 9) / 600_000;
const USUAL = { plans: 600, seed: 1, step: START, changeShare: 0.01, badPlans: 3 };

function season(options: Partial<typeof USUAL> = {}): BasePlan[] {
  return [...createSeason({ ...USUAL, ...options }).basePlans()];
}

/** The plans of a season by their key, which must be unique. */
function plansByKey(basePlans: BasePlan[]): Map<string, Plan> {
  const plans = new Map<string, Plan>();
  for (const basePlan of basePlans) {
    for (const plan of basePlan.plans) {
      if (plan.id === undefined) continue;
      const key = `${basePlan.id}:${plan.id}`;
      assert(!plans.has(key), `${key} is there twice`);
      plans.set(key, plan);
    }
  }
  return plans;
}

/** A wall-clock date in steps, or NaN if it is unreadable or impossible. */
function steps(date: string): number {
  const ms = Date.parse(`${date}Z`);
  const isReal = !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
  return isReal ? ms / 600_000 : NaN;
}

Deno.test("a season has exactly as many plans as wanted, and says how many base plans", () => {
  for (const plans of [0, 1, 5, 18, 19, 20, 21, 600, 12_345]) {
    const options = { ...USUAL, plans };
    const basePlans = [...createSeason(options).basePlans()];
    assertEquals(basePlans.reduce((sum, { plans }) => sum + plans.length, 0), plans);
    assertEquals(createSeason(options).basePlanCount, basePlans.length);
  }
});

Deno.test("a season is the same when told twice, and another for another seed", () => {
  assertEquals(season(), season());
  const titles = (seed: number) => season({ seed }).slice(15).map(({ title }) => title);
  assertGreater(titles(1).filter((title, index) => title !== titles(2)[index]).length, 50);
});

Deno.test("no base plan and no key is there twice, in seasons of any size", () => {
  for (const plans of [20, 600, 20_000]) {
    const basePlans = season({ plans });
    assertEquals(new Set(basePlans.map(({ id }) => id)).size, basePlans.length);
    assertEquals(plansByKey(basePlans).size, plans - 1, "all but the plan without an id");
  }
});

Deno.test("a season reaches from 30 days ago to 331 days ahead, most of it ahead", () => {
  let past = 0;
  const plans = [...plansByKey(season({ plans: 5_000 })).values()];
  for (const plan of plans) {
    const start = steps(plan.start);
    if (Number.isNaN(start)) continue;
    assertGreaterOrEqual(start, START - 31 * DAY_STEPS);
    assertLessOrEqual(start, START + 331 * DAY_STEPS);
    if (start < START) past++;
    const end = steps(plan.end);
    if (!Number.isNaN(end)) assertGreaterOrEqual(end, start);
    assertLessOrEqual(steps(plan.sellTo), start);
    assertLess(steps(plan.sellFrom), steps(plan.sellTo));
  }
  assertGreater(past, 20);
  assertLess(past, plans.length / 4);
});

Deno.test("a base plan is forgotten when its last plan has ended, and never comes back", () => {
  const forgotten = new Set<number>();
  const appeared: number[] = [];
  let before = new Set(season().map(({ id }) => id));
  for (let step = START; step < START + 400 * DAY_STEPS; step += DAY_STEPS / 2) {
    const basePlans = season({ step });
    plansByKey(basePlans);
    for (const { id, plans } of basePlans) {
      assert(!forgotten.has(id), `${id} came back`);
      if (id >= 2_000) assertGreater(steps(plans.at(-1)!.end), step);
    }
    const now = new Set(basePlans.map(({ id }) => id));
    for (const id of before) if (!now.has(id)) forgotten.add(id);
    for (const id of now) if (!before.has(id)) appeared.push(id);
    before = now;
  }
  assertGreater(forgotten.size, 300);
  assertEquals(appeared.length, forgotten.size);
});

Deno.test("two days bring new base plans and take old ones, even in a small season", () => {
  const before = new Set(season().map(({ id }) => id));
  const after = new Set(season({ step: START + 2 * DAY_STEPS }).map(({ id }) => id));
  assertGreater(after.difference(before).size, 0);
  assertGreater(before.difference(after).size, 0);
  assertGreater(after.intersection(before).size, 100);
});

Deno.test("the wanted share of plans changes with each step", () => {
  for (const changeShare of [0.001, 0.05, 0.5, 1]) {
    const options = { plans: 20_000, changeShare };
    const before = plansByKey(season(options));
    const after = plansByKey(season({ ...options, step: START + 1 }));
    let changed = 0;
    for (const [key, plan] of before) {
      const later = after.get(key);
      if (later && JSON.stringify(later) !== JSON.stringify(plan)) changed++;
    }
    // A few more sell out, and a few have no zones whose prices could change.
    assertLess(Math.abs(changed / before.size - changeShare), 0.002 + changeShare * 0.02);
  }
});

Deno.test("prices, sold_out, starts, ends and titles all change as time goes by", () => {
  const seen = { price: 0, soldOut: 0, earlier: 0, later: 0, lengths: 0, titles: 0 };
  const options = { plans: 2_000, changeShare: 0.2 };
  let before = season(options);
  for (let step = START + 12; step < START + 600; step += 12) {
    const after = season({ ...options, step });
    const plansBefore = plansByKey(before);
    for (const [key, plan] of plansByKey(after)) {
      const earlier = plansBefore.get(key);
      if (!earlier || !plan.zones.length) continue;
      if (plan.zones[0].price !== earlier.zones[0].price) seen.price++;
      if (plan.soldOut && !earlier.soldOut) seen.soldOut++;
      const moved = steps(plan.start) - steps(earlier.start);
      if (moved < 0) seen.earlier++;
      if (moved > 0) seen.later++;
      const length = ({ start, end }: Plan) => steps(end) - steps(start);
      if (length(plan) !== length(earlier)) seen.lengths++;
      assert(earlier.soldOut <= plan.soldOut, "what is sold out stays sold out");
    }
    const basePlansBefore = new Map(before.map((basePlan) => [basePlan.id, basePlan]));
    for (const { id, title } of after) {
      const earlier = basePlansBefore.get(id);
      if (earlier && earlier.title !== title) seen.titles++;
    }
    before = after;
  }
  for (const [what, times] of Object.entries(seen)) {
    assertGreater(times, 10, `${what}: ${times}`);
  }
});

Deno.test("a base plan goes offline and comes back online", () => {
  const modes = Array.from({ length: 12 }, (_, n) => {
    return season({ plans: 20, step: START + n }).find(({ id }) => id === 517)!.sellMode;
  });
  assertGreaterOrEqual(modes.filter((mode, n) => n > 0 && mode !== modes[n - 1]).length, 3);
});

Deno.test("every price is two digits after the point and above nothing, but in a bad plan", () => {
  const prices = season({ plans: 5_000 }).flatMap(({ plans }) => plans)
    .flatMap(({ zones }) => zones.map(({ price }) => price));
  assertEquals(prices.filter((price) => !/^[1-9]\d*\.\d\d$/.test(price)), ["gratis"]);
});

Deno.test("half of the titles have an ending that comes and goes, at any time", () => {
  for (const step of [START, START + 40 * DAY_STEPS]) {
    const titles = season({ plans: 5_000, step }).map(({ title }) => title);
    const plain = titles.filter((title) => !/añadida\)$|entradas$|reparto\]$/.test(title));
    assertGreater(plain.length, titles.length / 3);
    assertLess(plain.length, titles.length * 2 / 3);
  }
});
