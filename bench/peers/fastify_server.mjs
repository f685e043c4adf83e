/**
 * fastify answers with a constant of so many bytes, or searches and answers by the serialiser that it makes from a
 * schema. Prints its port. No logger, which is its default.
 * `node bench/peers/fastify_server.mjs NODE_MODULES constant BYTES | json FILE`
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { findEvents, indexResults } from "./range_index.mjs";

const [modules, way, argument] = process.argv.slice(2);
const { fastify } = createRequire(`${modules}/`)("fastify");
const app = fastify();
if (way === "constant") {
  const body = "x".repeat(Number(argument));
  app.get("/answer", (_request, reply) => {
    reply.type("application/json").send(body);
  });
} else {
  const events = indexResults(JSON.parse(readFileSync(argument, "utf8")));
  app.get("/search", { schema: { response: { 200: answerSchema() } } }, (request, reply) => {
    const { starts_at, ends_at } = request.query;
    reply.send(findEvents(events, Date.parse(starts_at), Date.parse(ends_at)));
  });
}
await app.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 });
console.log(JSON.stringify({ port: app.server.address().port }));

/** Of all answers of /search. */
function answerSchema() {
  const text = { type: "string" };
  const textOrNull = { type: ["string", "null"] };
  const price = { type: ["number", "null"] };
  const event = {
    id: text,
    title: text,
    start_date: text,
    start_time: text,
    end_date: textOrNull,
    end_time: textOrNull,
    min_price: price,
    max_price: price,
  };
  const events = { type: "array", items: { type: "object", properties: event } };
  return {
    type: "object",
    properties: {
      data: { type: "object", properties: { events } },
      error: { type: "null" },
    },
  };
}
