/**
 * The present of a season: what its clock says, how often each thing has changed by then, and from
 * these the runs and plans of any base plan.
 *
 * @module
 */

import type { Plan, Zone } from "./base_plan.ts";
import { STEP_MS } from "./limits.ts";
import { draw, mix, pick } from "./random.ts";
import { type Genre, GENRES, type Venue } from "./repertoire.ts";

/** Minutes in a day. */
export const MINUTES_A_DAY = 1_440;

const MINUTES_A_STEP = STEP_MS / 60_000;
/** Runs are numbered from here, which keeps ids small: the first day of 2015, in days since 1970. */
const FIRST_DAY = 16_436;
/** A plan's dates stay as they are from this many steps before its start: the last day. */
const STEPS_WITHOUT_SHIFT = MINUTES_A_DAY / MINUTES_A_STEP;
/** Of so many changes of a plan, one moves its dates too. */
const CHANGES_A_SHIFT = 8;
/** Of so many changes of a run's first plan, one changes the title too. */
const CHANGES_A_TITLE = 64;
const START_SHIFTS_MINUTES = [0, 15, -30, 0, 60];
const END_SHIFTS_MINUTES = [0, 10, 0, -10];
const TITLE_ENDINGS = ["", " (función añadida)", "", " – últimas entradas", "", " [nuevo reparto]"];
/** Where each thing stands in its round of shifts or endings, so that they do not move all at once. */
const SHIFT_PHASES = CHANGES_A_SHIFT * START_SHIFTS_MINUTES.length * END_SHIFTS_MINUTES.length;
const TITLE_PHASES = CHANGES_A_TITLE * TITLE_ENDINGS.length;

/** The number of each drawn field, so that fields of one thing are independent. */
const FIELD = {
  dayPhase: 101,
  genre: 102,
  startsAt: 103,
  lasts: 104,
  changePhase: 105,
  sellsOut: 106,
  soldOutBefore: 107,
  sellFrom: 108,
  sellTo: 109,
  firstZone: 110,
  basePrice: 111,
  shiftPhase: 112,
  titlePhase: 113,
  zonePrice: 1_000,
  capacity: 2_000,
} as const;

/** One life of a base plan: its genre and when its last plan starts. */
export interface Run {
  readonly hash: number;
  readonly genre: Genre;
  /** Which run of its slot this is; the next has the next number. */
  readonly number: number;
  /** When the last plan starts, before any shift, in minutes since 1970. */
  readonly lastStart: number;
  /** How long each plan is, in minutes. */
  readonly lasts: number;
}

/** Where a run plays, of which the zones of its plans are made. */
export interface House {
  /** The run's hash: prices and zone ids are those of the run. */
  readonly hash: number;
  readonly venue: Venue;
  /** At most as many as the venue has. */
  readonly zoneCount: number;
}

/**
 * The present of a season.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const present = new Present(Date.UTC(2026, 0, 31, 20, 10) / 600_000, 0);
 * assertEquals(present.date(present.now), "2026-01-31T20:10:00");
 * ```
 */
export class Present {
  /** Steps of STEP_MS since 1970. */
  readonly step: number;
  /** Minutes since 1970. */
  readonly now: number;
  readonly #changeShare: number;
  readonly #days: string[] = [];

  /**
   * @param step The instant, in steps of STEP_MS since 1970.
   * @param changeShare The fraction of plans that change with each step.
   */
  constructor(step: number, changeShare: number) {
    this.step = step;
    this.now = step * MINUTES_A_STEP;
    this.#changeShare = changeShare;
  }

  /**
   * The run that a slot is playing: the first whose last plan has not ended.
   *
   * @param slotHash The hash of the slot.
   * @param cycleDays How long after one run's end the next one ends, in days.
   * @param planCount How many plans the run has.
   */
  run(slotHash: number, cycleDays: number, planCount: number): Run {
    const dayPhase = draw(slotHash, FIELD.dayPhase, cycleDays);
    const today = Math.floor(this.now / MINUTES_A_DAY) - FIRST_DAY;
    // Begins with the run that ends today or ended last: one round, or two if it is over.
    for (let number = Math.floor((today - dayPhase) / cycleDays);; number++) {
      const hash = mix(slotHash, number);
      const genre = pick(hash, FIELD.genre, GENRES);
      const day = FIRST_DAY + dayPhase + number * cycleDays;
      const lastStart = day * MINUTES_A_DAY + pick(hash, FIELD.startsAt, genre.startsAt);
      const lasts = pick(hash, FIELD.lasts, genre.lasts);
      const lastEnd = lastStart + lasts + this.#endShift(mix(hash, planCount - 1), lastStart);
      if (lastEnd > this.now) return { hash, genre, number, lastStart, lasts };
    }
  }

  /**
   * One plan of a run.
   *
   * @param id Its plan_id.
   * @param hash Its hash.
   * @param nominalStart When it starts before any shift, in minutes since 1970.
   * @param lasts How long it is, in minutes.
   * @param house Where it plays.
   */
  plan(id: number, hash: number, nominalStart: number, lasts: number, house: House): Plan {
    const start = nominalStart + this.#startShift(hash, nominalStart);
    const end = nominalStart + lasts + this.#endShift(hash, nominalStart);
    const soldOut = draw(hash, FIELD.sellsOut, 3) === 0 &&
      this.now >= nominalStart - draw(hash, FIELD.soldOutBefore, 60 * MINUTES_A_DAY);
    const firstDayOfSale = Math.floor(nominalStart / MINUTES_A_DAY) -
      (20 + draw(hash, FIELD.sellFrom, 300));
    return {
      id,
      start: this.date(start),
      end: this.date(end),
      sellFrom: this.date(firstDayOfSale * MINUTES_A_DAY + 600),
      sellTo: this.date(start - 30 * draw(hash, FIELD.sellTo, 5)),
      soldOut,
      zones: zones(hash, house, this.#changes(hash, this.step), soldOut),
    };
  }

  /** What is written behind the title of a run, for the time being; often nothing. */
  titleEnding(run: Run): string {
    const hash = mix(run.hash, 0);
    const changes = this.#changes(hash, this.step) + draw(hash, FIELD.titlePhase, TITLE_PHASES);
    return TITLE_ENDINGS[Math.floor(changes / CHANGES_A_TITLE) % TITLE_ENDINGS.length];
  }

  /** Minutes since 1970 as `YYYY-MM-DDTHH:MM:SS`. */
  date(minutes: number): string {
    const day = Math.floor(minutes / MINUTES_A_DAY);
    // Each day is spelled once a season: toISOString costs more than a whole plan.
    const date = this.#days[day - FIRST_DAY] ??= new Date(day * 86_400_000).toISOString()
      .slice(0, 10);
    return date + TIMES[minutes - day * MINUTES_A_DAY];
  }

  /** How often a thing has changed by a step: grows by one in exactly the wanted share of steps. */
  #changes(hash: number, step: number): number {
    return Math.floor(step * this.#changeShare + mix(hash, FIELD.changePhase) / 2 ** 32);
  }

  #startShift(hash: number, nominalStart: number): number {
    return START_SHIFTS_MINUTES[this.#shifts(hash, nominalStart) % START_SHIFTS_MINUTES.length];
  }

  #endShift(hash: number, nominalStart: number): number {
    const shifts = this.#shifts(hash, nominalStart);
    return START_SHIFTS_MINUTES[shifts % START_SHIFTS_MINUTES.length] +
      END_SHIFTS_MINUTES[shifts % END_SHIFTS_MINUTES.length];
  }

  #shifts(hash: number, nominalStart: number): number {
    const lastStep = Math.floor(nominalStart / MINUTES_A_STEP) - STEPS_WITHOUT_SHIFT;
    const changes = this.#changes(hash, Math.min(this.step, lastStep));
    return Math.floor((changes + draw(hash, FIELD.shiftPhase, SHIFT_PHASES)) / CHANGES_A_SHIFT);
  }
}

/** `T00:00:00` to `T23:59:00`, by the minute of the day. */
const TIMES = Array.from(
  { length: MINUTES_A_DAY },
  (_, minute) => new Date(minute * 60_000).toISOString().slice(10, 19),
);
const TWO_DIGITS = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, "0"));

function zones(planHash: number, house: House, changes: number, soldOut: boolean): Zone[] {
  const { hash, venue, zoneCount } = house;
  const firstId = 1 + draw(hash, FIELD.firstZone, 900);
  const basePrice = 8 + draw(hash, FIELD.basePrice, 90);
  // Three and seven have no common divisor, so each change gives another price than the last.
  const rise = 50 * ((changes * 3) % 7);
  const list: Zone[] = [];
  for (let index = 0; index < zoneCount; index++) {
    const cents = basePrice * (60 + draw(hash, FIELD.zonePrice + index, 16) * 5) + rise;
    list.push({
      id: firstId + index,
      capacity: soldOut ? 0 : 10 + draw(planHash, FIELD.capacity + index, 490),
      price: Math.floor(cents / 100) + "." + TWO_DIGITS[cents % 100],
      name: venue.zones[index],
      numbered: index >= venue.standing,
    });
  }
  return list;
}
