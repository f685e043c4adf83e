import { assertEquals, assertGreater } from "@std/assert";
import { decodeEvent } from "../domain/mod.ts";
import { Store } from "./store.ts";
import { readFirst } from "./testing/polls.ts";
import { WriterProcess } from "./testing/writer_process.ts";

/** Follows a store that another process writes, and starts anew now and then; every picture must be of one poll. */
async function watch(options: { plans: number; polls: number; readers: number }): Promise<number> {
  const { plans, polls, readers } = options;
  const folder = await Deno.makeTempDir();
  const path = `${folder}/marquee.kv`;
  await using writer = new WriterProcess({ path, plans, first: 1, last: polls, leaseMs: 5_000 });
  await writer.line("visible 1");
  await using store = await Store.open({ path, followIntervalMs: 5 });
  const stop = new AbortController();
  writer.ended.then(() => setTimeout(() => stop.abort(), 500));
  let pictures = 0;

  const check = (titles: Map<string, string>, version: number) => {
    assertEquals(titles.size, plans);
    for (const title of titles.values()) {
      // Each poll changes everything, so poll and version have the same number.
      if (title !== String(version)) assertEquals(title, String(version), "a torn picture");
    }
    pictures++;
  };
  const follower = async () => {
    const titles = new Map<string, string>();
    for await (const change of store.follow(stop.signal)) {
      for (const text of change.events) {
        const { id, plan } = decodeEvent(text);
        titles.set(id, plan.title);
      }
      check(titles, change.version);
    }
  };
  // Loading is the dangerous moment: the events are listed while they are being written.
  const loader = async () => {
    while (!stop.signal.aborted) {
      const { titles, version } = await readFirst(store);
      check(titles, version);
    }
  };
  await Promise.all([follower(), ...Array.from({ length: readers }, loader)]);
  assertEquals((await writer.ended).code, 0);
  await Deno.remove(folder, { recursive: true });
  return pictures;
}

Deno.test("a reader never sees a poll of 50,000 changed events in part", async () => {
  const pictures = await watch({ plans: 50_000, polls: 4, readers: 1 });
  console.log(`    ${pictures} pictures`);
  assertGreater(pictures, 4);
});

Deno.test("nor small polls in quick succession, in thousands of pictures", async () => {
  const pictures = await watch({ plans: 50, polls: 1_500, readers: 2 });
  console.log(`    ${pictures} pictures`);
  assertGreater(pictures, 2_000);
});
