import type { Schema } from "./route.ts";

const nullable = (type: string, more: Schema = {}): Schema => ({ type: [type, "null"], ...more });

/** An object whose members are all there. */
export function objectSchema(properties: Record<string, Schema>, more: Schema = {}): Schema {
  return { type: "object", properties, required: Object.keys(properties), ...more };
}

/** What search results show of an event. */
export const SEARCH_RESULT: Schema = objectSchema({
  id: { type: "string", format: "uuid" },
  title: { type: "string" },
  start_date: { type: "string", format: "date" },
  start_time: { type: "string", pattern: "^\\d{2}:\\d{2}:\\d{2}$" },
  end_date: nullable("string", { format: "date" }),
  end_time: nullable("string", { pattern: "^\\d{2}:\\d{2}:\\d{2}$" }),
  min_price: nullable("number"),
  max_price: nullable("number"),
});

/** An event with all that is known of it. */
export const EVENT: Schema = objectSchema({
  id: { type: "string", format: "uuid" },
  base_plan_id: { type: "string" },
  plan_id: { type: "string" },
  title: { type: "string" },
  sell_mode: { enum: ["online", "offline"] },
  organizer_company_id: nullable("string"),
  start_date: { type: "string", format: "date" },
  start_time: { type: "string" },
  end_date: nullable("string", { format: "date" }),
  end_time: nullable("string"),
  sell_from: nullable("string", { description: "Local, without a zone." }),
  sell_to: nullable("string", { description: "Local, without a zone." }),
  sold_out: { type: "boolean" },
  min_price: nullable("number"),
  max_price: nullable("number"),
  zones: {
    type: "array",
    items: objectSchema({
      zone_id: { type: "string", description: "Not unique within a plan." },
      capacity: nullable("integer"),
      price: { type: "number" },
      name: { type: "string" },
      numbered: { type: "boolean" },
    }),
  },
  visible: { type: "boolean", description: "Whether searches find it." },
  listed: { type: "boolean", description: "Whether the provider's feed still lists it." },
  provider: { type: "string" },
  first_seen: { type: "string", format: "date-time" },
  last_seen: { type: "string", format: "date-time" },
  changes: {
    type: "array",
    description: "Newest last. Values are those before and after.",
    items: objectSchema({
      at: { type: "string", format: "date-time" },
      fields: {
        type: "object",
        additionalProperties: objectSchema({ from: {}, to: {} }),
      },
    }),
  },
  changes_dropped: { type: "integer", description: "Older changes that are no longer kept." },
});

/** The shape of every error. */
export const ERROR: Schema = objectSchema({
  data: { type: "null" },
  error: objectSchema({
    code: { type: "string", pattern: "^[a-z_]+$" },
    message: { type: "string" },
  }),
});

/** Data in the envelope that answers come in. */
export function dataSchema(data: Schema): Schema {
  return objectSchema({ data, error: { type: "null" } });
}
