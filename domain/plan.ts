import type { LocalDateTime } from "./local_date_time.ts";

/** One price zone of a plan. Zone ids repeat inside a plan: a zone is known by its place in the list. */
export interface Zone {
  id: string;
  /** Seats or places; `null` where the feed gives no whole number. 0 does not mean sold out. */
  capacity: number | null;
  /** In the provider's currency, major units. */
  price: number;
  name: string;
  numbered: boolean;
}

/** Whether tickets are sold through the marketplace. Anything that the feed does not call online is offline. */
export type SellMode = "online" | "offline";

/**
 * One plan as a provider lists it now, its base plan's attributes folded in, whatever format the feed has.
 * The pair (basePlanId, planId) is its key; neither is unique by itself.
 */
export interface Plan {
  basePlanId: string;
  planId: string;
  title: string;
  sellMode: SellMode;
  organizerCompanyId: string | null;
  start: LocalDateTime;
  /** `null` where the feed's end is missing or is no date. May equal or precede `start`. */
  end: LocalDateTime | null;
  sellFrom: LocalDateTime | null;
  sellTo: LocalDateTime | null;
  soldOut: boolean;
  zones: Zone[];
}

/** Why a plan was set aside. */
export type RejectionReason =
  | "missing_base_plan_id"
  | "missing_plan_id"
  | "invalid_id"
  | "unreadable_start"
  | "unreadable_price"
  | "too_large";

/** Every {@linkcode RejectionReason}, for metrics and documents. */
export const REJECTION_REASONS: readonly RejectionReason[] = [
  "missing_base_plan_id",
  "missing_plan_id",
  "invalid_id",
  "unreadable_start",
  "unreadable_price",
  "too_large",
];

/** A plan that was set aside: the rest of its feed is kept. */
export interface Rejection {
  reason: RejectionReason;
  basePlanId: string | null;
  planId: string | null;
  /** The value that could not be read, cut to 200 characters. */
  detail: string;
}

/**
 * The key of a plan, `basePlanId:planId`. Ids hold no colon (a plan whose id does is set aside), so keys of
 * different plans differ.
 *
 * @example
 * ```ts
 * import { planKey } from "./plan.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(planKey({ basePlanId: "444", planId: "1642" }), "444:1642");
 * ```
 */
export function planKey(plan: Pick<Plan, "basePlanId" | "planId">): string {
  return `${plan.basePlanId}:${plan.planId}`;
}

/**
 * The lowest and highest price over all zones of a plan; both `null` without zones.
 *
 * @example
 * ```ts
 * import { priceRange } from "./plan.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(priceRange([]), { minimum: null, maximum: null });
 * ```
 */
export function priceRange(
  zones: readonly Zone[],
): { minimum: number | null; maximum: number | null } {
  if (zones.length === 0) return { minimum: null, maximum: null };
  let minimum = Infinity, maximum = -Infinity;
  for (const { price } of zones) {
    if (price < minimum) minimum = price;
    if (price > maximum) maximum = price;
  }
  return { minimum, maximum };
}
