/**
 * Steps of the journey that the design has left behind, over the same events. Prints its port. A line on standard
 * input has it print how many of the searches so far it answered from those that it kept. It ends when standard input
 * does.
 * `deno run --allow-net --allow-read --allow-write bench/journey/server.ts kv-list|cached RESULTS FOLDER`
 *
 * - `kv-list`: the events are in Deno KV by their start, and every search lists what it needs
 * - `cached`: they are in an array, searched by bisection, and the last answers are kept by their query
 *
 * The step between the two, the array alone, is `index` of bench/peers/deno_filter.ts.
 *
 * @module
 */
import { LRUCache } from "lru-cache";
import type { SearchResult } from "../../domain/mod.ts";
import { inputLines } from "../input_lines.ts";
import {
  type ArrayEvent,
  findByIndex,
  invalidParameter,
  rangeOf,
  readEvents,
} from "../peers/event_array.ts";

/** Events of one commit; Deno KV takes 1,000 mutations and 800 kB. */
const COMMIT_EVENTS = 500;
/** Answers that are kept, of some 9 kB each. */
const ANSWERS_MAX = 10_000;

const encoder = new TextEncoder();
const JSON_HEADERS = { headers: { "content-type": "application/json" } };

const [variant, file, folder] = Deno.args;
const events = readEvents(file);
const answers = new LRUCache<string, Uint8Array<ArrayBuffer>>({ max: ANSWERS_MAX });
let asked = 0, kept = 0;
const handlers: Record<string, () => Promise<Deno.ServeHandler>> = {
  "kv-list": async () => {
    const kv = await Deno.openKv(`${folder}/journey.kv`);
    await store(kv, events);
    return (request) => listed(kv, request);
  },
  "cached": () => Promise.resolve(cached),
};
const makeHandler = handlers[variant];
if (makeHandler === undefined) {
  throw new TypeError(`"${variant}" is none of ${Object.keys(handlers).join(", ")}`);
}
const handler = await makeHandler();
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, handler);
for await (const _ of inputLines()) {
  console.log(JSON.stringify({ kept, asked }));
}
Deno.exit(0);

/** Keys are in the order of answers, so that a list is one. */
async function store(kv: Deno.Kv, events: readonly ArrayEvent[]): Promise<void> {
  for (let i = 0; i < events.length; i += COMMIT_EVENTS) {
    const commit = kv.atomic();
    for (const { start, end, result } of events.slice(i, i + COMMIT_EVENTS)) {
      commit.set(["event", start, end, result.id], result);
    }
    await commit.commit();
  }
}

async function listed(kv: Deno.Kv, request: Request): Promise<Response> {
  const range = rangeOf(request);
  if (range === null) return invalidParameter();
  const { from, to } = range;
  const found: SearchResult[] = [];
  const list = kv.list<SearchResult>({ start: ["event", from], end: ["event", to + 1] });
  for await (const { key, value } of list) {
    if (key[2] as number <= to) found.push(value);
  }
  return Response.json({ data: { events: found }, error: null });
}

function cached(request: Request): Response {
  asked++;
  const answer = answers.get(request.url);
  if (answer !== undefined) {
    kept++;
    return new Response(answer, JSON_HEADERS);
  }
  const range = rangeOf(request);
  if (range === null) return invalidParameter();
  const found = findByIndex(events, range.from, range.to);
  const body = encoder.encode(JSON.stringify({ data: { events: found }, error: null }));
  answers.set(request.url, body);
  return new Response(body, JSON_HEADERS);
}
