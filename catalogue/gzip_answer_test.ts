import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { gunzipSync } from "node:zlib";
import {
  Catalogue,
  decodeCursor,
  GatherList,
  type SearchQuery,
  sharedMemorySource,
} from "./mod.ts";
import { testEventLine } from "./testing/events.ts";

const HOUR = 3_600;

/** The body of an answer in both codings. */
function bodies(catalogue: Catalogue, query: Partial<SearchQuery>): [Uint8Array, Uint8Array] {
  const list = new GatherList(sharedMemorySource);
  const whole = { range: { from: -Infinity, to: Infinity }, limit: null, after: null, ...query };
  catalogue.edition!.search(whole, list);
  const identity = list.joined();
  catalogue.edition!.search(whole, list, "gzip");
  const gzip = list.joined();
  list.free();
  return [identity, gzip];
}

/** What the browser's own decoder makes of it; unlike node:zlib it refuses bytes behind the end. */
async function inflate(gzip: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(gzip)]).stream()
    .pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).bytes();
}

async function catalogueOf(lines: Iterable<string>): Promise<Catalogue> {
  const catalogue = new Catalogue({ storeId: "test", policy: "latest" });
  await catalogue.publish({ version: 1, isComplete: true, events: lines, sightings: {} });
  return catalogue;
}

const event = fc.record({
  number: fc.nat({ max: 300 }),
  start: fc.integer({ min: 0, max: 400 }),
  duration: fc.oneof(
    fc.constant(HOUR),
    fc.integer({ min: 0, max: 40 }).map((hours) => hours * HOUR),
  ),
  title: fc.oneof(
    fc.constant("In concert"),
    fc.string({ unit: "grapheme", maxLength: 30 }),
    fc.nat({ max: 3_000 }).map((length) => "é".repeat(length)),
  ),
  isOnline: fc.boolean(),
});
const line = event.map(({ number, start, duration, title, isOnline }) =>
  testEventLine(number, { start: start * HOUR, duration, title, isOnline })
);
const range = fc.tuple(fc.integer({ min: -1, max: 400 }), fc.nat({ max: 410 }))
  .map(([from, length]) => ({ from: from * HOUR, to: (from + length) * HOUR }));

Deno.test("a gzip answer is the identity answer, before and after its blocks are compressed, change by change", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 300, size: "max" }),
      fc.array(fc.array(line, { maxLength: 8 }), { maxLength: 4 }),
      fc.array(range, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 80 }),
      async (lines, steps, ranges, limit) => {
        const catalogue = await catalogueOf(lines);
        const check = async () => {
          for (const range of ranges) {
            const [identity, gzip] = bodies(catalogue, { range });
            assertEquals(new Uint8Array(gunzipSync(gzip)), identity);
            assertEquals(await inflate(gzip), identity);
            let cursor: string | null = null;
            do {
              const after = cursor === null ? null : decodeCursor(cursor);
              const [page, zipped] = bodies(catalogue, { range, limit, after });
              assertEquals(new Uint8Array(gunzipSync(zipped)), page);
              cursor = JSON.parse(new TextDecoder().decode(page)).data.next_cursor;
            } while (cursor !== null);
          }
        };
        await check();
        await catalogue.settled();
        await check();
        for (const [index, events] of steps.entries()) {
          await catalogue.publish({ version: index + 2, isComplete: false, events, sightings: {} });
          await check();
          await catalogue.settled();
          await check();
        }
      },
    ),
    { numRuns: 300 },
  );
});

/** 20,000 events, about 45 of which start on any one day, a few of them lasting for days. */
async function season(): Promise<Catalogue> {
  let state = 7;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const minutes = [60, 90, 120, 120, 180, 240];
  const catalogue = await catalogueOf(
    Array.from({ length: 20_000 }, (_, number) =>
      testEventLine(number, {
        title: `Event number ${number} in concert`,
        start: Math.floor(random() * 444 * 1_440) * 60,
        duration: 60 * (random() < 0.05 ? 4_320 : minutes[Math.floor(random() * minutes.length)]),
      })),
  );
  await catalogue.settled();
  return catalogue;
}

Deno.test("an answer of 45 events is at most half its size, one of 2,000 at most a quarter", async () => {
  const catalogue = await season();
  for (const [days, events, share] of [[1, 45, 0.5], [44, 2_000, 0.25]] as const) {
    let identityBytes = 0, gzipBytes = 0, count = 0;
    for (let n = 0; n < 100; n++) {
      const from = n * 4 * 86_400 + 40_000;
      const [identity, gzip] = bodies(catalogue, { range: { from, to: from + days * 86_400 } });
      assertEquals(new Uint8Array(gunzipSync(gzip)), identity);
      identityBytes += identity.length;
      gzipBytes += gzip.length;
      count += JSON.parse(new TextDecoder().decode(identity)).data.events.length;
    }
    assertGreater(count / 100, events * 0.8);
    assertLessOrEqual(gzipBytes / identityBytes, share, `${days} days`);
  }
});

Deno.test("what other programs decompress is the identity answer", async () => {
  const catalogue = await season();
  const folder = await Deno.makeTempDir();
  for (const [n, days] of [0, 1, 30, 500].entries()) {
    const range = { from: 86_400, to: 86_400 * (1 + days) };
    const [identity, gzip] = bodies(catalogue, { range });
    if (days === 500) assert(identity.length > 4_000_000, "stored blocks must be split");
    await Deno.writeFile(`${folder}/${n}.gz`, gzip);
    const { code, stdout, stderr } = await new Deno.Command("gzip", {
      args: ["--decompress", "--stdout", `${folder}/${n}.gz`],
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    assertEquals(stdout, identity);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("an answer without compressed blocks is stored in blocks of 65,535 bytes at most", async () => {
  const title = "0123456789abcdef".repeat(3_700);
  const catalogue = await catalogueOf(
    Array.from({ length: 30 }, (_, number) => testEventLine(number, { title })),
  );
  const [identity, gzip] = bodies(catalogue, {});
  assertGreater(identity.length, 1_700_000);
  assertEquals(new Uint8Array(gunzipSync(gzip)), identity);
  await catalogue.settled();
  const [, compressed] = bodies(catalogue, {});
  assertEquals(new Uint8Array(gunzipSync(compressed)), identity);
  assertLessOrEqual(compressed.length, identity.length / 4);
});
