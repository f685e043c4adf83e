import { assertEquals, assertMatch } from "@std/assert";
import { eventId } from "../domain/mod.ts";
import { planOf, TestApp } from "./test_app.ts";

const zones = [
  { id: "186", capacity: 2, price: 75, name: "Pit", numbered: true },
  { id: "186", capacity: 0, price: 65.5, name: 'A "quoted" name', numbered: false },
  { id: "", capacity: null, price: 0, name: "", numbered: false },
];
const full = planOf("1642", {
  basePlanId: "1591",
  title: "Los Morancos",
  organizerCompanyId: "1",
  start: Date.UTC(2021, 6, 31, 20) / 1_000,
  end: Date.UTC(2021, 6, 31, 21, 30) / 1_000,
  sellFrom: Date.UTC(2021, 5, 26) / 1_000,
  sellTo: Date.UTC(2021, 6, 31, 19, 50) / 1_000,
  soldOut: false,
  zones,
});

async function eventOf(app: TestApp, id: string) {
  const response = await app.get(`/events/${id}`);
  assertEquals(response.status, 200);
  return (await response.json()).data.event;
}

Deno.test("an event is shown with everything that its plan says", async () => {
  await using app = await TestApp.open();
  await app.publish([full]);
  const { first_seen, last_seen, ...rest } = await eventOf(app, await eventId(full));
  assertEquals(rest, {
    id: await eventId(full),
    base_plan_id: "1591",
    plan_id: "1642",
    title: "Los Morancos",
    sell_mode: "online",
    organizer_company_id: "1",
    start_date: "2021-07-31",
    start_time: "20:00:00",
    end_date: "2021-07-31",
    end_time: "21:30:00",
    sell_from: "2021-06-26T00:00:00",
    sell_to: "2021-07-31T19:50:00",
    sold_out: false,
    min_price: 0,
    max_price: 75,
    zones: [
      { zone_id: "186", capacity: 2, price: 75, name: "Pit", numbered: true },
      { zone_id: "186", capacity: 0, price: 65.5, name: 'A "quoted" name', numbered: false },
      { zone_id: "", capacity: null, price: 0, name: "", numbered: false },
    ],
    visible: true,
    listed: true,
    provider: "demo",
    changes: [],
    changes_dropped: 0,
  });
  assertMatch(first_seen, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals(last_seen, first_seen);
});

Deno.test("what changed is told with its values before and after, newest last", async () => {
  await using app = await TestApp.open();
  await app.publish([full]);
  await app.publish([{ ...full, title: "Los Morancos, again", soldOut: true }]);
  await app.publish([{ ...full, title: "Los Morancos, again", soldOut: true, end: null }]);
  await app.publish([planOf("9")]);
  const event = await eventOf(app, await eventId(full));
  assertEquals(event.changes.map(({ fields }: { fields: unknown }) => fields), [
    {
      title: { from: "Los Morancos", to: "Los Morancos, again" },
      sold_out: { from: false, to: true },
    },
    { end: { from: "2021-07-31T21:30:00", to: null } },
    { listed: { from: true, to: false } },
  ]);
  assertEquals([event.listed, event.visible, event.end_date], [false, true, null]);
  assertEquals(event.last_seen >= event.first_seen, true);
});

Deno.test("an event that searches hide is found by its id, and says that it is hidden", async () => {
  const offline = {
    ...full,
    sellMode: "offline" as const,
    title: "Changed while offline",
    end: 4e9,
  };
  for (const policy of ["latest", "ever"] as const) {
    await using app = await TestApp.open({ policy });
    await app.publish([full]);
    await app.publish([offline]);
    const event = await eventOf(app, await eventId(full));
    assertEquals(event.sell_mode, "offline");
    assertEquals(event.visible, policy === "ever");
    // Under `ever` it shows what it was when last online, as searches do.
    assertEquals(event.title, policy === "ever" ? "Los Morancos" : "Changed while offline");
    const found = (await (await app.get("/search")).json()).data.events;
    assertEquals(found.length, policy === "ever" ? 1 : 0);
  }
});

Deno.test("an id may be written in capitals; one that nobody has is 404", async () => {
  await using app = await TestApp.open();
  await app.publish([full]);
  const id = await eventId(full);
  assertEquals((await eventOf(app, id.toUpperCase())).id, id);
  for (const unknown of ["00000000-0000-5000-8000-000000000000", "1642", "%00", "x".repeat(500)]) {
    const response = await app.get(`/events/${unknown}`);
    assertEquals(response.status, 404, unknown);
    assertEquals((await response.json()).error.code, "event_not_found");
  }
});
