import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertStrictEquals,
} from "@std/assert";
import fc from "fast-check";
import { gunzipSync } from "node:zlib";
import {
  compareEvents,
  type DateRange,
  encodeEvent,
  type Event,
  type EventSummary,
  type Plan,
  search,
  type SellModePolicy,
  summarizeEvent,
  toSearchResult,
  UNBOUNDED,
} from "../domain/mod.ts";
import {
  Catalogue,
  type Coding,
  decodeCursor,
  type Edition,
  GatherList,
  type SearchQuery,
  sharedMemorySource,
  streamAnswer,
} from "./mod.ts";

const decoder = new TextDecoder();

/** Few starts, so that many events share one; the rest of the seconds between year 1 and year 9999 now and then. */
const start = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 5 }).map((n) => n * 3_600) },
  { weight: 2, arbitrary: fc.integer({ min: 1_600_000_000, max: 1_600_100_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }) },
);
/** What lies between a start and its end: nothing, a while, ten years, or less than nothing. */
const duration = fc.oneof(
  fc.constant(null),
  fc.constant(0),
  fc.integer({ min: 1, max: 10_000 }),
  fc.constant(315_360_000),
  fc.integer({ min: -20_000, max: -1 }),
);
const title = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 12 }),
  // Whatever JSON or a text file might trip over, half a surrogate pair included.
  fc.constantFrom(
    '"',
    "\\",
    "},{",
    "\u0000",
    "\u2028\u2029",
    "\ud800",
    "\udc00x",
    "</script>",
    "é日🎭",
  ),
);
const price = fc.oneof(
  fc.constantFrom(0, 0.1, 1e21, 1e-7, -5),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const plan: fc.Arbitrary<Plan> = fc.record({
  start,
  duration,
  title,
  prices: fc.array(price, { maxLength: 3 }),
  sellMode: fc.constantFrom("online", "online", "online", "offline"),
}).map(({ start, duration, title, prices, sellMode }) => ({
  basePlanId: "1",
  planId: "2",
  title,
  sellMode: sellMode as Plan["sellMode"],
  organizerCompanyId: null,
  start,
  end: duration === null ? null : start + duration,
  sellFrom: null,
  sellTo: null,
  soldOut: false,
  zones: prices.map((price) => ({ id: "1", capacity: 0, price, name: "", numbered: false })),
}));

function eventOf(id: fc.Arbitrary<string>): fc.Arbitrary<Event> {
  return fc.record({
    id,
    plan,
    lastOnlinePlan: fc.option(plan, { freq: 2 }),
    isHistory: fc.boolean(),
  }).map(({ id, plan, lastOnlinePlan, isHistory }) => ({
    id,
    provider: "demo",
    plan,
    lastOnlinePlan: plan.sellMode === "online" ? null : lastOnlinePlan,
    isHistory: plan.sellMode === "offline" && isHistory,
    firstSeen: 0,
    lastSeen: null,
    changes: [],
    changesDropped: 0,
  }));
}

const events = (size: number) =>
  fc.uniqueArray(eventOf(fc.uuid()), { maxLength: size, selector: ({ id }) => id });
const policy = fc.constantFrom<SellModePolicy>("latest", "ever");
/** Ranges whose ends lie on, just before and just after the times of the events. */
const range: fc.Arbitrary<DateRange> = fc.record({
  from: fc.oneof(
    fc.constant(-Infinity),
    fc.tuple(start, fc.integer({ min: -1, max: 1 })).map(([at, by]) => at + by),
  ),
  length: fc.oneof(
    fc.constant(Infinity),
    fc.constantFrom(0, 1, 3_599, 3_600, 7_200, 315_360_000),
    fc.nat({ max: 30_000 }),
  ),
}).map(({ from, length }) => ({
  from,
  to: from === -Infinity ? (length === Infinity ? Infinity : length) : from + length,
}));

function visible(all: Iterable<Event>, policy: SellModePolicy): EventSummary[] {
  return [...all].map((event) => summarizeEvent(event, policy)).filter((one) => one !== null);
}

/** What the answer must be: the domain's search, and JSON.stringify. */
function expected(summaries: EventSummary[], range: DateRange): string {
  const found = search(summaries, range).map(toSearchResult);
  return JSON.stringify({ data: { events: found }, error: null });
}

async function catalogueOf(
  all: readonly Event[],
  policy: SellModePolicy = "latest",
): Promise<Catalogue> {
  const catalogue = new Catalogue({ storeId: "5f0c2a91", policy });
  await catalogue.publish({
    version: 1,
    isComplete: true,
    events: all.map(encodeEvent),
    sightings: {},
  });
  return catalogue;
}

/** An answer, its gather list left to the garbage collector. */
function listOf(
  edition: Edition,
  query: Partial<SearchQuery>,
  coding: Coding = "identity",
): { list: GatherList; count: number } {
  const list = new GatherList(sharedMemorySource);
  const count = edition.search(
    { range: UNBOUNDED, limit: null, after: null, ...query },
    list,
    coding,
  );
  return { list, count };
}

function bodyOf(edition: Edition, query: Partial<SearchQuery> = {}): string {
  return decoder.decode(listOf(edition, query).list.joined());
}

interface Page {
  events: { id: string }[];
  next_cursor: string | null;
}

function pageOf(
  catalogue: Catalogue,
  range: DateRange,
  limit: number,
  cursor: string | null,
): Page {
  const after = cursor === null ? null : decodeCursor(cursor);
  const { list, count } = listOf(catalogue.edition!, { range, limit, after });
  const body = decoder.decode(list.joined());
  const page = JSON.parse(body);
  assertEquals(page.error, null);
  assertEquals(Object.keys(page.data), ["events", "next_cursor"]);
  assertEquals(JSON.stringify(page), body);
  assertEquals(page.data.events.length, count);
  assertLessOrEqual(count, limit);
  return page.data;
}

function titled(number: number): Event {
  return {
    id: `00000000-0000-5000-8000-${String(number).padStart(12, "0")}`,
    provider: "demo",
    plan: {
      basePlanId: String(number),
      planId: "1",
      title: `Event number ${number} of a long catalogue, with a title of some length`,
      sellMode: "online",
      organizerCompanyId: null,
      start: number * 60,
      // Every tenth is long, so that an answer has many runs.
      end: number * 60 + (number % 10 === 0 ? 1e7 : 30),
      sellFrom: null,
      sellTo: null,
      soldOut: false,
      zones: [],
    },
    lastOnlinePlan: null,
    isHistory: false,
    firstSeen: 0,
    lastSeen: null,
    changes: [],
    changesDropped: 0,
  };
}

Deno.test("an answer is the JSON of the domain's search, byte for byte", async () => {
  await fc.assert(
    fc.asyncProperty(
      events(40),
      policy,
      fc.array(range, { maxLength: 8 }),
      async (all, policy, ranges) => {
        const { edition } = await catalogueOf(all, policy);
        const summaries = visible(all, policy);
        assertEquals(edition!.size, summaries.length);
        for (const range of [UNBOUNDED, ...ranges]) {
          const { list, count } = listOf(edition!, { range });
          const text = expected(summaries, range);
          assertEquals(decoder.decode(list.joined()), text);
          const bytes = new TextEncoder().encode(text);
          assertEquals(list.byteLength, bytes.length);
          assertEquals(count, search(summaries, range).length);
          assertEquals(await new Response(streamAnswer(edition!, list)).bytes(), bytes);
          const gzipped = listOf(edition!, { range }, "gzip").list;
          assertEquals(new Uint8Array(gunzipSync(gzipped.joined())), bytes);
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("pages walked to the end hold the whole, each event once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      events(40),
      range,
      fc.integer({ min: 1, max: 9 }),
      async (all, range, limit) => {
        const catalogue = await catalogueOf(all);
        const walked: unknown[] = [];
        let cursor: string | null = null;
        do {
          const page: Page = pageOf(catalogue, range, limit, cursor);
          walked.push(...page.events);
          cursor = page.next_cursor;
          if (cursor !== null) assertEquals(page.events.length, limit);
          assertLessOrEqual(walked.length, all.length);
        } while (cursor !== null);
        const whole = expected(visible(all, "latest"), range);
        assertEquals(JSON.stringify({ data: { events: walked }, error: null }), whole);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a walk through pages neither skips nor repeats what did not change meanwhile", async () => {
  const step = fc.record({ touched: fc.array(fc.nat(), { maxLength: 6 }), added: events(4) });
  await fc.assert(
    fc.asyncProperty(
      events(30),
      fc.array(step, { maxLength: 8 }),
      plan,
      range,
      fc.integer({ min: 1, max: 5 }),
      async (all, steps, other, range, limit) => {
        const catalogue = await catalogueOf(all);
        const changed = new Set<string>();
        const walked: string[] = [];
        let cursor: string | null = null;
        let version = 1;
        do {
          const page: Page = pageOf(catalogue, range, limit, cursor);
          walked.push(...page.events.map(({ id }) => id));
          cursor = page.next_cursor;
          const { touched, added } = steps[version - 1] ?? { touched: [], added: [] };
          const moved = all.length === 0
            ? []
            : touched.map((n) => ({ ...all[n % all.length], plan: other, lastOnlinePlan: null }));
          const change = [...moved, ...added];
          for (const { id } of change) changed.add(id);
          if (change.length > 0) {
            await catalogue.publish({
              version: ++version,
              isComplete: false,
              events: change.map(encodeEvent),
              sightings: {},
            });
          }
          assertLessOrEqual(walked.length, 2_000);
        } while (cursor !== null);
        const stable = search(visible(all, "latest"), range)
          .map(({ id }) => id).filter((id) => !changed.has(id));
        assertEquals(walked.filter((id) => !changed.has(id)), stable);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("editions that were built step by step equal one built at once", async () => {
  // Ids from a small pool: most steps change events that are there, some twice.
  const pooled = fc.array(eventOf(fc.nat({ max: 15 }).map((n) => titled(n).id)), { maxLength: 12 });
  const steps = fc.array(fc.record({ events: pooled, isComplete: fc.boolean() }), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(
      steps,
      policy,
      fc.array(range, { maxLength: 4 }),
      async (steps, policy, ranges) => {
        const catalogue = new Catalogue({ storeId: "5f0c2a91", policy });
        const current = new Map<string, Event>();
        for (const [index, { events, isComplete }] of steps.entries()) {
          if (isComplete || index === 0) current.clear();
          for (const event of events) current.set(event.id, event);
          await catalogue.publish({
            version: index + 1,
            isComplete: isComplete || index === 0,
            events: events.map(encodeEvent),
            sightings: {},
          });
          assertEquals(catalogue.edition!.version, index + 1);
          const fresh = await catalogueOf([...current.values()], policy);
          assertEquals(catalogue.size, current.size);
          for (const range of [UNBOUNDED, ...ranges]) {
            const text = expected(visible(current.values(), policy), range);
            assertEquals(bodyOf(catalogue.edition!, { range }), text);
            assertEquals(bodyOf(fresh.edition!, { range }), text);
          }
          for (let n = 0; n <= 15; n++) {
            const { id } = titled(n);
            // Compared as stored: JSON writes -0 as 0.
            const known = current.get(id);
            const found = catalogue.event(id);
            assertEquals(
              found === null ? undefined : encodeEvent(found),
              known === undefined ? undefined : encodeEvent(known),
            );
          }
        }
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("an answer that is being sent stays what it was when it began", async () => {
  const all = Array.from({ length: 3_000 }, (_, n) => titled(n));
  const catalogue = await catalogueOf(all);
  const { edition } = catalogue;
  const { list } = listOf(edition!, {});
  assertGreater(list.byteLength, 262_144, "such an answer is sent in several pieces");
  const reader = streamAnswer(edition!, list).getReader();
  const pieces = [(await reader.read()).value!];
  await catalogue.publish({
    version: 2,
    isComplete: false,
    events: all.map((event) =>
      encodeEvent({ ...event, plan: { ...event.plan, title: "Another title altogether" } })
    ),
    sightings: {},
  });
  await catalogue.settled();
  assertEquals(catalogue.pinned, 1);
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    pieces.push(next.value);
  }
  assertEquals(await new Blob(pieces).text(), expected(visible(all, "latest"), UNBOUNDED));
  assertEquals(catalogue.pinned, 0);
});

Deno.test("an event is found by its id, visible or not, and an unknown id finds nothing", async () => {
  const hidden = { ...titled(1), plan: { ...titled(1).plan, sellMode: "offline" as const } };
  const catalogue = await catalogueOf([hidden, titled(2)]);
  assertEquals(catalogue.edition!.size, 1);
  assertEquals(catalogue.size, 2);
  assertEquals(catalogue.event(hidden.id), hidden);
  assertEquals(catalogue.event(titled(2).id), titled(2));
  assertEquals(catalogue.event(titled(3).id), null);
  assertEquals(catalogue.event(""), null);
});

Deno.test("sightings are taken with every step, also one that changes no event", async () => {
  const catalogue = await catalogueOf([titled(1)]);
  const before = catalogue.edition;
  await catalogue.publish({ version: 1, isComplete: false, events: [], sightings: { demo: 99 } });
  assertEquals(catalogue.sightings, { demo: 99 });
  assertStrictEquals(catalogue.edition, before, "nothing changed, so the edition stays");
});

Deno.test("ETags differ between versions, stores and policies, and are strong", async () => {
  const etags = new Set<string>();
  for (const storeId of ["5f0c2a91", "00c2a915"]) {
    for (const policy of ["latest", "ever"] as const) {
      const catalogue = new Catalogue({ storeId, policy });
      for (const version of [1, 2, 11]) {
        await catalogue.publish({ version, isComplete: true, events: [], sightings: {} });
        etags.add(catalogue.edition!.etag);
      }
    }
  }
  assertEquals(etags.size, 12);
  for (const etag of etags) assert(/^"[\x21\x23-\x7e]+"$/.test(etag), etag);
});

Deno.test("the bytes that a catalogue says it holds grow with what it holds", async () => {
  const none = await catalogueOf([]);
  const some = await catalogueOf(Array.from({ length: 1_000 }, (_, n) => titled(n)));
  const more = await catalogueOf(Array.from({ length: 9_000 }, (_, n) => titled(n)));
  assertGreater(some.byteLength, none.byteLength);
  assertGreater(more.byteLength, some.byteLength + 8_000 * 250);
});

Deno.test("a build of many events lets other work run in between", async () => {
  const all = Array.from({ length: 20_000 }, (_, n) => encodeEvent(titled(n)));
  const catalogue = new Catalogue({ storeId: "5f0c2a91", policy: "latest" });
  let turns = 0;
  const timer = setInterval(() => turns++);
  await catalogue.publish({ version: 1, isComplete: true, events: all, sightings: {} });
  clearInterval(timer);
  assertGreater(turns, 1);
  const ordered = all.map((text) => JSON.parse(text)[0]);
  const found = JSON.parse(
    bodyOf(catalogue.edition!),
  ).data.events.map(({ id }: { id: string }) => id);
  assertEquals(found, ordered);
  // The definition of that order, on a pair of events.
  assert(compareEvents({ start: 0, end: 30, id: "a" }, { start: 60, end: 90, id: "b" }) < 0);
});
