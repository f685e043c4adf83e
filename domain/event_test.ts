import { assert, assertEquals, assertNotEquals, equal } from "@std/assert";
import fc from "fast-check";
import { CHANGES_MAX, type Event, observePlan, unlistEvent } from "./event.ts";
import { decodeEvent, decodePlan, encodeEvent, encodePlan } from "./event_codec.ts";
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

/** Polls on a clock that moves on; a poll that does not list the event has no plan. */
const polls = fc.array(
  fc.record({
    step: fc.integer({ min: 0, max: 4 }),
    isListed: fc.constantFrom(true, true, true, false),
    sellMode: fc.constantFrom<SellMode>("online", "offline"),
    title: fc.constantFrom("A", "B", "C"),
    end: fc.option(fc.integer({ min: 1, max: 20 })),
  }),
  { minLength: 1, maxLength: 60, size: "max" }, // "max": arrays stay under ten otherwise
).map((drawn) => {
  let day = 0;
  return drawn.map(({ step, isListed, sellMode, title, end }, n) => ({
    day: day += step,
    plan: isListed || n === 0
      ? plan({ sellMode, title, end: end === null ? null : end * 86_400 })
      : null,
  }));
});

/** What an event becomes over polls. The store leaves out those that list it again as it was. */
function replayed(
  history: { day: number; plan: Plan | null }[],
  { skipsUnchanged }: { skipsUnchanged: boolean } = { skipsUnchanged: true },
): Event {
  let event: Event | null = null;
  let lastListed = 0;
  for (const { day, plan } of history) {
    const now = day * DAY_MS;
    if (plan === null) {
      if (event!.lastSeen === null) event = unlistEvent(event!, lastListed, now);
      continue;
    }
    lastListed = now;
    const isUnchanged = event !== null && event.lastSeen === null && equal(event.plan, plan);
    if (isUnchanged && skipsUnchanged) continue;
    event = observePlan(event, { id: "x", provider: "test", plan, now });
  }
  return event!;
}

Deno.test("both policies agree with a model that looks back over all polls", () => {
  const seen = { hidden: 0, online: 0, history: 0 };
  fc.assert(
    fc.property(polls, (all) => {
      const event = replayed(all);
      assertEquals(replayed(all, { skipsUnchanged: false }), event);
      const history = all.filter((poll): poll is { day: number; plan: Plan } => poll.plan !== null);
      const lastOnline = history.findLast(({ plan }) => plan.sellMode === "online");
      assertEquals(visiblePlan(event, "ever"), lastOnline?.plan ?? null);
      // Offline ever since: at each of those polls it had to be over already.
      const since = lastOnline === undefined ? [] : history.slice(history.indexOf(lastOnline) + 1);
      const stays = lastOnline !== undefined &&
        since.every(({ day, plan }) => (plan.end ?? plan.start) <= day * 86_400);
      assertEquals(visiblePlan(event, "latest"), stays ? history.at(-1)!.plan : null);
      seen[!stays ? "hidden" : since.length === 0 ? "online" : "history"]++;
    }),
    { numRuns: 2_000 },
  );
  assert(Math.min(...Object.values(seen)) > 50, `each case was drawn: ${JSON.stringify(seen)}`);
});

Deno.test("history is bounded, in order, and with what it dropped it is every change there was", () => {
  let dropped = 0;
  fc.assert(fc.property(polls, (all) => {
    const { changes, changesDropped, firstSeen, lastSeen } = replayed(all);
    const expected: number[] = [];
    let before = all[0].plan, isListed = true;
    for (const { day, plan } of all.slice(1)) {
      const differs = plan !== null && encodePlan(plan) !== encodePlan(before!);
      if (differs || (plan !== null) !== isListed) expected.push(day * DAY_MS);
      before = plan ?? before;
      isListed = plan !== null;
    }
    assertEquals(changes.map(({ at }) => at), expected.slice(-CHANGES_MAX));
    assertEquals(changesDropped, Math.max(0, expected.length - CHANGES_MAX));
    assertEquals(firstSeen, all[0].day * DAY_MS);
    const last = all.findLast(({ plan }) => plan !== null)!;
    assertEquals(lastSeen, isListed ? null : last.day * DAY_MS);
    dropped += changesDropped;
    // Each change begins where the one before it ended.
    const values = new Map<string, unknown>();
    for (const { fields } of changes) {
      for (const [name, { from, to }] of Object.entries(fields)) {
        assertNotEquals(from, to);
        if (values.has(name)) assertEquals(from, values.get(name), name);
        values.set(name, to);
      }
    }
  }));
  assert(dropped > 0, "no history was long enough to be cut");
});

Deno.test("a change of the zones alone is a change, also when their number and prices stay", () => {
  const zone = { id: "1", capacity: 4, price: 20, name: "Platea", numbered: true };
  const before = plan({ zones: [zone] });
  const event = listed([{ day: 1, plan: before }, {
    day: 2,
    plan: plan({ zones: [{ ...zone, capacity: 3 }] }),
  }]);
  assertEquals(event.changes, [{ at: 2 * DAY_MS, fields: { zones: { from: 1, to: 1 } } }]);
});

Deno.test("a sighting changes neither the event that was kept nor the plan that was seen", () => {
  fc.assert(fc.property(polls, polls, (first, then) => {
    const kept = replayed(first);
    const before = structuredClone(kept);
    const seen = then[0].plan!;
    const seenBefore = structuredClone(seen);
    observePlan(kept, { id: "x", provider: "other", plan: seen, now: 0 });
    unlistEvent(kept, 0, 0);
    assertEquals([kept, seen], [before, seenBefore]);
  }));
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
  // Lone surrogates too: JSON escapes them.
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom("\ud83c", "\udfad\ud83c", '"],[', "\u2028", "\n\r\0", "__proto__"),
  );
  const time = fc.option(fc.integer());
  const plans = fc.record({
    basePlanId: text,
    planId: text,
    title: text,
    sellMode: fc.constantFrom<SellMode>("online", "offline"),
    organizerCompanyId: fc.option(text),
    start: fc.integer(),
    end: time,
    sellFrom: time,
    sellTo: time,
    soldOut: fc.boolean(),
    zones: fc.array(fc.record({
      id: text,
      capacity: fc.option(fc.nat()),
      price: fc.double({ noNaN: true, noDefaultInfinity: true }).map((price) => price + 0),
      name: text,
      numbered: fc.boolean(),
    })),
  });
  // The times of a history are written out, which needs years 0001 to 9999.
  const inTime = plans.map((one) => ({
    ...one,
    start: 0,
    end: null,
    sellFrom: null,
    sellTo: null,
  }));
  fc.assert(fc.property(plans, plans, (a, b) => {
    assertEquals(decodePlan(encodePlan(a)), a);
    assertEquals(encodePlan(a) === encodePlan(b), equal(a, b), "equal plans, equal texts");
    assertEquals(encodePlan(structuredClone(a)), encodePlan(a));
  }));
  fc.assert(fc.property(inTime, inTime, text, (a, b, provider) => {
    const id = crypto.randomUUID();
    const first = observePlan(null, { id, provider, plan: a, now: 1 });
    const second = observePlan(first, { id, provider: "other", plan: b, now: 2 });
    for (const event of [first, second, unlistEvent(second, 2, 3)]) {
      const encoded = encodeEvent(event);
      assertEquals(decodeEvent(encoded), event);
      assertEquals(encoded.includes("\n"), false, "a line");
      assertEquals(encoded.slice(2, 38), id, "that begins with the id");
    }
  }));
});
