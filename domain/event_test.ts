import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { CHANGES_MAX, type Event, observePlan, unlistEvent } from "./event.ts";
import { decodeEvent, encodeEvent } from "./event_codec.ts";
import type { Plan, SellMode } from "./plan.ts";
import { type SellModePolicy, summarizeEvent, visiblePlan } from "./visibility.ts";

const DAY_MS = 86_400_000;

const plan = (changes: Partial<Plan> = {}): Plan => ({
  basePlanId: "1",
  planId: "2",
  title: "Tosca",
  sellMode: "online",
  organizerCompanyId: null,
  start: 10 * 86_400,
  end: 11 * 86_400,
  sellFrom: null,
  sellTo: null,
  soldOut: false,
  zones: [],
  ...changes,
});

/** What an event becomes when its plan is listed as given, poll after poll. */
function listed(polls: { day: number; plan: Plan }[]): Event {
  let event: Event | null = null;
  for (const { day, plan } of polls) {
    event = observePlan(event, { id: "x", provider: "test", plan, now: day * DAY_MS });
  }
  return event!;
}

const isVisible = (event: Event, policy: SellModePolicy) => visiblePlan(event, policy) !== null;

Deno.test("an event taken offline before its end is hidden, and comes back online", () => {
  const offline = { day: 5, plan: plan({ sellMode: "offline" }) };
  assertEquals(isVisible(listed([{ day: 1, plan: plan() }, offline]), "latest"), false);
  const later = { day: 20, plan: plan({ sellMode: "offline", title: "Aida" }) };
  assertEquals(isVisible(listed([{ day: 1, plan: plan() }, offline, later]), "latest"), false);
  assertEquals(
    isVisible(listed([{ day: 1, plan: plan() }, offline, { day: 6, plan: plan() }]), "latest"),
    true,
  );
});

Deno.test("an event taken offline after its end stays, as history", () => {
  const offline = { day: 11, plan: plan({ sellMode: "offline" }) };
  const event = listed([{ day: 1, plan: plan() }, offline]);
  assertEquals(isVisible(event, "latest"), true);
  assertEquals(isVisible(listed([offline]), "latest"), false, "it was never online");
});

Deno.test("without an end, its start decides whether it is over", () => {
  const start = { day: 10, plan: plan({ sellMode: "offline" as SellMode, end: null }) };
  assertEquals(isVisible(listed([{ day: 1, plan: plan() }, start]), "latest"), true);
});

Deno.test("the policy ever keeps what was ever online, with its values when last online", () => {
  const event = listed([
    { day: 1, plan: plan({ title: "A" }) },
    { day: 2, plan: plan({ title: "B" }) },
    { day: 3, plan: plan({ title: "C", sellMode: "offline" }) },
    { day: 4, plan: plan({ title: "D", sellMode: "offline" }) },
  ]);
  assertEquals(summarizeEvent(event, "ever")!.title, "B");
  assertEquals(summarizeEvent(event, "latest"), null);
  assertEquals(
    summarizeEvent(listed([{ day: 1, plan: plan({ sellMode: "offline" }) }]), "ever"),
    null,
  );
});

Deno.test("both policies agree with a model that looks back over all polls", () => {
  const poll = fc.record({
    step: fc.integer({ min: 0, max: 4 }),
    sellMode: fc.constantFrom<SellMode>("online", "offline"),
    title: fc.constantFrom("A", "B", "C"),
    end: fc.option(fc.integer({ min: 1, max: 20 })),
  });
  fc.assert(
    fc.property(fc.array(poll, { minLength: 1, maxLength: 15 }), (polls) => {
      let day = 0;
      const history = polls.map(({ step, sellMode, title, end }) => ({
        day: day += step,
        plan: plan({ sellMode, title, end: end === null ? null : end * 86_400 }),
      }));
      const event = listed(history);
      const lastOnline = history.findLast(({ plan }) => plan.sellMode === "online");
      assertEquals(visiblePlan(event, "ever"), lastOnline?.plan ?? null);
      // Offline ever since: at each of those polls it had to be over already.
      const since = lastOnline === undefined ? [] : history.slice(history.indexOf(lastOnline) + 1);
      const stays = lastOnline !== undefined &&
        since.every(({ day, plan }) => (plan.end ?? plan.start) <= day * 86_400);
      assertEquals(visiblePlan(event, "latest"), stays ? history.at(-1)!.plan : null);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("history keeps the last changes, and counts those that it dropped", () => {
  const polls = Array.from(
    { length: CHANGES_MAX + 6 },
    (_, n) => ({ day: n, plan: plan({ title: `t${n}` }) }),
  );
  const event = listed(polls);
  assertEquals([event.changes.length, event.changesDropped], [CHANGES_MAX, 5]);
  assertEquals(event.changes.at(-1)!.fields.title.to, `t${CHANGES_MAX + 5}`);
});

Deno.test("an event that is unlisted and listed again has both in its history, and its first sighting", () => {
  const first = listed([{ day: 1, plan: plan() }]);
  const gone = unlistEvent(first, 2 * DAY_MS, 3 * DAY_MS);
  assertEquals([gone.firstSeen, gone.lastSeen], [DAY_MS, 2 * DAY_MS]);
  const back = observePlan(gone, { id: "x", provider: "test", plan: plan(), now: 4 * DAY_MS });
  assertEquals([back.firstSeen, back.lastSeen], [DAY_MS, null]);
  assertEquals(back.changes.map(({ fields }) => fields.listed.to), [false, true]);
});

Deno.test("an event is read as it was written, whatever its texts hold", () => {
  const text = fc.string({ unit: "binary", maxLength: 40 });
  const plans = fc.record({
    title: text,
    organizerCompanyId: fc.option(text),
    end: fc.option(fc.integer()),
    zones: fc.array(fc.record({
      id: text,
      capacity: fc.option(fc.nat()),
      price: fc.double({ noNaN: true, noDefaultInfinity: true }).map((price) => price + 0),
      name: text,
      numbered: fc.boolean(),
    })),
  });
  fc.assert(fc.property(plans, plans, (a, b) => {
    const event = listed([{ day: 1, plan: plan(a) }, {
      day: 2,
      plan: plan({ ...b, sellMode: "offline" }),
    }]);
    const encoded = encodeEvent({ ...event, id: crypto.randomUUID() });
    assertEquals(encodeEvent(decodeEvent(encoded)), encoded);
    assertEquals({ ...decodeEvent(encoded), id: "x" }, event);
    assertEquals(encoded.includes("\n"), false, "a line");
  }));
});
