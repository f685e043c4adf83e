import type { ChangeValue, Event } from "./event.ts";
import type { LocalDateTime } from "./local_date_time.ts";
import type { Plan, SellMode } from "./plan.ts";
import type { EventSummary } from "./search.ts";
import { choosePlan, type SellModePolicy } from "./visibility.ts";

// Arrays, not objects: a store of a million events would otherwise be mostly the names of its fields.
type ZoneTuple = [
  id: string,
  capacity: number | null,
  price: number,
  name: string,
  numbered: 0 | 1,
];
type PlanTuple = [
  basePlanId: string,
  planId: string,
  title: string,
  sellMode: SellMode,
  organizerCompanyId: string | null,
  start: LocalDateTime,
  end: LocalDateTime | null,
  sellFrom: LocalDateTime | null,
  sellTo: LocalDateTime | null,
  soldOut: 0 | 1,
  zones: ZoneTuple[],
];
type ChangeTuple = [at: number, fields: Record<string, { from: ChangeValue; to: ChangeValue }>];
type EventTuple = [
  id: string,
  provider: string,
  firstSeen: number,
  lastSeen: number | null,
  isHistory: 0 | 1,
  plan: PlanTuple,
  lastOnlinePlan: PlanTuple | null,
  changes: ChangeTuple[],
  changesDropped: number,
];

function planToTuple(plan: Plan): PlanTuple {
  return [
    plan.basePlanId,
    plan.planId,
    plan.title,
    plan.sellMode,
    plan.organizerCompanyId,
    plan.start,
    plan.end,
    plan.sellFrom,
    plan.sellTo,
    plan.soldOut ? 1 : 0,
    plan.zones.map((zone) => [
      zone.id,
      zone.capacity,
      zone.price,
      zone.name,
      zone.numbered ? 1 : 0,
    ]),
  ];
}

function planFromTuple(tuple: PlanTuple): Plan {
  return {
    basePlanId: tuple[0],
    planId: tuple[1],
    title: tuple[2],
    sellMode: tuple[3],
    organizerCompanyId: tuple[4],
    start: tuple[5],
    end: tuple[6],
    sellFrom: tuple[7],
    sellTo: tuple[8],
    soldOut: tuple[9] === 1,
    zones: tuple[10].map(([id, capacity, price, name, numbered]) => ({
      id,
      capacity,
      price,
      name,
      numbered: numbered === 1,
    })),
  };
}

/**
 * Writes a plan as one line of text. Equal plans give equal texts, so a hash of the text tells whether a plan changed.
 *
 * @example
 * ```ts
 * import { decodePlan, encodePlan, type Plan } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const plan: Plan = { basePlanId: "1", planId: "2", title: "Tosca", sellMode: "online", organizerCompanyId: null,
 *   start: 0, end: 60, sellFrom: null, sellTo: null, soldOut: false, zones: [] };
 * assertEquals(decodePlan(encodePlan(plan)), plan);
 * ```
 */
export function encodePlan(plan: Plan): string {
  return JSON.stringify(planToTuple(plan));
}

/** Reads what {@linkcode encodePlan} wrote. */
export function decodePlan(text: string): Plan {
  return planFromTuple(JSON.parse(text) as PlanTuple);
}

/** Writes an event as one line of text, as the store keeps it. It begins with the event's id. */
export function encodeEvent(event: Event): string {
  const tuple: EventTuple = [
    event.id,
    event.provider,
    event.firstSeen,
    event.lastSeen,
    event.isHistory ? 1 : 0,
    planToTuple(event.plan),
    event.lastOnlinePlan === null ? null : planToTuple(event.lastOnlinePlan),
    event.changes.map(({ at, fields }) => [at, fields]),
    event.changesDropped,
  ];
  return JSON.stringify(tuple);
}

/**
 * Reads what {@linkcode encodeEvent} wrote.
 *
 * @throws {SyntaxError} If the text is no JSON
 */
export function decodeEvent(text: string): Event {
  const tuple = JSON.parse(text) as EventTuple;
  return {
    id: tuple[0],
    provider: tuple[1],
    firstSeen: tuple[2],
    lastSeen: tuple[3],
    isHistory: tuple[4] === 1,
    plan: planFromTuple(tuple[5]),
    lastOnlinePlan: tuple[6] === null ? null : planFromTuple(tuple[6]),
    changes: tuple[7].map(([at, fields]) => ({ at, fields })),
    changesDropped: tuple[8],
  };
}

/**
 * Reads from an encoded event what search results show of it; the same as `summarizeEvent` of the decoded event, at a
 * third of the cost.
 *
 * @returns `null` when the policy hides the event
 * @throws {SyntaxError} If the text is no JSON
 *
 * @example
 * ```ts
 * import { decodeSummary, encodeEvent, type Event, summarizeEvent } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const event: Event = { id: "a", provider: "demo", firstSeen: 0, lastSeen: null, isHistory: false,
 *   plan: { basePlanId: "1", planId: "2", title: "Tosca", sellMode: "online", organizerCompanyId: null, start: 0,
 *     end: 60, sellFrom: null, sellTo: null, soldOut: false, zones: [] },
 *   lastOnlinePlan: null, changes: [], changesDropped: 0 };
 * assertEquals(decodeSummary(encodeEvent(event), "latest"), summarizeEvent(event, "latest"));
 * ```
 */
export function decodeSummary(text: string, policy: SellModePolicy): EventSummary | null {
  const [id, , , , isHistory, current, lastOnline] = JSON.parse(text) as EventTuple;
  const plan = choosePlan(policy, current[3], isHistory === 1, current, lastOnline);
  if (plan === null) return null;
  const [, , title, , , start, end, , , , zones] = plan;
  let minPrice: number | null = null, maxPrice: number | null = null;
  for (const [, , price] of zones) {
    if (minPrice === null || price < minPrice) minPrice = price;
    if (maxPrice === null || price > maxPrice) maxPrice = price;
  }
  return { id, title, start, end, minPrice, maxPrice };
}
