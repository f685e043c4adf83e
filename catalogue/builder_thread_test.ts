import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { builderStarter } from "../catalogue_thread.ts";
import { UNBOUNDED } from "../domain/mod.ts";
import { chooseMemory } from "../memory_source.ts";
import { BUILDER_REQUESTS_MAX } from "./limits.ts";
import { BuilderError, BuilderThread, Catalogue, EditionBuilder } from "./mod.ts";
import { testEventLine } from "./testing/events.ts";

const { source } = chooseMemory();
const workerUrl = new URL("../catalogue_worker.ts", import.meta.url);

function lines(count: number, title = "Usual"): string[] {
  return Array.from({ length: count }, (_, number) => testEventLine(number, { title }));
}

function bodyOf(catalogue: Catalogue): string {
  const list = catalogue.gatherList();
  catalogue.edition!.search({ range: UNBOUNDED, limit: null, after: null }, list);
  return new TextDecoder().decode(list.joined());
}

/** A catalogue that builds in a thread, and the worker that it runs in. */
function threaded(): { catalogue: Catalogue; workers: Worker[] } {
  const workers: Worker[] = [];
  const catalogue = new Catalogue({
    storeId: "test",
    policy: "latest",
    source,
    startBuilder: () => {
      const worker = new Worker(workerUrl, { type: "module" });
      workers.push(worker);
      return new BuilderThread(worker, "latest");
    },
  });
  return { catalogue, workers };
}

Deno.test("editions built in a thread equal those built in this one", async () => {
  const { catalogue } = threaded();
  const plain = new Catalogue({ storeId: "test", policy: "latest" });
  const steps = [
    { version: 1, isComplete: true, events: lines(5_000), difference: [5_000, 0] },
    { version: 2, isComplete: false, events: lines(40, "Changed"), difference: [0, 40] },
    { version: 3, isComplete: false, events: lines(40, "Changed"), difference: [0, 0] },
    { version: 4, isComplete: true, events: lines(4_990, "All"), difference: [0, 4_990] },
    {
      version: 5,
      isComplete: false,
      events: [testEventLine(3, { isOnline: false }), testEventLine(9_000)],
      difference: [1, 1],
    },
  ];
  for (const { difference, ...step } of steps) {
    const [added, changed] = difference;
    assertEquals(await catalogue.publish({ ...step, sightings: {} }), { added, changed });
    assertEquals(await plain.publish({ ...step, sightings: {} }), { added, changed });
    assertEquals(bodyOf(catalogue), bodyOf(plain));
    assertEquals([catalogue.size, catalogue.edition!.etag], [plain.size, plain.edition!.etag]);
  }
  catalogue.close();
});

Deno.test("when the builder fails the last edition stays, and everything must be published again", async () => {
  const { catalogue, workers } = threaded();
  await catalogue.publish({ version: 1, isComplete: true, events: lines(100), sightings: {} });
  await catalogue.settled();
  const before = bodyOf(catalogue);
  const step = { version: 2, isComplete: false, events: lines(10, "Changed"), sightings: {} };
  const bad = [`["${crypto.randomUUID()}", this is no JSON`];
  const error = await assertRejects(
    () => catalogue.publish({ ...step, events: bad }),
    BuilderError,
  );
  assertStringIncludes(error.message, "JSON");
  assertEquals(bodyOf(catalogue), before);
  assertEquals(workers.length, 1);
  const refused = await assertRejects(() => catalogue.publish(step), Error, "published again");
  assertEquals(refused.cause, error);
  assertEquals(bodyOf(catalogue), before);
  await catalogue.publish({ ...step, isComplete: true, events: lines(50, "Again") });
  await catalogue.settled();
  assertEquals([workers.length, catalogue.edition!.size, catalogue.edition!.version], [2, 50, 2]);
  assertStringIncludes(bodyOf(catalogue), "Again");
  catalogue.close();
});

Deno.test("a thread whose module cannot be loaded fails with a BuilderError", async () => {
  const catalogue = new Catalogue({
    storeId: "test",
    policy: "latest",
    source,
    startBuilder: () => {
      const url = new URL("data:text/javascript,throw new Error('cannot be loaded')");
      return new BuilderThread(new Worker(url, { type: "module" }), "latest");
    },
  });
  const step = { version: 1, isComplete: true, events: lines(10), sightings: {} };
  await assertRejects(() => catalogue.publish(step), BuilderError);
  assertEquals(catalogue.edition, null);
});

Deno.test("after a thread failed, editions are built in this one", () => {
  const start = builderStarter("latest", source);
  const first = start();
  assertEquals(first instanceof BuilderThread, true);
  first.close();
  assertEquals(start() instanceof EditionBuilder, true);
});

Deno.test("closing the builder in the middle of a step rejects it and leaves the edition", async () => {
  const { catalogue } = threaded();
  await catalogue.publish({ version: 1, isComplete: true, events: lines(100), sightings: {} });
  const before = bodyOf(catalogue);
  const publishing = catalogue.publish({
    version: 2,
    isComplete: false,
    events: lines(20_000, "Changed"),
    sightings: {},
  });
  await catalogue.settled();
  catalogue.close();
  await assertRejects(() => publishing, BuilderError);
  assertEquals(bodyOf(catalogue), before);
});

Deno.test("requests that wait for the builder are told, and more than a step can ask fail it", async () => {
  const builder = new BuilderThread(new Worker(workerUrl, { type: "module" }), "latest");
  assertEquals(builder.queueDepth, 0);
  builder.recycle([]);
  builder.recycle([]);
  assertEquals(builder.queueDepth, 2);
  while (builder.queueDepth > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 0; i < BUILDER_REQUESTS_MAX; i++) builder.recycle([]);
  const error = await assertRejects(() => builder.compress(), BuilderError);
  assertStringIncludes(error.message, `${BUILDER_REQUESTS_MAX} requests wait`);
  assertEquals(builder.queueDepth, 0);
});
