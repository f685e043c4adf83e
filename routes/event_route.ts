import type { Catalogue } from "../catalogue/mod.ts";
import {
  type Event,
  formatDate,
  formatDateTime,
  formatTime,
  type LocalDateTime,
  priceRange,
  type SellModePolicy,
  visiblePlan,
} from "../domain/mod.ts";
import { HttpError } from "./http_error.ts";
import { jsonReply } from "./reply.ts";
import { type Route, route } from "./route.ts";
import { dataSchema, ERROR, EVENT, objectSchema } from "./schemas.ts";

/** GET /events/{id}: one event, visible or not, with its zones and its past. */
export function eventRoute(catalogue: Catalogue, policy: SellModePolicy): Route {
  return route({
    method: "GET",
    path: "/events/{id}",
    summary: "One event with its zones and its history of changes.",
    description: "Events that searches hide are found here too.",
    pathParameters: {
      id: { description: "The event's id.", schema: { type: "string", format: "uuid" } },
    },
    replies: {
      200: { description: "The event.", schema: dataSchema(objectSchema({ event: EVENT })) },
      404: { description: "No event has this id.", schema: ERROR },
      503: { description: "The catalogue is still being loaded.", schema: ERROR },
    },
    handle: ({ path }) => {
      if (catalogue.edition === null) {
        throw new HttpError(503, "catalogue_loading", "the catalogue is being loaded: try again", {
          headers: { "retry-after": "1" },
        });
      }
      const event = catalogue.event(path.id.toLowerCase());
      if (event === null) {
        throw new HttpError(404, "event_not_found", `no event has the id ${path.id.slice(0, 64)}`);
      }
      const data = { event: describeEvent(event, catalogue, policy) };
      return jsonReply({ data, error: null }, { "cache-control": "public, max-age=5" });
    },
  });
}

function describeEvent(event: Event, catalogue: Catalogue, policy: SellModePolicy) {
  const shown = visiblePlan(event, policy);
  // Under `ever` an event shows the values it had when last online, here as in search results.
  const plan = shown ?? event.plan;
  const { minimum, maximum } = priceRange(plan.zones);
  const isListed = event.lastSeen === null;
  const lastSeen = event.lastSeen ?? catalogue.sightings[event.provider] ?? event.firstSeen;
  const dateTime = (value: LocalDateTime | null) => value === null ? null : formatDateTime(value);
  return {
    id: event.id,
    base_plan_id: plan.basePlanId,
    plan_id: plan.planId,
    title: plan.title,
    sell_mode: event.plan.sellMode,
    organizer_company_id: plan.organizerCompanyId,
    start_date: formatDate(plan.start),
    start_time: formatTime(plan.start),
    end_date: plan.end === null ? null : formatDate(plan.end),
    end_time: plan.end === null ? null : formatTime(plan.end),
    sell_from: dateTime(plan.sellFrom),
    sell_to: dateTime(plan.sellTo),
    sold_out: plan.soldOut,
    min_price: minimum,
    max_price: maximum,
    zones: plan.zones.map(({ id, capacity, price, name, numbered }) => ({
      zone_id: id,
      capacity,
      price,
      name,
      numbered,
    })),
    visible: shown !== null,
    listed: isListed,
    provider: event.provider,
    first_seen: new Date(event.firstSeen).toISOString(),
    last_seen: new Date(lastSeen).toISOString(),
    changes: event.changes.map(({ at, fields }) => ({ at: new Date(at).toISOString(), fields })),
    changes_dropped: event.changesDropped,
  };
}
