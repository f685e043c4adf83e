import { v5 } from "@std/uuid";
import { type Plan, planKey } from "./plan.ts";

/** The namespace of every event id. Fixed for ever: changing it would change the id of every event. */
export const EVENT_NAMESPACE = "a1c7f1f0-5d0e-4b52-9a39-6f2c1d9e7b34";

const encoder = new TextEncoder();

/**
 * The id of an event: UUIDv5 (RFC 9562 section 5.5) of `basePlanId:planId` in {@linkcode EVENT_NAMESPACE}, so that
 * every instance gives an event the same id without asking anyone.
 *
 * @example
 * ```ts
 * import { eventId } from "./identity.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   await eventId({ basePlanId: "444", planId: "1642" }),
 *   "e29672a1-69ef-5182-a389-724433a28521",
 * );
 * ```
 */
export function eventId(plan: Pick<Plan, "basePlanId" | "planId">): Promise<string> {
  return v5.generate(EVENT_NAMESPACE, encoder.encode(planKey(plan)));
}
