/**
 * What may be in a provider's feed, as steps against any service. All events of these steps have titles that begin with
 * "Feed:", so that whatever else the service knows does not matter.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { gunzipSync, gzipSync } from "node:zlib";
import {
  basePlan,
  element,
  feed,
  olderVocabulary,
  plan,
  xmlResponse,
  zone,
} from "./feed_server.ts";
import { rawRequest } from "./raw_http.ts";
import {
  eventually,
  type FoundEvent,
  idOf,
  type Poll,
  pollOnce,
  searchFor,
  type Target,
  versionOf,
} from "./target.ts";

const DAY = ["2040-05-01T20:00:00", "2040-05-01T22:00:00"] as const;
const NEXT_DAY = ["2040-05-02T20:00:00", "2040-05-02T22:00:00"] as const;
const PAST = ["2020-05-01T20:00:00", "2020-05-01T22:00:00"] as const;

/** A base plan with one plan, both of one id. */
function one(
  id: string,
  title: string,
  [start, end]: readonly [string, string] = DAY,
  more: Parameters<typeof basePlan>[3] = {},
): string {
  return basePlan(id, `Feed: ${title}`, [plan(id, start, end, [zone("10.00")])], more);
}

/**
 * Runs the suite. It sets the feed of its target.
 *
 * @param t Every expectation is a step of it
 */
export async function feedSuite(t: Deno.TestContext, target: Target): Promise<void> {
  const { url, adminUrl, feed: server } = target;

  const publish = async (basePlans: string[]): Promise<Poll> => {
    server.respond = null;
    server.xml = feed(basePlans);
    return await pollOnce(target);
  };
  const found = async (): Promise<FoundEvent[]> =>
    (await searchFor(url)).filter(({ title }) => title.startsWith("Feed:"));
  const titles = async () => (await found()).map(({ title }) => title.slice(6));
  const eventOf = async (id: string, planId = id) => {
    const response = await fetch(`${url}/events/${await idOf(id, planId)}`);
    return (await response.json()).data?.event ?? null;
  };

  await t.step("the older vocabulary of the feed says the same", async () => {
    const basePlans = [
      one("10001", "first"),
      basePlan("10002", "Feed: second", [plan("1", ...DAY), plan("2", ...NEXT_DAY, [zone("7")])]),
    ];
    server.xml = olderVocabulary(feed(basePlans));
    assertStringIncludes(server.xml, "<eventList ");
    assertStringIncludes(server.xml, ' base_event_id="10001"');
    const older = await pollOnce(target);
    assertEquals([older.outcome, older.added, older.rejected], ["changed", 3, 0]);
    const before = await found();
    assertEquals(before.length, 3);
    const newer = await publish(basePlans);
    assertEquals([newer.outcome, newer.version], ["unchanged", older.version]);
    assertEquals(await found(), before);
  });

  await t.step("a base plan has one or many plans, and each is an event", async () => {
    const plans = Array.from({ length: 30 }, (_, n) => plan(String(n), ...DAY, [zone(n + 1)]));
    await publish([basePlan("10010", "Feed: run", plans)]);
    const events = (await found()).filter(({ title }) => title === "Feed: run");
    assertEquals(events.length, 30);
    assertEquals(events.map(({ min_price }) => min_price!).sort((a, b) => a - b).at(-1), 30);
  });

  await t.step(
    "start and end move between polls, both ways, and the order of results with them",
    async () => {
      await publish([one("10020", "moves", NEXT_DAY), one("10021", "stays", DAY)]);
      const order = async () =>
        (await titles()).filter((title) => ["moves", "stays"].includes(title));
      assertEquals(await order(), ["stays", "moves"]);
      const earlier = ["2040-04-01T20:00:00", "2040-04-01T23:30:00"] as const;
      await publish([one("10020", "moves", earlier), one("10021", "stays", DAY)]);
      assertEquals(await order(), ["moves", "stays"]);
      await publish([one("10020", "moves", NEXT_DAY), one("10021", "stays", DAY)]);
      assertEquals(await order(), ["stays", "moves"]);
      const event = await eventOf("10020");
      assertEquals([event.start_date, event.end_time], ["2040-05-02", "22:00:00"]);
      assertEquals(event.changes[0].fields.start, { from: NEXT_DAY[0], to: earlier[0] });
      assertEquals(event.changes[1].fields.end, { from: earlier[1], to: NEXT_DAY[1] });
    },
  );

  await t.step(
    "an event that the feed no longer lists stays as last seen, and can come back",
    async () => {
      await publish([one("10030", "vanishes"), one("10031", "stays listed")]);
      const vanished = await publish([one("10031", "stays listed")]);
      assertEquals(vanished.unlisted, 1);
      assert((await titles()).includes("vanishes"));
      assertEquals((await eventOf("10030")).listed, false);
      const { last_seen } = await eventOf("10030");
      await publish([one("10031", "stays listed, changed")]);
      assertEquals((await eventOf("10030")).last_seen, last_seen, "it was not seen again");
      await publish([one("10030", "vanishes"), one("10031", "stays listed")]);
      const back = await eventOf("10030");
      assertEquals([back.listed, back.title], [true, "Feed: vanishes"]);
      assert(back.last_seen > last_seen);
    },
  );

  await t.step(
    "offline before its end hides an event until it is online again; after its end it stays",
    async () => {
      const modes = (future: string, past: string) => [
        one("10040", "future", DAY, { sell_mode: future }),
        one("10041", "past", PAST, { sell_mode: past }),
        one("10042", "never online", PAST, { sell_mode: "offline" }),
      ];
      const shown = async () =>
        (await titles()).filter((title) => /^(future|past|never)/.test(title));
      await publish(modes("online", "online"));
      assertEquals(await shown(), ["past", "future"]);
      await publish(modes("offline", "offline"));
      assertEquals(await shown(), ["past"]);
      assertEquals((await eventOf("10040")).visible, false);
      const again = await pollOnce(target);
      assertEquals(again.outcome, "unchanged");
      assertEquals(await shown(), ["past"]);
      await publish(modes("online", "offline"));
      assertEquals(await shown(), ["past", "future"]);
    },
  );

  await t.step(
    "an unreadable end is null; an end equal to its start, or before it, is taken as it is",
    async () => {
      await publish([
        basePlan("10050", "Feed: ends", [
          plan("1", "2041-09-01T20:00:00", "2041-09-31T20:00:00"),
          plan("2", "2041-09-02T20:00:00", undefined),
          plan("3", "2041-09-03T20:00:00", "later"),
          plan("4", "2041-09-04T20:00:00", "2041-09-04T20:00:00"),
          plan("5", "2041-09-05T20:00:00", "2041-09-05T19:00:00"),
        ]),
      ]);
      const ends = (await found()).filter(({ title }) => title === "Feed: ends");
      assertEquals(ends.map(({ end_date, end_time }) => [end_date, end_time]), [
        [null, null],
        [null, null],
        [null, null],
        ["2041-09-04", "20:00:00"],
        ["2041-09-05", "19:00:00"],
      ]);
      const until = async (end: string) =>
        (await searchFor(url, `starts_at=2041-09-01&ends_at=${end}`)).length;
      assertEquals(await until("2041-09-01T20:00:00"), 1, "a null end counts with the start");
      assertEquals(await until("2041-09-03T19:59:59"), 2);
      assertEquals(await until("2041-09-04T20:00:00"), 4);
      assertEquals(await until("2041-09-05T19:00:00"), 5, "the end counts, not the start");
      assertEquals(await until("2041-09-05T18:59:59"), 4);
    },
  );

  await t.step(
    "a plan that cannot be used is set aside with its reason, and costs nothing else",
    async () => {
      const bad = basePlan("10060", "Feed: beside bad plans", [
        plan("good", ...DAY),
        plan(undefined, ...DAY),
        plan(" ", ...DAY),
        plan("no start", undefined, DAY[1]),
        plan("no date", "2021-13-01T00:00:00", DAY[1]),
        plan("no time", "2021-09-30", DAY[1]),
        plan("free", ...DAY, [zone("1"), zone("gratis")]),
        plan("no price", ...DAY, [element("zone", { zone_id: "1" })]),
        plan("comma", ...DAY, [zone("15,50")]),
        plan("also good", ...DAY, [zone("+1.50")]),
        plan("x".repeat(1_000), ...DAY),
        plan("a:b", ...DAY),
      ]);
      const poll = await publish([
        bad,
        basePlan(undefined, "Feed: nameless", [plan("1", ...DAY)]),
        one("10061", "after"),
      ]);
      assertEquals([poll.outcome, poll.plans, poll.rejected], ["changed", 3, 11]);
      const shown = await titles();
      assertEquals(shown.filter((title) => title === "beside bad plans").length, 2);
      assert(shown.includes("after") && !shown.includes("nameless"));
      const readReasons = async (): Promise<Record<string, string>> => {
        const response = await fetch(`${adminUrl}/rejected?limit=1000`);
        return Object.fromEntries(
          (await response.json()).data.rejected.map((
            { base_plan_id, plan_id, reason }: Record<string, string | null>,
          ) => [`${base_plan_id} ${plan_id?.slice(0, 10)}`, reason]),
        );
      };
      // They are stored behind the poll, which is visible before.
      await eventually(
        async () => (await readReasons())["null 1"] !== undefined,
        "the plans that were set aside are listed",
      );
      const reasons = await readReasons();
      for (
        const [key, reason] of [
          ["10060 undefined", "missing_plan_id"],
          ["10060 no start", "unreadable_start"],
          ["10060 no date", "unreadable_start"],
          ["10060 no time", "unreadable_start"],
          ["10060 free", "unreadable_price"],
          ["10060 no price", "unreadable_price"],
          ["10060 comma", "unreadable_price"],
          ["10060 xxxxxxxxxx", "invalid_id"],
          ["10060 a:b", "invalid_id"],
          ["null 1", "missing_base_plan_id"],
        ]
      ) {
        assertEquals(reasons[key], reason, key);
      }
    },
  );

  await t.step("an event whose plan is set aside in a later poll stays as it was", async () => {
    const zones = (price: string) =>
      basePlan("10065", "Feed: was good", [plan("1", ...DAY, [zone(price)])]);
    await publish([zones("12.50")]);
    const poll = await publish([zones("?")]);
    assertEquals(poll.rejected, 1);
    const event = (await found()).find(({ title }) => title === "Feed: was good");
    assertEquals(event?.min_price, 12.5);
  });

  await t.step("of a plan that is listed twice the last counts", async () => {
    const poll = await publish([one("10070", "first of two"), one("10070", "last of two")]);
    assertEquals([poll.duplicates, poll.plans], [1, 2]);
    const shown = (await titles()).filter((title) => title.endsWith("of two"));
    assertEquals(shown, ["last of two"]);
    const again = await pollOnce(target);
    assertEquals([again.outcome, (await eventOf("10070")).changes.length], ["unchanged", 0]);
  });

  await t.step(
    "prices are those over all zones, whatever their order, ids and number",
    async () => {
      const zones = Array.from({ length: 400 }, (_, n) =>
        zone(((n * 7_919) % 400) / 4 + 0.05, {
          zone_id: String(n % 40),
          capacity: n,
          numbered: n % 2 === 0,
        }));
      await publish([basePlan("10080", "Feed: many zones", [plan("1", ...DAY, zones)])]);
      const event = await eventOf("10080", "1");
      assertEquals(event.zones.length, 400);
      assertEquals([event.min_price, event.max_price], [0.05, 99.8]);
      assertEquals(event.zones[1], {
        zone_id: "1",
        capacity: 1,
        price: 79.8,
        name: "Pit",
        numbered: false,
      });
    },
  );

  await t.step(
    "what else XML may hold does not matter: comments, CDATA, other elements, a byte order mark",
    async () => {
      server.xml = "\ufeff" + `<?xml version="1.0" encoding="UTF-8"?>
      <!-- a comment with <plan> in it --><?process this?>
      <planList xmlns="http://example.test/ns" other="1">
        <meta><base_plan base_plan_id="1"><plan plan_id="1"/></base_plan></meta>
        <output total='1'>text<![CDATA[ <base_plan> ]]>
          <base_plan base_plan_id = '10090' sell_mode='ONLINE' colour="red"
              title='Feed: &lt;caf&#233;&gt; &amp; &#x1F3AD; &apos;&quot;'>
            <notes><plan plan_id="2"/></notes>
            <plan plan_start_date=' ${DAY[0]} ' plan_end_date='${DAY[1]}' plan_id=' 1 '>
              <!-- between --><zone price=' 3.10 ' zone_id='1'><seat price="nothing"/></zone>
            </plan>
          </base_plan>
        </output>
      </planList>
      <!-- the end -->`.replaceAll("\n", "\r\n");
      const poll = await pollOnce(target);
      assertEquals([poll.plans, poll.rejected, poll.error], [1, 0, null]);
      const event = await eventOf("10090", "1");
      assertEquals(event.title, "Feed: <café> & 🎭 '\"");
      assertEquals([event.sell_mode, event.min_price, event.zones.length], ["online", 3.1, 1]);
    },
  );

  await t.step(
    "a feed that is not acceptable is refused whole: nothing of it is seen, and it is recorded",
    async () => {
      const good = [one("10100", "before the refusal")];
      const usual = await publish(good);
      const before = await found();
      const xml = feed([one("10100", "refused"), one("10101", "refused as well")]);
      const deep = `${"<a>".repeat(40)}${"</a>".repeat(40)}`;
      const cases: [string, BodyInit, string][] = [
        ["cut short", xml.slice(0, -30), "malformed_feed"],
        ["cut in a tag", xml.slice(0, xml.indexOf("refused as well")), "malformed_feed"],
        ["a wrong end tag", xml.replace("</output>", "</input>"), "malformed_feed"],
        ["a bare ampersand", xml.replace("refused as well", "this & that"), "malformed_feed"],
        [
          "an attribute twice",
          xml.replace(' sell_mode="online"', ' sell_mode="online" sell_mode="online"'),
          "malformed_feed",
        ],
        ["something behind the end", `${xml}<planList/>`, "malformed_feed"],
        [
          "no UTF-8",
          new TextEncoder().encode(xml).map((byte) => byte === 0x77 ? 0xff : byte),
          "malformed_feed",
        ],
        ["nothing at all", "", "malformed_feed"],
        ["no XML", '{"planList": []}', "malformed_feed"],
        ["an unknown entity", xml.replace("refused as well", "&eacute;"), "malformed_feed"],
        [
          "a DOCTYPE",
          xml.replace("<planList", '<!DOCTYPE planList [<!ENTITY a "b">]><planList'),
          "doctype_refused",
        ],
        ["another root", xml.replaceAll("planList", "planTree"), "wrong_root"],
        ["a page", "<html><body>Maintenance</body></html>", "wrong_root"],
        ["too deep", xml.replace("</output>", `</output>${deep}`), "feed_too_deep"],
      ];
      if (target.feedBytesMax !== null) {
        const padding = `<!--${" ".repeat(65_536)}-->`.repeat(
          Math.ceil(target.feedBytesMax / 65_536),
        );
        cases.push([
          "too large",
          xml.replace("</output>", `${padding}</output>`),
          "feed_too_large",
        ]);
        const one = `<planList><output>${" ".repeat(target.feedBytesMax)}</output></planList>`;
        cases.push(["too large, compressed", new Uint8Array(gzipSync(one)), "feed_too_large"]);
      }
      for (const [what, body, code] of cases) {
        const coding: Record<string, string> = what.endsWith("compressed")
          ? { "content-encoding": "gzip" }
          : {};
        server.respond = () => xmlResponse(body, coding);
        const poll = await pollOnce(target);
        assertEquals(
          [poll.outcome, poll.error?.code],
          ["refused", code],
          `${what}: ${poll.error?.message}`,
        );
        assertEquals([poll.version, await versionOf(url)], [usual.version, usual.version], what);
        assertEquals(await found(), before, what);
        const [recorded] = (await (await fetch(`${adminUrl}/polls?limit=1`)).json()).data.polls;
        assertEquals([recorded.outcome, recorded.error.code], ["refused", code], what);
        // Refusals in a row would open the circuit breaker.
        const after = await publish(good);
        assertEquals([after.outcome, after.version], ["unchanged", usual.version], what);
      }
    },
  );

  await t.step(
    "a feed that breaks off on the wire is discarded with everything read from it",
    async () => {
      const before = await publish([one("10110", "whole")]);
      const part = new TextEncoder().encode(
        feed([one("10110", "half"), one("10111", "half")]).slice(0, -20),
      );
      // Fewer bytes than promised: the server can only close the connection.
      server.respond = () =>
        xmlResponse(new Blob([part]).stream(), { "content-length": String(part.length + 1_000) });
      const poll = await pollOnce(target);
      assertEquals([poll.outcome, poll.version], ["failed", before.version], poll.error?.message);
      assertGreater(poll.attempts, 1, "it should have been tried again");
      assertEquals((await titles()).filter((title) => title === "half"), []);
      assertEquals((await publish([one("10110", "whole")])).outcome, "unchanged");
    },
  );

  await t.step("a feed that lists nothing is accepted and deletes nothing", async () => {
    await publish([one("10120", "before nothing")]);
    const before = await found();
    for (const xml of [feed([]), "<eventList/>", feed([basePlan("10120", "Feed: no plans", [])])]) {
      server.xml = xml;
      const poll = await pollOnce(target);
      assertEquals([poll.outcome, poll.plans, poll.unlisted, poll.error], ["empty", 0, 0, null]);
      assertEquals(await found(), before);
    }
    assertEquals((await eventOf("10120")).listed, true, "nothing says that it is gone");
  });

  await t.step(
    "a provider that answers 503 is asked again, and a poll that fails changes nothing",
    async () => {
      const before = await publish([one("10130", "before the failure")]);
      let requests = 0;
      server.xml = feed([one("10130", "after the failure")]);
      server.respond = () =>
        ++requests < 2 ? new Response(null, { status: 503 }) : xmlResponse(server.xml);
      const retried = await pollOnce(target);
      assertEquals([retried.outcome, retried.attempts, retried.error], ["changed", 2, null]);
      server.respond = () => new Response(null, { status: 503 });
      const failed = await pollOnce(target);
      assertEquals([failed.outcome, failed.error?.code], ["failed", "provider_status"]);
      assertStringIncludes(failed.error!.message, "503");
      assertEquals(failed.version, before.version + 1);
      assert((await titles()).includes("after the failure"));
      server.respond = () => new Response("no such feed", { status: 404 });
      const missing = await pollOnce(target);
      assertEquals(
        [missing.outcome, missing.attempts],
        ["failed", 1],
        "404 is not worth another try",
      );
      assertEquals((await publish([one("10130", "after the failure")])).outcome, "unchanged");
    },
  );

  await t.step("a provider that names versions of its feed is asked for changes only", async () => {
    const xml = feed([one("10140", "conditional")]);
    server.respond = (request) =>
      request.headers.get("if-none-match") === '"v1"'
        ? new Response(null, { status: 304 })
        : xmlResponse(xml, { etag: '"v1"', "last-modified": "Fri, 20 Nov 2026 10:00:00 GMT" });
    const first = await pollOnce(target);
    assertEquals(first.outcome, "changed");
    const second = await pollOnce(target);
    assertEquals([second.outcome, second.version], ["not_modified", first.version]);
    const asked = server.requests.at(-1)!;
    assertEquals(asked.get("if-modified-since"), "Fri, 20 Nov 2026 10:00:00 GMT");
    assert((await titles()).includes("conditional"));
    // A feed that was refused may not be what the next request is conditional on.
    server.respond = () => xmlResponse("<planList>", { etag: '"broken"' });
    assertEquals((await pollOnce(target)).outcome, "refused");
    assertEquals((await publish([one("10140", "conditional")])).outcome, "unchanged");
    assert(server.requests.at(-1)!.get("if-none-match") !== '"broken"');
  });

  await t.step("a compressed feed is read", async () => {
    const xml = feed([one("10150", "compressed")]);
    server.respond = () =>
      xmlResponse(new Uint8Array(gzipSync(xml)), { "content-encoding": "gzip" });
    const poll = await pollOnce(target);
    assertEquals([poll.outcome, poll.bytes], ["changed", new TextEncoder().encode(xml).length]);
    assertEquals((await eventOf("10150")).title, "Feed: compressed");
  });

  await t.step(
    "a large poll becomes visible at once, as one version, while it is being read",
    async () => {
      const plans = 2_500;
      const generation = (name: string) => [
        basePlan(
          "10160",
          `Feed: generation ${name}`,
          Array.from({ length: plans }, (_, n) => plan(String(n), ...DAY)),
        ),
      ];
      const seen = new Set<string>();
      const versions = new Set<number>();
      let isOver = false;
      const reader = async () => {
        while (!isOver) {
          const response = await fetch(`${url}/search?starts_at=${DAY[0]}&ends_at=${DAY[1]}`);
          const version = Number(response.headers.get("x-catalogue-version"));
          const all = (await response.json()).data.events as FoundEvent[];
          const names = all.map(({ title }) => title).filter((title) =>
            title.startsWith("Feed: generation")
          );
          if (names.length > 0) assertEquals(names.length, plans);
          assertEquals(
            new Set(names).size,
            names.length === 0 ? 0 : 1,
            "two generations in one answer",
          );
          seen.add(names[0] ?? "none");
          versions.add(version);
        }
      };
      const readers = [reader(), reader()];
      const first = (await publish(generation("one"))).version;
      for (const name of ["two", "three"]) {
        const poll = await publish(generation(name));
        assertEquals([poll.outcome, poll.changed], ["changed", plans]);
      }
      // Until the last generation was seen by a reader, too.
      while (!seen.has("Feed: generation three")) {
        await Promise.race([
          ...readers,
          new Promise((r) => setTimeout(r, 5)),
        ]);
      }
      isOver = true;
      await Promise.all(readers);
      assertEquals(await versionOf(url), first + 2);
      assertGreater(seen.size, 1);
      assert(
        [...versions].every((version) => version >= first - 1 && version <= first + 2),
        `${[...versions]}`,
      );
    },
  );

  await t.step("a long answer has the right length, and HEAD and gzip agree with it", async () => {
    const path = `/search?starts_at=${DAY[0]}`;
    const get = await rawRequest(url, "GET", path);
    assertGreater(get.body.length, 400_000);
    assertEquals(get.headers.get("content-length"), String(get.body.length));
    assertEquals(get.headers.has("transfer-encoding"), false);
    assertGreater(JSON.parse(get.text).data.events.length, 2_500);
    const head = await rawRequest(url, "HEAD", path);
    assertEquals(head.headers.get("content-length"), String(get.body.length));
    const zipped = await rawRequest(url, "GET", path, { "accept-encoding": "gzip" });
    assertEquals(zipped.headers.get("content-encoding"), "gzip");
    assertEquals(zipped.headers.get("content-length"), String(zipped.body.length));
    assertEquals(new TextDecoder().decode(gunzipSync(zipped.body)), get.text);
    const pages: unknown[] = [];
    for (let cursor: string | null = "";;) {
      const page: Response = await fetch(
        `${url}${path}&limit=700${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      const { data }: { data: { events: unknown[]; next_cursor: string | null } } = await page
        .json();
      pages.push(...data.events);
      if ((cursor = data.next_cursor) === null) break;
    }
    assertEquals(JSON.stringify({ data: { events: pages }, error: null }), get.text);
  });
}
