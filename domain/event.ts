import { formatDateTime, type LocalDateTime } from "./local_date_time.ts";
import { type Plan, priceRange } from "./plan.ts";

/** A moment on the real clock, in milliseconds since the Unix epoch. */
export type Instant = number;

/** A value that a history of changes can hold. */
export type ChangeValue = string | number | boolean | null;

/** What one poll changed of an event, by field: the value before and the value after. */
export interface EventChange {
  at: Instant;
  fields: Record<string, { from: ChangeValue; to: ChangeValue }>;
}

/** An event as it is kept: the plan as last listed, and what is known of its past. Never deleted. */
export interface Event {
  /** UUIDv5, see {@linkcode eventId}. */
  id: string;
  /** The provider that listed it last. */
  provider: string;
  /** The values the feed listed last. */
  plan: Plan;
  /** The values when it was last online; `null` while `plan` itself is online, and if it never was. */
  lastOnlinePlan: Plan | null;
  /** True for an event that was taken offline after its end: it stays in results, as history. */
  isHistory: boolean;
  firstSeen: Instant;
  /** `null` while the provider lists it: it was last seen when the provider's feed was last read. */
  lastSeen: Instant | null;
  /** Oldest first, at most {@linkcode CHANGES_MAX}. */
  changes: EventChange[];
  /** How many older changes were dropped from `changes`. */
  changesDropped: number;
}

/** The most changes that an event's history keeps; past it the oldest are dropped and counted. */
export const CHANGES_MAX = 20;

/**
 * What becomes of an event when a poll lists its plan.
 *
 * An event that was in results and is now listed as offline stays in them only if it is over by then: its end
 * (its start, where the end is unknown) is not after `now`. The provider's times have no zone, so `now` is read as
 * UTC.
 *
 * @param previous What was kept so far; `null` for an event never seen before
 * @param observed The plan as listed, its id, its provider and the moment of the poll
 * @returns The event to keep; neither argument is changed
 *
 * @example
 * ```ts
 * import { observePlan, type Plan } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const plan: Plan = { basePlanId: "1", planId: "2", title: "Tosca", sellMode: "online", organizerCompanyId: null,
 *   start: 0, end: 60, sellFrom: null, sellTo: null, soldOut: false, zones: [] };
 * const event = observePlan(null, { id: "x", provider: "demo", plan, now: 1_000 });
 * const moved = observePlan(event, { id: "x", provider: "demo", plan: { ...plan, start: 30 }, now: 2_000 });
 * assertEquals(moved.changes[0].fields.start, { from: "1970-01-01T00:00:00", to: "1970-01-01T00:00:30" });
 * ```
 */
export function observePlan(
  previous: Event | null,
  observed: { id: string; provider: string; plan: Plan; now: Instant },
): Event {
  const { id, provider, plan, now } = observed;
  const isOnline = plan.sellMode === "online";
  if (previous === null) {
    return {
      id,
      provider,
      plan,
      lastOnlinePlan: null,
      isHistory: false,
      firstSeen: now,
      lastSeen: null,
      changes: [],
      changesDropped: 0,
    };
  }
  const wasOnline = previous.plan.sellMode === "online";
  const isOver = (plan.end ?? plan.start) * 1_000 <= now;
  const fields = changedFields(previous.plan, plan);
  if (previous.lastSeen !== null) fields.listed = { from: false, to: true };
  return {
    ...previous,
    provider,
    plan,
    lastOnlinePlan: isOnline ? null : wasOnline ? previous.plan : previous.lastOnlinePlan,
    isHistory: !isOnline && (wasOnline || previous.isHistory) && isOver,
    lastSeen: null,
    ...withChange(previous, now, fields),
  };
}

/**
 * What becomes of an event when its provider's feed no longer lists it: it stays as it was, last seen when the
 * feed last listed it.
 *
 * @param lastListed When the provider's feed last listed the event
 * @param now When it was found missing
 */
export function unlistEvent(previous: Event, lastListed: Instant, now: Instant): Event {
  return {
    ...previous,
    lastSeen: lastListed,
    ...withChange(previous, now, { listed: { from: true, to: false } }),
  };
}

/** The history with one more change, the oldest dropped at the bound. */
function withChange(
  previous: Event,
  at: Instant,
  fields: EventChange["fields"],
): Pick<Event, "changes" | "changesDropped"> {
  if (Object.keys(fields).length === 0) {
    return { changes: previous.changes, changesDropped: previous.changesDropped };
  }
  const changes = [...previous.changes, { at, fields }];
  const excess = Math.max(0, changes.length - CHANGES_MAX);
  return { changes: changes.slice(excess), changesDropped: previous.changesDropped + excess };
}

function changedFields(before: Plan, after: Plan): EventChange["fields"] {
  const fields: EventChange["fields"] = {};
  const old = comparableFields(before), current = comparableFields(after);
  for (const name of Object.keys(current)) {
    if (old[name] !== current[name]) fields[name] = { from: old[name], to: current[name] };
  }
  // Zones can be hundreds: their number stands for them, the event itself shows what they are now.
  if (JSON.stringify(before.zones) !== JSON.stringify(after.zones)) {
    fields.zones = { from: before.zones.length, to: after.zones.length };
  }
  return fields;
}

/** The fields of a plan by their public names, as a history of changes shows them. */
function comparableFields(plan: Plan): Record<string, ChangeValue> {
  const { minimum, maximum } = priceRange(plan.zones);
  const time = (value: LocalDateTime | null) => value === null ? null : formatDateTime(value);
  return {
    title: plan.title,
    sell_mode: plan.sellMode,
    organizer_company_id: plan.organizerCompanyId,
    start: time(plan.start),
    end: time(plan.end),
    sell_from: time(plan.sellFrom),
    sell_to: time(plan.sellTo),
    sold_out: plan.soldOut,
    min_price: minimum,
    max_price: maximum,
  };
}
