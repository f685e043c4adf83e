/**
 * What one would write first: Deno.serve over a sorted array, answers made by Response.json. Prints its port.
 * `deno run --allow-net --allow-read bench/peers/deno_filter.ts RESULTS filter|index [gzip]`
 *
 * RESULTS is a JSON array of search results in the order of answers. `filter` looks at every event, `index` only at
 * those that start within the range. With `gzip`, answers to clients that take it are compressed one by one.
 *
 * @module
 */
import { gzipSync } from "node:zlib";
import { findEvents, indexResults, readRange } from "./range_index.mjs";

const [file, way, coding] = Deno.args;
const events = indexResults(JSON.parse(Deno.readTextFileSync(file)));

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, (request) => {
  const { from, until } = readRange(request.url);
  if (Number.isNaN(from) || Number.isNaN(until)) {
    return Response.json({ data: null, error: { code: "invalid_parameter" } }, { status: 400 });
  }
  const answer = way === "filter" ? filterEvents(from, until) : findEvents(events, from, until);
  if (coding !== "gzip" || !request.headers.get("accept-encoding")?.includes("gzip")) {
    return Response.json(answer);
  }
  return new Response(new Uint8Array(gzipSync(JSON.stringify(answer), { level: 6 })), {
    headers: {
      "content-type": "application/json",
      "content-encoding": "gzip",
      "vary": "accept-encoding",
    },
  });
});

function filterEvents(from: number, until: number) {
  const found = events.filter(({ start, end }) => start >= from && end <= until)
    .map(({ result }) => result);
  return { data: { events: found }, error: null };
}
