import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { Plan, Rejection } from "../domain/mod.ts";
import {
  FEED_DEPTH_MAX,
  PLAN_CHARACTERS_MAX,
  TITLE_CHARACTERS_MAX,
  TOKEN_BYTES_MAX,
} from "./limits.ts";
import { FeedError, type FeedErrorCode } from "./provider.ts";
import { readXmlFeed } from "./xml_feed.ts";

const encoder = new TextEncoder();

interface Read {
  plans: Plan[];
  rejections: Rejection[];
}

/** Reads a feed given in pieces. */
async function read(...pieces: (string | Uint8Array)[]): Promise<Read> {
  const result: Read = { plans: [], rejections: [] };
  await readXmlFeed(
    (async function* () {
      for (const piece of pieces) yield typeof piece === "string" ? encoder.encode(piece) : piece;
    })(),
    { observe: (plan) => result.plans.push(plan), reject: (one) => result.rejections.push(one) },
  );
  return result;
}

const feed = (content: string) => `<planList version="1.0"><output>${content}</output></planList>`;
const times = 'plan_start_date="2021-06-30T21:00:00" plan_end_date="2021-06-30T22:00:00"';
const zone = '<zone zone_id="186" capacity="0" price="20.00" name="Platea" numbered="true"/>';

/** A small feed with all the oddities that a provider's may have. */
const ODD = `<?xml version="1.0" encoding="UTF-8"?>\n` + feed(`
  <base_plan base_plan_id="322" sell_mode="online" organizer_company_id="2" title="Camela &amp; co &#x1F3AD; – 東京">
    <plan plan_id="1642" ${times} sell_from="2020-07-01T00:00:00" sell_to="2021-06-30T20:00:00" sold_out="false">
      ${zone}<!-- twice --><zone zone_id="186" capacity="16" price="65.5" name="Grada" numbered="false" />
    </plan>
    <plan plan_id="1643" plan_start_date="2021-06-30T21:00:00" plan_end_date="2021-06-30T21:00:00" sold_out="true"></plan>
  </base_plan>
  <base_plan base_plan_id='1591' sell_mode='online' title='Los Morancos'>
    <plan plan_id="1642" plan_start_date="2021-07-31T20:00:00" plan_end_date="2021-09-31T20:00:00">${zone}</plan>
  </base_plan>
  <base_plan base_plan_id="444" sell_mode="offline" title="Tributo">
    <plan plan_id="1642" ${times}/>
  </base_plan>`);

Deno.test("a feed with all the oddities is read as it is meant", async () => {
  const { plans, rejections } = await read(ODD);
  assertEquals(rejections, []);
  assertEquals(plans.map(({ basePlanId, planId }) => `${basePlanId}:${planId}`), [
    "322:1642",
    "322:1643",
    "1591:1642",
    "444:1642",
  ]);
  const [first, second, third, fourth] = plans;
  assertEquals(first, {
    basePlanId: "322",
    planId: "1642",
    title: "Camela & co 🎭 – 東京",
    sellMode: "online",
    organizerCompanyId: "2",
    start: Date.UTC(2021, 5, 30, 21) / 1_000,
    end: Date.UTC(2021, 5, 30, 22) / 1_000,
    sellFrom: Date.UTC(2020, 6, 1) / 1_000,
    sellTo: Date.UTC(2021, 5, 30, 20) / 1_000,
    soldOut: false,
    zones: [
      { id: "186", capacity: 0, price: 20, name: "Platea", numbered: true },
      { id: "186", capacity: 16, price: 65.5, name: "Grada", numbered: false },
    ],
  });
  assertEquals([second.end, second.soldOut, second.zones], [second.start, true, []]);
  assertEquals([third.end, third.organizerCompanyId], [null, null]);
  assertEquals(fourth.sellMode, "offline");
});

Deno.test("the older vocabulary of the feed says the same with other words", async () => {
  const older = ODD.replaceAll("plan", "event").replaceAll("Plan", "Event");
  assertEquals(await read(older), await read(ODD));
});

Deno.test("a plan that cannot be used is set aside with its reason, and no other with it", async () => {
  const base = (attributes: string, plans: string) =>
    `<base_plan ${attributes} sell_mode="online" title="t">${plans}</base_plan>`;
  const good = (id: number) => `<plan plan_id="${id}" ${times}>${zone}</plan>`;
  const { plans, rejections } = await read(feed(
    base(
      'base_plan_id="1"',
      [
        good(1),
        `<plan ${times}/>`,
        `<plan plan_id=" " ${times}/>`,
        '<plan plan_id="3"/>',
        '<plan plan_id="4" plan_start_date="2021-09-31T20:00:00"/>',
        '<plan plan_id="5" plan_start_date="por confirmar"/>',
        `<plan plan_id="6" ${times}>${zone}<zone price="gratis"/></plan>`,
        `<plan plan_id="7" ${times}><zone zone_id="1"/></plan>`,
        `<plan plan_id="8" ${times}><zone price="1e999"/></plan>`,
        `<plan plan_id="9" ${times}><zone price="12,50"/></plan>`,
        `<plan plan_id="a:b" ${times}/>`,
        `<plan plan_id="${"9".repeat(65)}" ${times}/>`,
        good(2),
      ].join(""),
    ) + base("", good(3)) + base('base_plan_id="2"', good(4)),
  ));
  assertEquals(plans.map(({ planId }) => planId), ["1", "2", "4"]);
  assertEquals(rejections.map(({ reason, basePlanId, planId }) => [reason, basePlanId, planId]), [
    ["missing_plan_id", "1", null],
    ["missing_plan_id", "1", null],
    ["unreadable_start", "1", "3"],
    ["unreadable_start", "1", "4"],
    ["unreadable_start", "1", "5"],
    ["unreadable_price", "1", "6"],
    ["unreadable_price", "1", "7"],
    ["unreadable_price", "1", "8"],
    ["unreadable_price", "1", "9"],
    ["invalid_id", "1", "a:b"],
    ["invalid_id", "1", "9".repeat(64)],
    ["missing_base_plan_id", null, "3"],
  ]);
});

Deno.test("a rejection says what could not be read, as the feed has it and cut short", async () => {
  const { rejections } = await read(feed(
    '<base_plan base_plan_id="1"><plan plan_id="1" plan_start_date="&quot;soon&quot;&#10;"/>' +
      `<plan plan_id="2" plan_start_date="${"x".repeat(5_000)}"/><plan plan_id="3"/></base_plan>`,
  ));
  assertEquals(rejections.map(({ detail }) => detail), [
    String.raw`"\"soon\"\n"`,
    `"${"x".repeat(200)}"`,
    "missing",
  ]);
});

Deno.test("values are read as the provider means them", async () => {
  const one = async (zone: string, plan = "", basePlan = "") => {
    const { plans, rejections } = await read(feed(
      `<base_plan base_plan_id="1" ${basePlan}><plan plan_id="2" ${times} ${plan}>` +
        `<zone ${zone}/></plan></base_plan>`,
    ));
    return plans[0] ?? rejections[0].reason;
  };
  const price = async (text: string): Promise<number | string> => {
    const plan = await one(`price="${text}"`);
    return typeof plan === "string" ? plan : plan.zones[0].price;
  };
  for (
    const [text, value] of [["20.00", 20], [" 0.5\n", 0.5], ["+7", 7], [".5", 0.5], ["1e2", 100]]
  ) {
    assertEquals(await price(String(text)), value, String(text));
  }
  for (const text of ["", " ", "0x10", "NaN", "Infinity", "1_000", "1.000,50", "20 EUR", "1e400"]) {
    assertEquals(await price(text), "unreadable_price", text);
  }
  for (
    const [text, value] of [
      ["16", 16],
      ["0", 0],
      [" 7 ", 7],
      ["", null],
      ["-1", null],
      [
        "1.5",
        null,
      ],
      ["1e3", null],
      ["9".repeat(16), null],
    ] as const
  ) {
    const plan = await one(`price="1" capacity="${text}"`);
    assertEquals((plan as Plan).zones[0].capacity, value, text);
  }
  for (
    const [text, value] of [["true", true], ["TRUE", true], ["1", true], ["false", false], [
      "",
      false,
    ], ["yes", false]] as const
  ) {
    const plan = await one(`price="1" numbered="${text}"`, `sold_out="${text}"`) as Plan;
    assertEquals([plan.soldOut, plan.zones[0].numbered], [value, value], text);
  }
  for (
    const [text, value] of [["online", "online"], ["offline", "offline"], ["", "offline"], [
      "paused",
      "offline",
    ]] as const
  ) {
    const plan = await one('price="1"', "", `sell_mode="${text}"`);
    assertEquals((plan as Plan).sellMode, value, text);
  }
  const bare = await one('price="1"') as Plan;
  assertEquals([bare.title, bare.sellMode, bare.organizerCompanyId], ["", "offline", null]);
  assertEquals([bare.sellFrom, bare.sellTo], [null, null]);
  assertEquals(bare.zones, [{ id: "", capacity: null, price: 1, name: "", numbered: false }]);
});

Deno.test("a vocabulary of the feed has its own names and no others", async () => {
  const older = (text: string) => text.replaceAll("plan", "event").replaceAll("Plan", "Event");
  const content = `<base_plan base_plan_id="1"><plan plan_id="2" ${times}/></base_plan>`;
  const nothing = { plans: [], rejections: [] };
  assertEquals(await read(`<planList><output>${older(content)}</output></planList>`), nothing);
  assertEquals(await read(`<eventList><output>${content}</output></eventList>`), nothing);
});

Deno.test("a plan with zones without end is set aside before they fill the memory", async () => {
  const good = (id: number) => `<plan plan_id="${id}" ${times}>${zone}</plan>`;
  for (const one of [zone, "<zone/>", `<zone price="1" name="${"n".repeat(100_000)}"/>`]) {
    const count = Math.ceil(PLAN_CHARACTERS_MAX / one.length) * 5;
    const block = encoder.encode(one.repeat(Math.ceil(50_000 / one.length)));
    const blocks = Math.ceil(count / Math.ceil(50_000 / one.length));
    const result: Read = { plans: [], rejections: [] };
    await readXmlFeed(
      (async function* () {
        yield encoder.encode(
          `<planList><output><base_plan base_plan_id="1">${good(1)}<plan plan_id="2" ${times}>`,
        );
        for (let n = 0; n < blocks; n++) yield block;
        yield encoder.encode(`</plan>${good(3)}</base_plan></output></planList>`);
      })(),
      { observe: (plan) => result.plans.push(plan), reject: (one) => result.rejections.push(one) },
    );
    assertEquals(result.plans.map(({ planId }) => planId), ["1", "3"]);
    assertEquals(result.rejections, [{
      reason: "too_large",
      basePlanId: "1",
      planId: "2",
      detail: `${blocks * Math.ceil(50_000 / one.length)} zones`,
    }]);
  }
  const stadium = await read(feed(
    `<base_plan base_plan_id="1"><plan plan_id="2" ${times}>${
      zone.repeat(10_000)
    }</plan></base_plan>`,
  ));
  assertEquals(stadium.plans[0].zones.length, 10_000, "a large one is read");
});

Deno.test("a long title is cut, and not within a character", async () => {
  const title = async (text: string) =>
    (await read(feed(
      `<base_plan base_plan_id="1" title="${text}"><plan plan_id="2" ${times}/></base_plan>`,
    ))).plans[0].title;
  const most = "x".repeat(TITLE_CHARACTERS_MAX - 1);
  assertEquals(await title(`${most}yz`), `${most}y`);
  assertEquals(await title(`${most}🎭`), most);
  assertEquals(await title(`${most.slice(1)}🎭`), `${most.slice(1)}🎭`);
});

Deno.test("what the feed has besides does not matter", async () => {
  const elsewhere =
    `<archive><base_plan base_plan_id="9"><plan plan_id="9" ${times}/></base_plan></archive>`;
  assertEquals((await read(`<planList>${elsewhere}<output/></planList>`)).plans, []);
  const { plans } = await read(
    "\uFEFF" +
      feed(
        `<extra><base_plan base_plan_id="9"><plan plan_id="9" ${times}/></base_plan></extra>` +
          `<base_plan new="1" base_plan_id=" 1 " sell_mode="ONLINE" title="t">text<![CDATA[<plan plan_id="8"/>]]><?pi x?>` +
          `<venue><plan plan_id="7" ${times}/></venue><plan plan_id=" 2 " ${times}><zones>${zone}</zones></plan></base_plan>`,
      ),
  );
  assertEquals(
    plans.map((
      { basePlanId, planId, sellMode, zones },
    ) => [basePlanId, planId, sellMode, zones.length]),
    [
      ["1", "2", "online", 0],
    ],
  );
});

Deno.test("a feed that lists nothing is accepted", async () => {
  for (const empty of ["<planList/>", feed(""), "<eventList><output/></eventList>"]) {
    assertEquals(await read(empty), { plans: [], rejections: [] });
  }
});

Deno.test("what is not acceptable as a whole is refused with the reason", async () => {
  const cases: [string, FeedErrorCode][] = [
    ["", "malformed_feed"],
    ["not XML", "malformed_feed"],
    ["<planList><output></planList>", "malformed_feed"],
    [feed("") + "<planList/>", "malformed_feed"],
    [feed("<base_plan a='1' a='2'/>"), "malformed_feed"],
    [feed("&undefined;"), "malformed_feed"],
    [feed("<base_plan a=1/>"), "malformed_feed"],
    [feed("\u0001"), "malformed_feed"],
    [" " + '<?xml version="1.0"?>' + feed(""), "malformed_feed"],
    ["<!DOCTYPE html><html></html>", "doctype_refused"],
    ['<!DOCTYPE planList [<!ENTITY a "b">]><planList/>', "doctype_refused"],
    ["<html><body>down</body></html>", "wrong_root"],
    ["<constructor/>", "wrong_root"],
    ["<__proto__/>", "wrong_root"],
    ["<PlanList/>", "wrong_root"],
    ["<output/>", "wrong_root"],
    [feed("<a>".repeat(FEED_DEPTH_MAX) + "</a>".repeat(FEED_DEPTH_MAX)), "feed_too_deep"],
  ];
  for (const [text, code] of cases) {
    const error = await assertRejects(() => read(text), FeedError, undefined, text.slice(0, 60));
    assertEquals(error.code, code, text.slice(0, 60));
  }
  const deepest = "<a>".repeat(FEED_DEPTH_MAX - 2) + "</a>".repeat(FEED_DEPTH_MAX - 2);
  assertEquals(
    await read(feed(deepest)),
    { plans: [], rejections: [] },
    "the limit itself is kept",
  );
});

Deno.test("bytes that are not UTF-8 are refused, wherever they stand", async () => {
  const good = encoder.encode(ODD);
  const invalid = [[0xe9], [0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]];
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length), fc.constantFrom(...invalid), async (at, bytes) => {
      const pieces = [good.subarray(0, at), new Uint8Array(bytes), good.subarray(at)];
      const error = await assertRejects(() => read(...pieces), FeedError);
      assertEquals(error.code, "malformed_feed");
    }),
    { numRuns: 300 },
  );
});

Deno.test("a tag, a text or a comment without end is refused before it fills the memory", async () => {
  for (
    const opening of ['<planList a="', "<planList><output><!--", "<planList><output><![CDATA["]
  ) {
    let given = 0;
    const endless = async function* () {
      yield encoder.encode(opening);
      for (; given < 100 * TOKEN_BYTES_MAX; given += 65_536) yield new Uint8Array(65_536).fill(120);
    };
    const sink = { observe: () => {}, reject: () => {} };
    const error = await assertRejects(() => readXmlFeed(endless(), sink), FeedError);
    assertEquals(error.code, "feed_too_large");
    assert(given < 3 * TOKEN_BYTES_MAX, `${given} bytes were read`);
  }
});

Deno.test("a feed cut short at any byte is refused", async () => {
  const bytes = encoder.encode(ODD);
  for (let length = 0; length < bytes.length; length++) {
    await assertRejects(
      () => read(bytes.subarray(0, length)),
      FeedError,
      undefined,
      `at ${length}`,
    );
  }
});

Deno.test("however a feed is split, it is read the same", async () => {
  const bytes = encoder.encode(ODD);
  const whole = await read(ODD);
  for (let at = 0; at <= bytes.length; at++) {
    assertEquals(await read(bytes.subarray(0, at), bytes.subarray(at)), whole, `split at ${at}`);
  }
  assertEquals(await read(...Array.from(bytes, (byte) => new Uint8Array([byte]))), whole);
  const cuts = fc.uniqueArray(fc.nat(bytes.length), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(cuts, async (places) => {
      const ends = [...places.sort((a, b) => a - b), bytes.length];
      const pieces = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
      assertEquals(await read(...pieces), whole);
    }),
    { numRuns: 200 },
  );
});

Deno.test("thousands of mutated feeds are read or refused, and nothing else happens", async () => {
  const bytes = encoder.encode(ODD);
  const edit = fc.record({
    at: fc.nat(bytes.length - 1),
    remove: fc.nat(3),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.constantFrom(
        "<",
        ">",
        '"',
        "&",
        "<plan>",
        "</plan>",
        "<!--",
        "]]>",
        "<![CDATA[",
        "\0",
        "<?x",
        "&lt;",
      )
        .map((text) => encoder.encode(text)),
    ),
  });
  let accepted = 0, refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const mutated: number[] = [...bytes];
      for (const { at, remove, insert } of edits) mutated.splice(at, remove, ...insert);
      try {
        const { plans, rejections } = await read(new Uint8Array(mutated));
        assert(plans.length + rejections.length <= 30);
        accepted++;
      } catch (error) {
        if (!(error instanceof FeedError)) throw error;
        refused++;
      }
    }),
    { numRuns: 4_000 },
  );
  assert(
    accepted > 100 && refused > 100,
    `${accepted} read, ${refused} refused: the mutations say little`,
  );
});

Deno.test("whatever stands in one plan's attributes, the other plans are read", async () => {
  // Unreadable values alone would end every plan at its first attribute: each has good values to draw as well.
  const some = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 30 }),
    fc.string({ unit: "binary", maxLength: 10 }),
    fc.constantFrom("__proto__", "constructor", "]]>", "-->", "&", "\u00a0", "\ufeff", "1:2"),
    fc.integer({ min: 1, max: 100_000 }).map((length) => "x".repeat(length)),
  );
  const or = (...good: string[]) => fc.oneof(some, fc.constantFrom(...good)).map(escaped);
  const attributes = fc.record({
    plan_id: or("7", "8"),
    plan_start_date: or("2021-06-30T21:00:00", "2021-09-31T20:00:00"),
    plan_end_date: or("2021-06-30T22:00:00", "0000-00-00T00:00:00"),
    sell_from: or("2021-01-01T00:00:00"),
    sold_out: or("true"),
  });
  const zones = fc.array(
    fc.record({ zone_id: or("1"), price: or("5", "-0"), capacity: or("9"), name: or("Platea") }),
    { maxLength: 3 },
  );
  const written = (record: Record<string, string>) =>
    Object.entries(record).map(([name, value]) => ` ${name}="${value}"`).join("");
  const good = (id: string) => `<plan plan_id="${id}" ${times}>${zone}</plan>`;
  const alone = (await read(feed(
    `<base_plan base_plan_id="1" sell_mode="online">${good("before")}${good("after")}</base_plan>`,
  ))).plans;
  let observed = 0, rejected = 0;
  await fc.assert(
    fc.asyncProperty(attributes, zones, async (plan, zones) => {
      const bad = `<plan${written(plan)}>${
        zones.map((one) => `<zone${written(one)}/>`).join("")
      }</plan>`;
      const { plans, rejections } = await read(feed(
        `<base_plan base_plan_id="1" sell_mode="online">${good("before")}${bad}${
          good("after")
        }</base_plan>`,
      ));
      assertEquals([plans[0], plans.at(-1)], alone);
      assertEquals(plans.length + rejections.length, 3);
      plans.length === 3 ? observed++ : rejected++;
    }),
    { numRuns: 1_500 },
  );
  assert(observed > 50 && rejected > 50, `${observed} read, ${rejected} set aside`);
});

/** Text as an attribute's value; characters that XML cannot hold at all are left out. */
function escaped(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
