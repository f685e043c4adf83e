import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { builderStarter } from "../catalogue_thread.ts";
import { UNBOUNDED } from "../domain/mod.ts";
import { chooseMemory } from "../memory_source.ts";
import { EDITIONS_PINNED_MAX } from "./limits.ts";
import {
  type Builder,
  Catalogue,
  type MemorySource,
  sharedMemorySource,
  streamAnswer,
} from "./mod.ts";
import { testEventLine } from "./testing/events.ts";

const EVENTS = 800;
/** Readers with an answer in flight at a time. */
const READERS = 6;
const { source: mapped, problem } = chooseMemory();
const query = { range: UNBOUNDED, limit: null, after: null };

interface Way {
  name: string;
  source: MemorySource;
  startBuilder?: () => Builder;
  ignore: boolean;
}

const ways: Way[] = [
  { name: "shared buffers", source: sharedMemorySource, ignore: false },
  { name: "mapped memory", source: mapped, ignore: problem !== null },
  {
    name: "mapped memory, built in a thread",
    source: mapped,
    startBuilder: builderStarter("latest", mapped),
    ignore: problem !== null,
  },
];

function lines(version: number, from = 0, to = EVENTS): string[] {
  return Array.from(
    { length: to - from },
    (_, n) => testEventLine(from + n, { title: `Version ${version}` }),
  );
}

/** Reads a stream to its end, now and then slowly, and checks that it is one version's answer whole. */
async function readSlowly(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  pauseMs: number,
): Promise<{ titles: Set<string>; count: number }> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of stream) {
    pieces.push(piece);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  const { data } = JSON.parse(await new Blob(pieces).text());
  return {
    titles: new Set(data.events.map(({ title }: { title: string }) => title)),
    count: data.events.length,
  };
}

for (const { name, source, startBuilder, ignore } of ways) {
  Deno.test({
    name:
      `readers with answers in flight see one version, while a thousand are published (${name})`,
    ignore,
    async fn() {
      const catalogue = new Catalogue({ storeId: "test", policy: "latest", source, startBuilder });
      const publish = (version: number, isComplete = false) =>
        catalogue.publish({ version, isComplete, events: lines(version), sightings: {} });
      const answer = () => {
        const edition = catalogue.edition!;
        const list = catalogue.gatherList();
        edition.search(query, list);
        return { version: edition.version, stream: streamAnswer(edition, list) };
      };
      await publish(1, true);
      let level = 0;
      const readers: Promise<void>[] = [];
      for (let version = 2; version <= 1_000; version++) {
        // Every event changes, so any byte of another edition would show.
        await publish(version);
        if (version === 20) level = catalogue.byteLength;
        if (version % 10 !== 0) continue;
        // More at a time would be cut off, which is the next test.
        if (readers.length === READERS) await readers.shift();
        const { version: begun, stream } = answer();
        if (version % 30 === 0) {
          const reader = stream.getReader();
          await reader.read();
          readers.push(reader.cancel());
        } else {
          readers.push(
            readSlowly(stream, version % 20 === 0 ? 2 : 0).then(({ titles, count }) => {
              assertEquals([[...titles], count], [[`Version ${begun}`], EVENTS]);
            }),
          );
        }
      }
      await Promise.all(readers);
      await catalogue.settled();
      assertEquals(catalogue.pinned, 0);
      // A few editions let what rests come to use or be freed.
      for (let version = 1_001; version <= 1_010; version++) await publish(version);
      await catalogue.settled();
      assertLess(catalogue.byteLength, level * 1.5);
      assertEquals(new Set(titlesOf(catalogue)), new Set(["Version 1010"]));
      catalogue.close();
    },
  });

  Deno.test({
    name: `the slowest readers are cut off when too many editions are held (${name})`,
    ignore,
    async fn() {
      const catalogue = new Catalogue({ storeId: "test", policy: "latest", source, startBuilder });
      const streams: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>[] = [];
      for (let version = 1; version <= EDITIONS_PINNED_MAX + 4; version++) {
        await catalogue.publish({
          version,
          isComplete: version === 1,
          events: lines(version),
          sightings: {},
        });
        await catalogue.settled();
        const list = catalogue.gatherList();
        catalogue.edition!.search(query, list);
        const reader = streamAnswer(catalogue.edition!, list).getReader();
        await reader.read();
        streams.push(reader);
      }
      assertEquals(catalogue.pinned, EDITIONS_PINNED_MAX);
      await assertRejects(() => streams[0].read(), Error, "read too slowly");
      const last = streams[streams.length - 1];
      assertEquals((await last.read()).done, false);
      for (const reader of streams) await reader.cancel().catch(() => {});
      assertEquals(catalogue.pinned, 0);
      catalogue.close();
    },
  });
}

Deno.test({
  name: "mapped memory of editions goes back to the system",
  ignore: problem !== null,
  async fn() {
    const catalogue = new Catalogue({ storeId: "test", policy: "latest", source: mapped });
    await catalogue.publish({
      version: 1,
      isComplete: true,
      events: lines(1, 0, 20_000),
      sightings: {},
    });
    await catalogue.settled();
    const large = catalogue.byteLength;
    for (let version = 2; version < 20; version++) {
      await catalogue.publish({
        version,
        isComplete: true,
        events: lines(version, 0, 200),
        sightings: {},
      });
      await catalogue.settled();
    }
    assertGreater(large, 10_000_000);
    assertLess(catalogue.byteLength, large / 4);
    assert(catalogue.edition!.size === 200);
    catalogue.close();
  },
});

function titlesOf(catalogue: Catalogue): string[] {
  const list = catalogue.gatherList();
  catalogue.edition!.search(query, list);
  const { data } = JSON.parse(new TextDecoder().decode(list.joined()));
  return data.events.map(({ title }: { title: string }) => title);
}
