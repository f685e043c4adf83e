/**
 * The season: what the provider has on sale at one instant. It is a pure function of its options:
 * nothing is stored, so a million plans take no more memory than twenty.
 *
 * After the fixed base plans (oddities.ts), base plans stand in slots. A slot plays one run after
 * another: when the last plan of a run has ended, the run is gone for good, and a new base plan
 * with a new id stands in its place, whose last plan ends one cycle later.
 *
 * @module
 */

import type { BasePlan } from "./base_plan.ts";
import { type FixedBasePlan, fixedBasePlans } from "./oddities.ts";
import { MINUTES_A_DAY, Present } from "./present.ts";
import { draw, mix, pick } from "./random.ts";
import { STADIUM } from "./repertoire.ts";

/** What a season is told from. */
export interface SeasonOptions {
  /** The number of plans, the bad ones among them. */
  plans: number;
  /** Seasons of different seeds have nothing in common but the fixed base plans' ids. */
  seed: number;
  /** The instant, in steps of STEP_MS since 1970. */
  step: number;
  /** The fraction of plans whose prices change with each step, from 0 to 1. */
  changeShare: number;
  /** How many of the plans cannot be read. */
  badPlans: number;
}

/** The base plans on sale at one instant. */
export interface Season {
  readonly basePlanCount: number;
  /** Makes them one after another; a base plan is the caller's to keep. */
  basePlans(): Generator<BasePlan>;
}

/** Lower ids are those of the fixed base plans. */
const FIRST_REGULAR_ID = 2_000;
/** No run is longer than this, so nothing listed is older. */
const RUN_MINUTES_MAX = 30 * MINUTES_A_DAY;
const GAPS_DAYS = [1, 1, 2, 3, 7];
/** How many zones the plans of a base plan have, each count as often as it is likely. */
const ZONE_COUNTS = [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6, 8, 12];
/** One base plan in so many plays in a stadium, with hundreds of zones. */
const BASE_PLANS_A_STADIUM = 500;

/** The number of each drawn field, so that fields of one thing are independent. */
const FIELD = {
  planCount: 1,
  cycle: 2,
  stadium: 3,
  stadiumZones: 4,
  venue: 5,
  zoneCount: 6,
  gap: 7,
  sellMode: 8,
  organizerIsKnown: 9,
  organizer: 10,
} as const;

/**
 * Tells the season at one instant.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const step = Date.UTC(2026, 0, 1) / 600_000;
 * const season = createSeason({ plans: 50, seed: 1, step, changeShare: 0.01, badPlans: 3 });
 * let plans = 0;
 * for (const basePlan of season.basePlans()) plans += basePlan.plans.length;
 * assertEquals(plans, 50);
 * ```
 *
 * @param options What to tell it from; checked by the caller.
 * @returns The season, equal for equal options.
 */
export function createSeason(options: SeasonOptions): Season {
  const { plans, seed, step, changeShare, badPlans } = options;
  const fixed: FixedBasePlan[] = [];
  let fixedPlans = 0;
  for (const basePlan of fixedBasePlans(plans, badPlans)) {
    if (fixedPlans + basePlan.planCount > plans) break;
    fixed.push(basePlan);
    fixedPlans += basePlan.planCount;
  }
  const slots = slotCount(seed, plans - fixedPlans);
  return {
    basePlanCount: fixed.length + slots,
    *basePlans() {
      const present = new Present(step, changeShare);
      for (const basePlan of fixed) yield basePlan.make(present, seed);
      let made = fixedPlans;
      for (let slot = 0; slot < slots; slot++) {
        const planCount = Math.min(slotPlanCount(mix(seed, slot)), plans - made);
        yield regularBasePlan(present, options, { slot, slots, planCount, made });
        made += planCount;
      }
    },
  };
}

/** Where a base plan stands: its slot, of how many, its plans, and the plans made before it. */
interface Place {
  slot: number;
  slots: number;
  planCount: number;
  made: number;
}

function regularBasePlan(present: Present, options: SeasonOptions, place: Place): BasePlan {
  const { slot, slots, planCount, made } = place;
  const slotHash = mix(options.seed, slot);
  const cycle = cycleDays(slotHash);
  const run = present.run(slotHash, cycle, planCount);
  const { hash, genre, lastStart, lasts } = run;
  const house = draw(hash, FIELD.stadium, BASE_PLANS_A_STADIUM) === 0
    ? { hash, venue: STADIUM, zoneCount: 100 + draw(hash, FIELD.stadiumZones, 301) }
    : {
      hash,
      venue: pick(hash, FIELD.venue, genre.venues),
      zoneCount: pick(hash, FIELD.zoneCount, ZONE_COUNTS),
    };
  // Each run takes the next ids in all slots together, so no id ever comes twice.
  const firstPlanId = FIRST_REGULAR_ID + run.number * options.plans + made;
  const gap = gapMinutes(hash, planCount, Math.min(RUN_MINUTES_MAX, cycle * MINUTES_A_DAY / 2));
  return {
    id: FIRST_REGULAR_ID + run.number * slots + slot,
    sellMode: draw(hash, FIELD.sellMode, 25) === 0 ? "offline" : "online",
    title: genre.title(hash) + present.titleEnding(run),
    organizerCompanyId: draw(hash, FIELD.organizerIsKnown, 3) === 0
      ? undefined
      : 1 + draw(hash, FIELD.organizer, 60),
    plans: Array.from({ length: planCount }, (_, index) => {
      const start = lastStart - (planCount - 1 - index) * gap;
      return present.plan(firstPlanId + index, mix(hash, index), start, lasts, house);
    }),
  };
}

/** How many plans the base plans of a slot have: the same in every run, so that the sum is fixed. */
function slotPlanCount(slotHash: number): number {
  const kind = draw(slotHash, FIELD.planCount, 100);
  if (kind < 45) return 1;
  if (kind < 70) return 2 + slotHash % 3;
  if (kind < 90) return 4 + slotHash % 6;
  if (kind < 99) return 8 + slotHash % 13;
  return 20 + slotHash % 41;
}

function slotCount(seed: number, plans: number): number {
  let slots = 0;
  for (let left = plans; left > 0; slots++) left -= slotPlanCount(mix(seed, slots));
  return slots;
}

/** How long a slot's cycle is: most runs are announced far ahead, a few at short notice. */
function cycleDays(slotHash: number): number {
  const kind = draw(slotHash, FIELD.cycle, 100);
  return kind < 4 ? 3 : kind < 12 ? 30 : 328;
}

/** The time between two plans of a run: whole days where the run has the room, else quarter hours. */
function gapMinutes(hash: number, planCount: number, runMinutesMax: number): number {
  const wanted = pick(hash, FIELD.gap, GAPS_DAYS) * MINUTES_A_DAY;
  const gap = Math.min(wanted, Math.floor(runMinutesMax / Math.max(1, planCount - 1)));
  return gap - gap % (gap >= MINUTES_A_DAY ? MINUTES_A_DAY : 15);
}
