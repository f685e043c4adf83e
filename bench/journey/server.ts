/**
 * Steps of the journey that the design has left behind, over the same events. Prints its port. A line on standard
 * input has it print how many of the searches so far it answered from those that it kept. It ends when standard input
 * does.
 * `deno run --allow-net --allow-read bench/journey/server.ts cached RESULTS ANSWERS`: the events are in an array,
 * searched by bisection, and as many answers are kept by their query
 * `deno run --allow-net --allow-read --allow-write bench/journey/server.ts kv-list RESULTS FOLDER`: the events are in
 * Deno KV by their start, in a file of that folder, and every search lists what it needs
 *
 * The step between the two, the array alone, is `index` of bench/peers/deno_filter.ts.
 *
 * @module
 */
import { LRUCache } from "lru-cache";
import type { SearchResult } from "../../domain/mod.ts";
import { inputLines } from "../input_lines.ts";
import { findEvents, indexResults, readRange } from "../peers/range_index.mjs";

/** Events of one commit; Deno KV takes 1,000 mutations and 800 kB. */
const COMMIT_EVENTS = 500;

const encoder = new TextEncoder();
const JSON_HEADERS = { "content-type": "application/json" };

const [variant, file, argument] = Deno.args;
const counts = { kept: 0, asked: 0 };
let handler: Deno.ServeHandler;
if (variant === "kv-list") handler = listing(await storedEvents(file, argument));
else if (variant === "cached") handler = caching(file, Number(argument));
else throw new TypeError(`"${variant}" is neither kv-list nor cached`);
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, handler);
for await (const _ of inputLines()) console.log(JSON.stringify(counts));
Deno.exit(0);

/** Stores the events. Keys are in the order of answers, so that a search is one list. */
async function storedEvents(file: string, folder: string): Promise<Deno.Kv> {
  const kv = await Deno.openKv(`${folder}/journey.kv`);
  const events = indexResults(JSON.parse(Deno.readTextFileSync(file)));
  for (let i = 0; i < events.length; i += COMMIT_EVENTS) {
    const commit = kv.atomic();
    for (const { start, end, result } of events.slice(i, i + COMMIT_EVENTS)) {
      commit.set(["event", start, end, result.id], result);
    }
    await commit.commit();
  }
  return kv;
}

function listing(kv: Deno.Kv): Deno.ServeHandler {
  return async (request) => {
    const { from, until } = readRange(request.url);
    if (Number.isNaN(from) || Number.isNaN(until)) return invalidParameter();
    const found: SearchResult[] = [];
    const list = kv.list<SearchResult>({ start: ["event", from], end: ["event", until + 1] });
    for await (const { key, value } of list) {
      if (key[2] as number <= until) found.push(value);
    }
    return Response.json({ data: { events: found }, error: null });
  };
}

function caching(file: string, answersMax: number): Deno.ServeHandler {
  const events = indexResults(JSON.parse(Deno.readTextFileSync(file)));
  const answers = new LRUCache<string, Uint8Array<ArrayBuffer>>({ max: answersMax });
  return (request) => {
    counts.asked++;
    let body = answers.get(request.url);
    if (body === undefined) {
      const { from, until } = readRange(request.url);
      if (Number.isNaN(from) || Number.isNaN(until)) return invalidParameter();
      body = encoder.encode(JSON.stringify(findEvents(events, from, until)));
      answers.set(request.url, body);
    } else counts.kept++;
    return new Response(body, { headers: JSON_HEADERS });
  };
}

function invalidParameter(): Response {
  return Response.json({ data: null, error: { code: "invalid_parameter" } }, { status: 400 });
}
