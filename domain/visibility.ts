import type { Event } from "./event.ts";
import { type Plan, priceRange, type SellMode } from "./plan.ts";
import type { EventSummary } from "./search.ts";

/**
 * Which events are in search results. `latest`: those that were online when the feed last listed them, and those
 * taken offline after their end. `ever`: all that were ever online, with the values they had when last online.
 */
export type SellModePolicy = "latest" | "ever";

/**
 * The plan whose values an event shows in search results.
 *
 * @returns `null` when the policy hides the event
 */
export function visiblePlan(event: Event, policy: SellModePolicy): Plan | null {
  return choosePlan(policy, event.plan.sellMode, event.isHistory, event.plan, event.lastOnlinePlan);
}

/** The same choice for plans in any form. */
export function choosePlan<P>(
  policy: SellModePolicy,
  sellMode: SellMode,
  isHistory: boolean,
  plan: P,
  lastOnlinePlan: P | null,
): P | null {
  if (sellMode === "online") return plan;
  if (policy === "ever") return lastOnlinePlan;
  return isHistory ? plan : null;
}

/**
 * An event as search results show it.
 *
 * @returns `null` when the policy hides the event
 */
export function summarizeEvent(event: Event, policy: SellModePolicy): EventSummary | null {
  const plan = visiblePlan(event, policy);
  if (plan === null) return null;
  const { minimum, maximum } = priceRange(plan.zones);
  return {
    id: event.id,
    title: plan.title,
    start: plan.start,
    end: plan.end,
    minPrice: minimum,
    maxPrice: maximum,
  };
}
