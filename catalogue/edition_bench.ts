import { encodeEvent, type Event } from "../domain/mod.ts";
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

const catalogue = new Catalogue({ storeId: "bench", policy: "latest" });
const events = Array.from({ length: EVENTS }, (_, number) => encodeEvent(event(number)));
await catalogue.publish({ version: 1, isComplete: true, events, sightings: {} });
const edition = catalogue.edition!;

for (const hits of [1, 50, 5_000]) {
  Deno.bench(`search, ${hits} of ${EVENTS} events`, { group: "search" }, () => {
    const from = 50_000 * HOUR;
    const range = { from, to: from + hits * HOUR };
    const answer = edition.search({ range, limit: null, after: null });
    if (answer.count !== hits) throw new Error(`${answer.count} instead of ${hits}`);
  });
}

let version = 1;
Deno.bench(`publish a version with 1 % of ${EVENTS} events changed`, async () => {
  const changed = events.slice(0, EVENTS / 100);
  await catalogue.publish({
    version: ++version,
    isComplete: false,
    events: changed,
    sightings: {},
  });
});
