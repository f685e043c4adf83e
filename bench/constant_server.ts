/**
 * The floor of Deno.serve: it answers every request with the same bytes, and with as many headers as /search if asked.
 * Prints its port.
 * `deno run --allow-net bench/constant_server.ts BYTES [--headers]`
 *
 * @module
 */
const body = new Uint8Array(Number(Deno.args[0])).fill(120);
const headers: Record<string, string> = { "content-type": "application/json" };
if (Deno.args.includes("--headers")) {
  Object.assign(headers, {
    "etag": '"5f0c2a91-l17"',
    "cache-control": "public, max-age=5",
    "vary": "accept-encoding",
    "x-catalogue-version": "17",
    "x-request-id": "51c39fc2b7d0-1g2h",
  });
}
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, () => new Response(body, { headers }));
