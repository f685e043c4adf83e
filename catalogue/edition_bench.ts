import { encodeEvent, type Event } from "../domain/mod.ts";
import { chooseMemory } from "../memory_source.ts";
import { Catalogue } from "./catalogue.ts";

const EVENTS = 100_000;
const HOUR = 3_600;

/** An event every hour, each an hour long. */
function event(number: number): Event {
  const id = `00000000-0000-5000-8000-${String(number).padStart(12, "0")}`;
  return {
    id,
    provider: "bench",
    plan: {
      basePlanId: String(number),
      planId: "1",
      title: `Event number ${number} in concert`,
      sellMode: "online",
      organizerCompanyId: null,
      start: number * HOUR,
      end: (number + 1) * HOUR,
      sellFrom: null,
      sellTo: null,
      soldOut: false,
      zones: [{ id: "1", capacity: 100, price: 20, name: "Stalls", numbered: true }],
    },
    lastOnlinePlan: null,
    isHistory: false,
    firstSeen: 0,
    lastSeen: null,
    changes: [],
    changesDropped: 0,
  };
}

const { source } = chooseMemory();
const catalogue = new Catalogue({ storeId: "bench", policy: "latest", source });
const events = Array.from({ length: EVENTS }, (_, number) => encodeEvent(event(number)));
await catalogue.publish({ version: 1, isComplete: true, events, sightings: {} });
await catalogue.settled();
const list = catalogue.gatherList();

for (const coding of ["identity", "gzip"] as const) {
  for (const hits of [1, 50, 5_000]) {
    const from = 50_000 * HOUR;
    const query = { range: { from, to: from + hits * HOUR }, limit: null, after: null };
    Deno.bench(`${coding}, ${hits} of ${EVENTS} events`, { group: "search" }, () => {
      const count = catalogue.edition!.search(query, list, coding);
      if (count !== hits) throw new Error(`${count} instead of ${hits}`);
    });
  }
}

Deno.bench("build a first edition of 10,000 events, and compress it", async () => {
  const first = new Catalogue({ storeId: "bench", policy: "latest", source });
  await first.publish({
    version: 1,
    isComplete: true,
    events: events.slice(0, 10_000),
    sightings: {},
  });
  await first.settled();
  first.close();
});

let version = 1;
Deno.bench(`build and publish a version with 1 % of ${EVENTS} events changed`, async () => {
  version++;
  // Another title at each round, so that every event really changed.
  const changed = Array.from({ length: EVENTS / 100 }, (_, n) => {
    const one = event(n * 100);
    one.plan.title = `Version ${version}`;
    return encodeEvent(one);
  });
  await catalogue.publish({ version, isComplete: false, events: changed, sightings: {} });
  await catalogue.settled();
});
