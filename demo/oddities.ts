/**
 * The base plans that stand in every season of 20 plans and more, always under the same ids, and
 * show what real feeds do: ids used twice, impossible dates, plans that cannot be read.
 *
 * @module
 */

import type { BasePlan, Plan } from "./base_plan.ts";
import { MINUTES_A_DAY, type Present } from "./present.ts";
import { mix } from "./random.ts";
import { STADIUM, type Venue } from "./repertoire.ts";

/** A base plan that is always there. */
export interface FixedBasePlan {
  readonly planCount: number;
  /** Makes it as it is at present, with `planCount` plans. */
  make(present: Present, seed: number): BasePlan;
}

/** A fixed base plan comes round again this often, under the same ids. */
const CYCLE_DAYS = 120;
/** The base plan that is online and offline in turn changes after so many steps. */
const STEPS_A_TOGGLE = 3;
/** Minutes after midnight and noon. */
const EXHIBITION_OPENS = 10 * 60;
const GALLERY: Venue = { standing: 2, zones: ["General", "Reducida", "Visita guiada"] };

/**
 * The fixed base plans of a season.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const planCounts = fixedBasePlans(20, 3).map((basePlan) => basePlan.planCount);
 * assertEquals(planCounts.reduce((sum, count) => sum + count, 0), 19);
 * ```
 *
 * @param plans How many plans the season has in all: small ones keep their fixed base plans small.
 * @param badPlans How many plans a reader must set aside; fewer if the season has no room.
 * @returns Those with ordinary plans first, the one with bad plans last.
 */
export function fixedBasePlans(plans: number, badPlans: number): FixedBasePlan[] {
  const readable = [
    fixed("Pasión & Compás: «Noche de verano»", 291, [291]),
    fixed("L'Été d'Amélie", 322, [1642, 1643]),
    fixed("Los Hermanos Quiroga", 1591, [1642], ([plan]) => {
      // One zone twice, at two prices, between others.
      const [zone] = plan.zones;
      const capacity = plan.soldOut ? 0 : 4;
      plan.zones.splice(
        1,
        plan.zones.length,
        { ...zone, id: 186, capacity, price: "48.00", name: "Anfiteatro lateral" },
        { ...zone, id: 186, capacity: capacity * 6, price: "36.50", name: "Anfiteatro lateral" },
      );
    }),
    fixed("Tributo a la copla", 444, [1642], ([plan]) => {
      plan.end = impossibleDateAfter(plan.start);
    }),
    fixed(`Rock & Roll <sin filtro> "en vivo"`, 176, [1771], (_, basePlan) => {
      basePlan.sellMode = "offline";
    }),
    fixed("Microteatro: a puerta cerrada", 517, [1802], (_, basePlan, present) => {
      const isOffline = Math.floor(present.step / STEPS_A_TOGGLE) % 2 === 1;
      basePlan.sellMode = isOffline ? "offline" : "online";
    }),
    fixed("Лебединое озеро – 白鳥の湖", 680, [1810], ([plan], basePlan) => {
      basePlan.organizerCompanyId = undefined;
      plan.soldOut = false;
      for (const zone of plan.zones) zone.capacity = 0;
    }),
    fixed("Un minuto de silencio", 733, [1815], ([plan]) => {
      plan.end = plan.start;
    }),
    fixed("Puertas abiertas", 950, [1820], ([plan]) => {
      plan.zones = [];
    }),
    fixed("Gran final de copa", 612, [1830], undefined, {
      venue: STADIUM,
      zoneCount: plans < 100 ? 12 : 240,
    }),
    exhibition(Math.max(4, Math.min(60, Math.floor(plans / 10)))),
  ];
  const room = plans - 1 - readable.reduce((sum, { planCount }) => sum + planCount, 0);
  const length = 1 + Math.max(0, Math.min(badPlans, room));
  const rehearsals = Array.from({ length }, (_, index) => 1900 + index);
  return [...readable, fixed("Ensayo general", 901, rehearsals, spoil)];
}

/** Spoils every plan but the first, each in one of the ways in which plans cannot be read. */
function spoil(plans: Plan[]): void {
  for (const [index, plan] of plans.slice(1).entries()) {
    if (index % 4 === 0) plan.id = undefined;
    else if (index % 4 === 1) plan.start = "por confirmar";
    else if (index % 4 === 2) plan.zones[0].price = "gratis";
    else plan.start = impossibleDateAfter(plan.start);
  }
}

function fixed(
  title: string,
  id: number,
  planIds: number[],
  alter: (plans: Plan[], basePlan: BasePlan, present: Present) => void = () => {},
  place?: { venue: Venue; zoneCount: number },
): FixedBasePlan {
  return {
    planCount: planIds.length,
    make(present, seed) {
      const run = present.run(mix(seed, -id), CYCLE_DAYS, planIds.length);
      const { venue, zoneCount } = place ?? { venue: run.genre.venues[0], zoneCount: 3 };
      const house = { hash: run.hash, venue, zoneCount };
      const plans = planIds.map((planId, index) => {
        // The last evening, and the one before.
        const start = run.lastStart - (planIds.length - 1 - index) % 2 * MINUTES_A_DAY;
        return present.plan(planId, mix(run.hash, index), start, run.lasts, house);
      });
      const organizerCompanyId = 1 + id % 9;
      const basePlan: BasePlan = { id, sellMode: "online", title, organizerCompanyId, plans };
      alter(plans, basePlan, present);
      return basePlan;
    },
  };
}

/** One that never ends: two plans a day, of which the oldest is forgotten when a new one appears. */
function exhibition(planCount: number): FixedBasePlan {
  const minutesApart = MINUTES_A_DAY / 2;
  return {
    planCount,
    make(present, seed) {
      const hash = mix(seed, -812);
      const house = { hash, venue: GALLERY, zoneCount: GALLERY.zones.length };
      const first = Math.floor(present.now / minutesApart) - Math.floor(planCount / 4);
      const plans = Array.from({ length: planCount }, (_, index) => {
        const number = first + index;
        const start = number * minutesApart + EXHIBITION_OPENS;
        return present.plan(number, mix(hash, number), start, 60, house);
      });
      const title = "Exposición: luz y sal";
      return { id: 812, sellMode: "online", title, organizerCompanyId: undefined, plans };
    },
  };
}

/** The 31st, at the same time of day, of the first month from then on that has no such day. */
function impossibleDateAfter(date: string): string {
  const [year, month] = [Number(date.slice(0, 4)), Number(date.slice(5, 7))];
  const daysIn = (month: number) => new Date(Date.UTC(year, month, 0)).getUTCDate();
  // After December comes January of the next year, which has the day too; February never has it.
  const short = [month, month + 1, month + 2].find((month) => daysIn(month) < 31)!;
  const [atYear, atMonth] = short > 12 ? [year + 1, short - 12] : [year, short];
  return `${atYear}-${String(atMonth).padStart(2, "0")}-31${date.slice(10)}`;
}
