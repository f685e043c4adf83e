import {
  assertEquals,
  assertGreater,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import type { Page } from "puppeteer-core";
import { chromium, OVERFLOW, withPage } from "./chromium.ts";
import { basePlan, feed, FeedServer, plan, zone } from "./feed_server.ts";
import { Service } from "./service.ts";
import { adminPost, eventually } from "./target.ts";

const TITLE = `<img src=x onerror=alert(1)> Fire & "Water"`;
const JANUARY = "/?starts_at=2030-01-01&ends_at=2030-01-31";

/** Sixty events on one day of January, and one in February whose price is the test's. */
function season(price: number, februaryEvents = 1): string {
  const hour = (n: number) => String(n % 24).padStart(2, "0");
  return feed([
    basePlan(
      "1",
      TITLE,
      Array.from(
        { length: 60 },
        (_, n) =>
          plan(String(n), `2030-01-05T${hour(n)}:00:00`, `2030-01-05T${hour(n)}:45:00`, [zone(20)]),
      ),
    ),
    basePlan(
      "2",
      "Snow",
      Array.from(
        { length: februaryEvents },
        (_, n) => plan(String(n), "2030-02-01T20:00:00", "2030-02-02T01:00:00", [zone(price)]),
      ),
    ),
  ]);
}

/** What a test has at hand. */
interface Board {
  page: Page;
  service: Service;
  provider: FeedServer;
  /** Polls now. */
  poll: () => Promise<void>;
}

/** A test in a page of its own, which fails as well when the browser has anything to complain of. */
function boardTest(name: string, test: (board: Board) => Promise<void>): void {
  Deno.test({
    name: `${name} (needs Chromium)`,
    ignore: chromium === undefined,
    fn: async () => {
      await using provider = new FeedServer();
      provider.xml = season(12.5);
      await using service = await Service.start({ settings: { PROVIDER_URL: provider.url } });
      const poll = async () => {
        const response = await adminPost(
          { adminUrl: service.adminUrl!, adminToken: null },
          "/poll",
        );
        assertEquals(response.status, 200, await response.text());
      };
      await poll();
      await withPage(async (page) => {
        const complaints: string[] = [];
        page.on("pageerror", (error) => complaints.push(String(error)));
        page.on("console", (message) => {
          if (message.type() === "error") complaints.push(message.text());
        });
        await test({ page, service, provider, poll });
        assertEquals(complaints.filter((text) => !isMeant(text)), []);
      });
    },
  });
}

/** Browsers write every answer that is not 2xx, and every connection refused, into the console. */
function isMeant(complaint: string): boolean {
  return complaint.startsWith("Failed to load resource:");
}

/** Resolves when the text of what a selector finds matches. */
async function shows(page: Page, selector: string, text: RegExp): Promise<void> {
  let seen = "";
  try {
    await eventually(async () => {
      seen = await textOf(page, selector);
      return text.test(seen);
    }, `${selector} shows ${text}`);
  } catch (error) {
    throw new Error(`${(error as Error).message}; it shows ${JSON.stringify(seen)}`);
  }
}

/** What a reader sees of an element; nothing of a hidden one. */
async function textOf(page: Page, selector: string): Promise<string> {
  return String(
    await page.evaluate(`{
      const found = document.querySelector(${JSON.stringify(selector)});
      found?.checkVisibility() ? found.innerText : "";
    }`),
  );
}

async function countOf(page: Page, selector: string): Promise<number> {
  return (await page.$$(selector)).length;
}

boardTest("the board shows the events of the days asked for, page by page", async (board) => {
  const { page, service } = board;
  await page.goto(service.url + JANUARY);
  await shows(page, "#outcome", /^50 events so far, version \d+, answered in \d+\.\d ms$/);
  assertEquals(await countOf(page, "#days summary"), 50);
  assertEquals(await textOf(page, "#days h3"), "Saturday, January 5, 2030");
  assertStringIncludes(await textOf(page, "#days summary"), TITLE, "shown as text");
  assertMatch(await textOf(page, "#days summary"), /^00:00 – 00:45\s[^]*20\.00$/);

  await page.locator("#more").click();
  await shows(page, "#outcome", /^60 events, /);
  assertEquals(await countOf(page, "#days summary"), 60);
  assertEquals(await countOf(page, "#days h3"), 1, "the day goes on on the next page");
  assertEquals(await textOf(page, "#more"), "", "there is no more");

  await page.locator("input[name=starts_at]").fill("2030-02-01");
  await page.locator("input[name=ends_at]").fill("");
  await page.locator("form button").click();
  await shows(page, "#outcome", /^1 event, /);
  assertMatch(await textOf(page, "#days summary"), /^20:00 – 01:00, 2030-02-02\s+Snow\s+12\.50$/);
  assertEquals(new URL(page.url()).search, "?starts_at=2030-02-01", "a search can be sent on");
  await page.goBack();
  await shows(page, "#outcome", /^50 events so far/);

  await page.locator("button[data-days=all]").click();
  await shows(page, "#outcome", /^50 events so far/);
  await page.locator("button[data-days='1']").click();
  await shows(page, "#outcome", /^No event, /);
});

boardTest("a range that cannot be is refused in the service's words", async ({ page, service }) => {
  await page.goto(`${service.url}/?starts_at=2030-02-02&ends_at=2030-02-01`);
  await shows(page, "#outcome", /^starts_at: /);
  assertEquals(await page.$eval("#outcome", ({ className }) => className), "bad");
});

boardTest(
  "the next page is of the search that is shown, whatever the form says by then",
  async (board) => {
    const { page, service } = board;
    await page.goto(`${service.url}/?starts_at=2030-01-01T00:00:00Z`);
    await shows(page, "#outcome", /^50 events so far/);
    await page.locator("input[name=starts_at]").fill("2031-01-01");
    await page.locator("#more").click();
    await shows(page, "#outcome", /^61 events, /);
    assertEquals(await page.evaluate("document.activeElement.localName"), "summary");
  },
);

boardTest("an event opens with its zones and what has changed", async (board) => {
  const { page, service, provider, poll } = board;
  provider.xml = season(15);
  await poll();
  await page.goto(`${service.url}/?starts_at=2030-02-01`);
  await shows(page, "#outcome", /^1 event, /);
  await page.locator("#days summary").click();
  await shows(page, "#days .about", /First seen \d{4}-\d\d-\d\d, still listed/);
  const about = await textOf(page, "#days .about");
  assertMatch(about, /Pit\s+15\.00\s+100/);
  assertMatch(about, /\d\d:\d\d\s+zones\s/);
});

boardTest(
  "a change of the catalogue shows at once, and the search can be brought up to it",
  async (board) => {
    const { page, service, provider, poll } = board;
    await page.goto(`${service.url}/?starts_at=2030-02-01`);
    await shows(page, "#outcome", /^1 event, /);
    await shows(page, "#stream", /^Connected/);
    assertEquals(await textOf(page, "#newer"), "", "nothing is newer yet");
    provider.xml = season(15, 2);
    await poll();
    await shows(page, "#changes li", /^\d\d:\d\d:\d\d version \d+: 1 added, 1 changed$/);
    await page.locator("#newer").click();
    await shows(page, "#outcome", /^2 events, /);
    assertEquals(await textOf(page, "#newer"), "");
  },
);

boardTest("the board tells how the service is, and that it is gone", async ({ page, service }) => {
  await page.goto(service.url);
  await shows(page, "#state", /^Ready$/);
  await shows(page, "#checks", /catalogue\s+version \d+/);
  await shows(page, "#process", /^Marquee \d+\.\d+\.\d+, up for \d+ seconds$/);
  await shows(page, "#round-trip", /^Round trip of GET \/health: \d+\.\d ms, at most \d+\.\d ms$/);
  assertGreater(await countOf(page, "#round-trips rect"), 0);
  await service.stop();
  await shows(page, "#stream", /^Connecting again/);
  // As when the page is looked at again: it asks at once.
  await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
  await shows(page, "#state", /^Not reachable$/);
  await page.locator("form button").click();
  await shows(page, "#outcome", /^The service cannot be reached/);
});

boardTest("the board fits a phone and a desk, by day and by night", async ({ page, service }) => {
  const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
  for (const width of [320, 360, 1280]) {
    await page.setViewport({ width, height: 800 });
    await page.goto(service.url + JANUARY);
    await shows(page, "#outcome", /^50 events so far/);
    const overflow = await page.evaluate(OVERFLOW);
    assertEquals(overflow, 0, `the page is ${overflow} wider than a screen of ${width}`);
  }
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  const light = await background();
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  assertNotEquals(await background(), light);
});

boardTest("without JavaScript the form still searches", async ({ page, service }) => {
  await page.setJavaScriptEnabled(false);
  await page.goto(service.url);
  const submit = (from: string, to: string) =>
    page.evaluate(`{
      const form = document.querySelector("form");
      form.starts_at.value = "${from}";
      form.ends_at.value = "${to}";
      form.requestSubmit();
    }`);
  await submit("2030-02-01", "");
  assertEquals(new URL(page.url()).pathname, "/", "an empty date would be refused");
  await Promise.all([page.waitForNavigation(), submit("2030-02-01", "2030-03-01")]);
  assertEquals(new URL(page.url()).pathname, "/search");
  assertStringIncludes(await textOf(page, "body"), '"title":"Snow"');
});
