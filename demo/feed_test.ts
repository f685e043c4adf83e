import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { encodeFeed, renderFeed, type Vocabulary } from "./feed.ts";
import { type Element, readFeed } from "./read_feed.ts";
import { createSeason } from "./season.ts";

const STEP = Date.UTC(2026, 2, 10, 9) / 600_000;

function season(plans: number, badPlans = 3) {
  return createSeason({ plans, seed: 1, step: STEP, changeShare: 0.01, badPlans });
}

function feed(plans: number, vocabulary: Vocabulary = "plan"): Element {
  return readFeed([...renderFeed(season(plans), vocabulary)].join(""));
}

function basePlan(list: Element, id: number): Element {
  const found = list.children[0].children.filter(({ attributes }) => {
    return attributes.base_plan_id === String(id);
  });
  assertEquals(found.length, 1, `base plan ${id}`);
  return found[0];
}

Deno.test("the feed is planList/output/base_plan/plan/zone with the attributes that providers give", () => {
  const list = feed(600);
  assertEquals([list.name, list.attributes], ["planList", { version: "1.0" }]);
  assertEquals(list.children.map(({ name }) => name), ["output"]);
  const concert = basePlan(list, 291);
  assertEquals(concert.name, "base_plan");
  assertEquals(
    Object.keys(concert.attributes),
    ["base_plan_id", "sell_mode", "title", "organizer_company_id"],
  );
  const [plan] = concert.children;
  assertEquals(plan.name, "plan");
  const dates = ["plan_start_date", "plan_end_date", "sell_from", "sell_to"];
  assertEquals(Object.keys(plan.attributes), ["plan_id", ...dates, "sold_out"]);
  for (const date of dates) assertMatch(plan.attributes[date], /^\d{4}-\d\d-\d\dT\d\d:\d\d:00$/);
  for (const { name, attributes } of plan.children) {
    assertEquals(name, "zone");
    assertEquals(Object.keys(attributes), ["zone_id", "capacity", "price", "name", "numbered"]);
  }
});

Deno.test("the older vocabulary says the same in its own words", () => {
  const older = [...renderFeed(season(600), "event")].join("");
  assertEquals(readFeed(older).name, "eventList");
  const translated = older.replaceAll(/(?<=[</_ ])event(?=[_ >L])/g, "plan");
  assertEquals(translated, [...renderFeed(season(600), "plan")].join(""));
});

for (const plans of [20, 600]) {
  Deno.test(`a season of ${plans} plans has every oddity of the real feed`, () => {
    const list = feed(plans);
    const basePlans = list.children[0].children;

    for (const id of [322, 1591, 444]) {
      const ids = basePlan(list, id).children.map(({ attributes }) => attributes.plan_id);
      assert(ids.includes("1642"), `plan 1642 under ${id}`);
    }
    const twice = basePlan(list, 1591).children[0].children
      .filter(({ attributes }) => attributes.zone_id === "186");
    assertEquals(twice.map(({ attributes }) => attributes.price), ["48.00", "36.50"]);

    const full = basePlan(list, 680).children[0];
    assertEquals(full.attributes.sold_out, "false");
    assert(full.children.every(({ attributes }) => attributes.capacity === "0"));
    assertEquals(basePlan(list, 680).attributes.organizer_company_id, undefined);

    const impossible = basePlan(list, 444).children[0].attributes;
    assertMatch(impossible.plan_end_date, /^\d{4}-(02|04|06|09|11)-31T\d\d:\d\d:00$/);
    assertGreaterOrEqual(impossible.plan_end_date, impossible.plan_start_date);
    const brief = basePlan(list, 733).children[0].attributes;
    assertEquals(brief.plan_end_date, brief.plan_start_date);

    assertEquals(basePlan(list, 176).attributes.sell_mode, "offline");
    assertEquals(basePlan(list, 950).children[0].children.length, 0);
    assertEquals(basePlan(list, 812).children.length, plans === 20 ? 4 : 60);
    assertEquals(basePlan(list, 612).children[0].children.length, plans === 20 ? 12 : 240);
    assert(
      basePlans.some(({ children }) => children[0].attributes.plan_end_date < "2026-03-10T09"),
    );

    const titles = basePlans.map(({ attributes }) => attributes.title).join("\n");
    for (const sign of [/&/, /</, />/, /"/, /é/, /[а-я]/, /\p{Script=Han}/u]) {
      assertMatch(titles, sign);
    }
  });
}

Deno.test("three plans of a season cannot be read, each for another reason, beside one that can", () => {
  const [good, withoutId, withoutStart, withoutPrice, ...more] = basePlan(feed(20), 901).children;
  assertEquals(more, []);
  assertEquals(good.attributes.plan_id, "1900");
  assertEquals(withoutId.attributes.plan_id, undefined);
  assertEquals(withoutStart.attributes.plan_start_date, "por confirmar");
  assertEquals(withoutPrice.children[0].attributes.price, "gratis");
});

Deno.test("bad plans can be left out, or be as many as the season has room for", () => {
  for (const [badPlans, listed] of [[0, 0], [100, 100], [1_000, 528]]) {
    const list = readFeed([...renderFeed(season(600, badPlans), "plan")].join(""));
    assertEquals(basePlan(list, 901).children.length, 1 + listed);
    const plans = list.children[0].children.flatMap(({ children }) => children);
    assertEquals(plans.length, 600);
  }
});

Deno.test("the impossible end is well after the start in every month, and never a real date", () => {
  for (let month = 0; month < 36; month++) {
    const step = Date.UTC(2026, month, 28) / 600_000;
    const options = { plans: 20, seed: month, step, changeShare: 0.01, badPlans: 0 };
    const list = readFeed([...renderFeed(createSeason(options), "plan")].join(""));
    const { plan_start_date: start, plan_end_date: end } =
      basePlan(list, 444).children[0].attributes;
    assertGreater(end, start);
    const date = new Date(`${end}Z`);
    assert(Number.isNaN(date.getTime()) || !date.toISOString().startsWith(end), end);
  }
});

Deno.test("a large feed is about 550 bytes a plan, in chunks of 64 kB", async () => {
  const decoder = new TextDecoder();
  const lengths: number[] = [];
  let plans = 0;
  for await (const chunk of encodeFeed(renderFeed(season(100_000), "plan"))) {
    lengths.push(chunk.length);
    // No chunk ends inside a tag, because none ends inside a base plan.
    plans += decoder.decode(chunk).split("<plan ").length - 1;
  }
  const bytes = lengths.reduce((sum, length) => sum + length, 0);
  assertEquals(plans, 100_000);
  assertGreater(bytes / plans, 500);
  assertLess(bytes / plans, 600);
  assertGreaterOrEqual(Math.min(...lengths.slice(0, -1)), 65_536);
  assertLess(Math.max(...lengths), 1_000_000);
});

Deno.test("a stream hands out what was made before making failed, then fails", async () => {
  function* failing() {
    yield "<a>";
    throw new Error("no more");
  }
  const reader = encodeFeed(failing()).getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "<a>");
  await assertRejects(() => reader.read(), Error, "no more");
});

Deno.test("a stream that is not read makes nothing", () => {
  let made = 0;
  function* counting() {
    for (;;) yield String(made++);
  }
  encodeFeed(counting());
  assertEquals(made, 0);
});
