import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { Plan, Rejection } from "../domain/mod.ts";
import { FEED_DEPTH_MAX, TOKEN_BYTES_MAX } from "./limits.ts";
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

/** A small feed with all the oddities of the contract. */
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

Deno.test("the older edition of the feed says the same with other words", async () => {
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

Deno.test("what the feed has besides does not matter", async () => {
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
    ["<!DOCTYPE html><html></html>", "doctype_refused"],
    ['<!DOCTYPE planList [<!ENTITY a "b">]><planList/>', "doctype_refused"],
    ["<html><body>down</body></html>", "wrong_root"],
    ["<constructor/>", "wrong_root"],
    [feed("<a>".repeat(FEED_DEPTH_MAX) + "</a>".repeat(FEED_DEPTH_MAX)), "feed_too_deep"],
  ];
  for (const [text, code] of cases) {
    const error = await assertRejects(() => read(text), FeedError, undefined, text.slice(0, 60));
    assertEquals(error.code, code, text.slice(0, 60));
  }
  const latin1 = new Uint8Array([
    ...encoder.encode("<planList a='"),
    0xe9,
    ...encoder.encode("'/>"),
  ]);
  assertEquals((await assertRejects(() => read(latin1), FeedError)).code, "malformed_feed");
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
  const value = fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) =>
    // deno-lint-ignore no-control-regex
    !/[\u0000-\u001f\ufffe\uffff]|[\ud800-\udfff](?![\udc00-\udfff])/.test(text) &&
    text.isWellFormed()
  ).map((text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;"));
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 7, maxLength: 7 }), async (v) => {
      const bad =
        `<plan plan_id="${v[0]}" plan_start_date="${v[1]}" plan_end_date="${v[2]}" sold_out="${
          v[3]
        }">` +
        `<zone zone_id="${v[4]}" price="${v[5]}" capacity="${v[6]}"/></plan>`;
      const good = (id: string) => `<plan plan_id="${id}" ${times}>${zone}</plan>`;
      const { plans, rejections } = await read(feed(
        `<base_plan base_plan_id="1" sell_mode="online">${good("before")}${bad}${
          good("after")
        }</base_plan>`,
      ));
      const ids = plans.map(({ planId }) => planId);
      assertEquals([ids[0], ids.at(-1)], ["before", "after"]);
      assertEquals(plans.length + rejections.length, 3);
    }),
    { numRuns: 1_000 },
  );
});
