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
import type { SearchResult } from "../../domain/mod.ts";

const [file, way, coding] = Deno.args;
const results: SearchResult[] = JSON.parse(Deno.readTextFileSync(file));
const events = results.map((result) => {
  const start = Date.parse(`${result.start_date}T${result.start_time}Z`);
  const end = result.end_date === null
    ? start
    : Date.parse(`${result.end_date}T${result.end_time}Z`);
  return { start, end, result };
});

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, (request) => {
  const { searchParams } = new URL(request.url);
  const from = Date.parse(searchParams.get("starts_at") ?? "0001-01-01");
  const to = Date.parse(searchParams.get("ends_at") ?? "9999-12-31");
  if (Number.isNaN(from) || Number.isNaN(to)) {
    return Response.json({ data: null, error: { code: "invalid_parameter" } }, { status: 400 });
  }
  const found = way === "filter" ? byFilter(from, to) : byIndex(from, to);
  const answer = { data: { events: found }, error: null };
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

function byFilter(from: number, to: number): SearchResult[] {
  return events.filter(({ start, end }) => start >= from && end <= to).map(({ result }) => result);
}

function byIndex(from: number, to: number): SearchResult[] {
  let low = 0, high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].start < from) low = middle + 1;
    else high = middle;
  }
  const found: SearchResult[] = [];
  // None of the workload's events ends before it starts.
  for (; low < events.length && events[low].start <= to; low++) {
    if (events[low].end <= to) found.push(events[low].result);
  }
  return found;
}
