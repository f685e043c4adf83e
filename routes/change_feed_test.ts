import { assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { type CatalogueNews, ChangeFeed } from "./mod.ts";

const newsOf = (version: number): CatalogueNews => ({ version, added: version, changed: 0 });

/** Reads so many versions, or to the end. */
async function versions(
  news: ReadableStream<CatalogueNews>,
  count = Infinity,
): Promise<number[]> {
  const found: number[] = [];
  const reader = news.getReader();
  while (found.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    found.push(value.version);
  }
  await reader.cancel();
  return found;
}

Deno.test("everybody who listens gets every change, in order, until the feed closes", async () => {
  const feed = new ChangeFeed();
  const both = [feed.subscribe(null), feed.subscribe(null)];
  for (let version = 1; version <= 5; version++) feed.publish(newsOf(version));
  feed.close();
  for (const { news } of both) assertEquals(await versions(news), [1, 2, 3, 4, 5]);
  assertEquals(feed.subscribers, 0);
});

Deno.test("who resumes gets what came after, once, then what comes", async () => {
  const feed = new ChangeFeed();
  for (let version = 1; version <= 5; version++) feed.publish(newsOf(version));
  const resumed = feed.subscribe(3);
  const fresh = feed.subscribe(null);
  const ahead = feed.subscribe(99);
  feed.publish(newsOf(6));
  feed.close();
  assertEquals(await versions(resumed.news), [4, 5, 6]);
  assertEquals(await versions(fresh.news), [6]);
  assertEquals(await versions(ahead.news), [6]);
});

Deno.test("who resumes after a restart gets what the feed was given of before", async () => {
  const feed = new ChangeFeed([1, 2, 3].map(newsOf));
  const resumed = feed.subscribe(1);
  feed.publish(newsOf(4));
  feed.close();
  assertEquals(await versions(resumed.news), [2, 3, 4]);
});

Deno.test("what is kept for those who resume is bounded, and the newest is kept", async () => {
  const feed = new ChangeFeed();
  for (let version = 1; version <= 5_000; version++) feed.publish(newsOf(version));
  const resumed = feed.subscribe(0);
  feed.close();
  const kept = await versions(resumed.news);
  assertLessOrEqual(kept.length, 1_000);
  assertEquals(kept.at(-1), 5_000);
  assertEquals(kept.at(0), 5_000 - kept.length + 1);
});

Deno.test("who does not read is dropped at a bound and holds nobody up", async () => {
  const feed = new ChangeFeed();
  const asleep = feed.subscribe(null);
  const awake = feed.subscribe(null);
  const reading = versions(awake.news, 500);
  for (let version = 1; version <= 500; version++) {
    feed.publish(newsOf(version));
    await Promise.resolve();
    if (version % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals((await reading).length, 500);
  assertEquals(feed.subscribers, 0, "the one that slept is gone, the other has cancelled");
  await assertRejects(() => versions(asleep.news), Error, "too slowly");
});

Deno.test("who resumes with many missed changes is not dropped for what it missed", async () => {
  const feed = new ChangeFeed();
  for (let version = 1; version <= 900; version++) feed.publish(newsOf(version));
  const resumed = feed.subscribe(0);
  for (let version = 901; version <= 950; version++) feed.publish(newsOf(version));
  assertEquals(feed.subscribers, 1);
  feed.close();
  assertEquals((await versions(resumed.news)).length, 950);
});

Deno.test("who leaves is forgotten", async () => {
  const feed = new ChangeFeed();
  const { news } = feed.subscribe(null);
  assertEquals(feed.subscribers, 1);
  await news.cancel();
  assertEquals(feed.subscribers, 0);
  feed.publish(newsOf(1));
  feed.close();
});
