/**
 * The floor of Deno.serve: it answers every request with the same bytes. Prints its port.
 * `deno run --allow-net bench/constant_server.ts BYTES`
 *
 * @module
 */
const body = new Uint8Array(Number(Deno.args[0])).fill(120);
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, () => new Response(body, { headers: { "content-type": "application/json" } }));
