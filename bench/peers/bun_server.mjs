/**
 * Bun.serve answers with a constant of so many bytes, or searches and answers by Response.json. Prints its port.
 * `bun bench/peers/bun_server.mjs constant BYTES | json FILE`
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { findEvents, indexResults, readRange } from "./range_index.mjs";

const [way, argument] = process.argv.slice(2);
const { port } = globalThis.Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: way === "constant" ? constant(Number(argument)) : search(argument),
});
console.log(JSON.stringify({ port }));

function constant(bytes) {
  const body = "x".repeat(bytes);
  const options = { headers: { "content-type": "application/json" } };
  const lastOptions = { headers: { ...options.headers, connection: "close" } };
  // Bun closes when it is asked to, but does not say so: wrk would take that for an error.
  return (request) =>
    new Response(body, request.headers.get("connection") === "close" ? lastOptions : options);
}

function search(file) {
  const events = indexResults(JSON.parse(readFileSync(file, "utf8")));
  return (request) => {
    const { from, until } = readRange(request.url);
    return Response.json(findEvents(events, from, until));
  };
}
