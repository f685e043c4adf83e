/**
 * A constant answer on Bun.serve. Prints its port.
 * `bun bench/peers/bun_constant.mjs BYTES`
 *
 * @module
 */
import process from "node:process";

const body = new Uint8Array(Number(process.argv[2])).fill(120);
const options = { headers: { "content-type": "application/json" } };
const lastOptions = { headers: { ...options.headers, connection: "close" } };

const { port } = globalThis.Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  // Bun closes when it is asked to, but does not say so: wrk would take that for an error.
  fetch: (request) =>
    new Response(body, request.headers.get("connection") === "close" ? lastOptions : options),
});
console.log(JSON.stringify({ port }));
