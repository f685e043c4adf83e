import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { decodeEvent, encodeEvent, observePlan, summarizeEvent } from "../domain/mod.ts";
import { StoreError } from "./kv.ts";
import { POLLS_KEPT } from "./limits.ts";
import type { PollTransaction } from "./port.ts";
import { Store } from "./store.ts";
import { numberedPlans, PROVIDER, readFirst, storePoll, testPlan } from "./testing/polls.ts";
import { fitsValue } from "./value_codec.ts";
import { WriterProcess } from "./testing/writer_process.ts";

const memory = () => Store.open({ path: ":memory:", providers: [PROVIDER, "other"] });

async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(`${folder}/marquee.kv`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every event of a store by its base plan's id. */
async function eventsOf(store: Store) {
  const stop = new AbortController();
  try {
    for await (const change of store.follow(stop.signal)) {
      const events = [...change.events].map(decodeEvent);
      return new Map(events.map((event) => [event.plan.basePlanId, event]));
    }
  } finally {
    stop.abort();
  }
  throw new Error("nothing to follow");
}

Deno.test("a poll becomes one version, and an unchanged one writes no event, no log and no version", async () => {
  await withFile(async (path) => {
    await using store = await Store.open({ path, providers: [PROVIDER] });
    const first = await storePoll(store, numberedPlans(500, 1));
    assertEquals([first.outcome, first.version, first.added], ["changed", 1, 500]);
    await store.settled();
    const newest = async () => {
      using kv = await Deno.openKv(path);
      const stamps: string[] = [];
      for (const prefix of ["event", "log", "version", "applied"]) {
        for await (const entry of kv.list({ start: [prefix], end: [prefix + "\0"] })) {
          stamps.push(entry.versionstamp);
        }
      }
      return [stamps.length, stamps.sort().at(-1)];
    };
    const before = await newest();
    const second = await storePoll(store, numberedPlans(500, 1));
    await store.settled();
    assertEquals([second.outcome, second.version, second.changed], ["unchanged", 1, 0]);
    assertEquals(await newest(), before);
  });
});

Deno.test("what changed is stored with its history, what vanished stays with its last sighting", async () => {
  await using store = await memory();
  await storePoll(store, [testPlan(1), testPlan(2)], { startedAt: 1_000 });
  const second = await storePoll(store, [testPlan(1, { title: "Aida" })], { startedAt: 2_000 });
  assertEquals([second.added, second.changed, second.unlisted], [0, 1, 1]);
  const events = await eventsOf(store);
  assertEquals(events.get("1")!.changes, [
    { at: 2_000, fields: { title: { from: "Tosca", to: "Aida" } } },
  ]);
  assertEquals([events.get("2")!.lastSeen, events.get("2")!.firstSeen], [1_000, 1_000]);

  const third = await storePoll(store, [testPlan(1, { title: "Aida" }), testPlan(2)], {
    startedAt: 3_000,
  });
  assertEquals([third.changed, third.unlisted], [1, 0]);
  const back = (await eventsOf(store)).get("2")!;
  assertEquals([back.lastSeen, back.changes.length], [null, 2]);
});

Deno.test("a feed that lists nothing says nothing of what it listed before", async () => {
  await using store = await memory();
  await storePoll(store, [testPlan(1)], { startedAt: 1_000 });
  const empty = await storePoll(store, [], { startedAt: 2_000 });
  assertEquals([empty.outcome, empty.version, empty.unlisted], ["empty", 1, 0]);
  await storePoll(store, [testPlan(2)], { startedAt: 3_000 });
  assertEquals((await eventsOf(store)).get("1")!.lastSeen, 1_000);
});

Deno.test("a feed that lists nothing is asked for in full the next time", async () => {
  await using store = await memory();
  const validators = (etag: string) => ({ etag, lastModified: null });
  const report = { startedAt: 1_000, attempts: 1, bytes: 0 };
  const first = await store.beginPoll(PROVIDER);
  first!.observe(testPlan(1));
  await first!.commit(report, validators('"full"'));
  const second = await store.beginPoll(PROVIDER);
  second!.reject({ reason: "unreadable_price", basePlanId: "1", planId: "1", detail: "" });
  await second!.commit({ ...report, startedAt: 2_000 }, validators('"nothing"'));
  assertEquals((await store.beginPoll(PROVIDER))!.validators, validators('"full"'));
});

Deno.test("an event whose plan is set aside in one poll stays listed", async () => {
  await using store = await memory();
  await storePoll(store, [testPlan(1), testPlan(2)]);
  const poll = await store.beginPoll(PROVIDER);
  poll!.observe(testPlan(1));
  poll!.reject({ reason: "unreadable_price", basePlanId: "2", planId: "1", detail: '"n/a"' });
  const report = { startedAt: Date.now(), attempts: 1, bytes: 0 };
  const record = await poll!.commit(report, { etag: null, lastModified: null });
  assertEquals([record.outcome, record.unlisted, record.rejected], ["unchanged", 0, 1]);
  const event = (await eventsOf(store)).get("2")!;
  assertEquals([event.lastSeen, event.changes], [null, []]);
});

Deno.test("of plans with one key the last counts, also where it is the one that was stored", async () => {
  await using store = await memory();
  await storePoll(store, [testPlan(1, { title: "A" }), testPlan(1, { title: "B" })]);
  assertEquals((await eventsOf(store)).get("1")!.plan.title, "B");
  const again = await storePoll(store, [testPlan(1, { title: "C" }), testPlan(1, { title: "B" })]);
  assertEquals([again.outcome, again.duplicates], ["unchanged", 1]);
});

Deno.test("providers do not touch one another's events, and a name no longer polled is taken over", async () => {
  await withFile(async (path) => {
    {
      await using store = await Store.open({ path, providers: [PROVIDER, "other"] });
      await storePoll(store, [testPlan(1)]);
      const other = await storePoll(store, [testPlan(2)], { provider: "other" });
      assertEquals(other.unlisted, 0);
      assertEquals((await eventsOf(store)).get("1")!.lastSeen, null);
    }
    await using store = await Store.open({ path, providers: ["renamed"] });
    const taken = await storePoll(store, [testPlan(1)], { provider: "renamed" });
    assertEquals([taken.added, taken.changed], [0, 1]);
    assertEquals((await eventsOf(store)).get("1")!.provider, "renamed");
  });
});

Deno.test("two providers that list the same plan at the same time change one event", async () => {
  await using store = await memory();
  const polls = [await store.beginPoll(PROVIDER), await store.beginPoll("other")];
  polls[0]!.observe(testPlan(1));
  polls[1]!.observe(testPlan(1, { title: "Aida" }));
  const [first, second] = await Promise.all(
    polls.map((poll, n) =>
      poll!.commit({ startedAt: n + 1, attempts: 1, bytes: 0 }, { etag: null, lastModified: null })
    ),
  );
  assertEquals([first.added, second.added, second.changed], [1, 0, 1]);
  const event = (await eventsOf(store)).get("1")!;
  assertEquals(event.changes, [{ at: 2, fields: { title: { from: "Tosca", to: "Aida" } } }]);
});

Deno.test("a plan too large for a value is set aside, and only that one", async () => {
  await using store = await memory();
  const zones = oddZones(3_000);
  const record = await storePoll(store, [testPlan(1), testPlan(2, { zones }), testPlan(3)]);
  assertEquals([record.added, record.rejectedByReason], [2, { too_large: 1 }]);
  await store.settled();
  const [rejection] = await store.rejections(10);
  assertEquals([rejection.reason, rejection.basePlanId], ["too_large", "2"]);
});

/** Zones that deflate badly. */
function oddZones(count: number) {
  return Array.from({ length: count }, (_, price) => ({
    id: crypto.randomUUID(),
    capacity: 1,
    price,
    name: crypto.randomUUID(),
    numbered: false,
  }));
}

Deno.test("an event that fits a value once can be taken offline all the same", async () => {
  await using store = await memory();
  const plan = testPlan(1, { zones: oddZones(700) });
  await storePoll(store, [plan]);
  const record = await storePoll(store, [{ ...plan, sellMode: "offline" }, testPlan(2)]);
  assertEquals([record.changed, record.rejected], [1, 0]);
  await store.settled();
  const event = (await eventsOf(store)).get("1")!;
  assertEquals([event.plan.sellMode, event.plan.zones], ["offline", plan.zones]);
  assertEquals(summarizeEvent(event, "latest"), null);
  const { minPrice, maxPrice } = summarizeEvent(event, "ever")!;
  assertEquals([minPrice, maxPrice], [0, 699]);
});

Deno.test("an event that just fits a value does not fail the polls that no longer list it", async () => {
  // The last sighting takes a few bytes more: of titles that grow one by one, one leaves no room for them.
  const zones = oddZones(700);
  const noise = Array.from({ length: 1_000 }, () => crypto.randomUUID()).join("");
  const fits = (length: number) => {
    const plan = testPlan(1, { zones, title: noise.slice(0, length) });
    const id = crypto.randomUUID();
    const event = observePlan(null, { id, provider: PROVIDER, plan, now: 1_234_567_890_123 });
    return fitsValue(encodeEvent(event));
  };
  let length = 0;
  for (let step = 16_384; step >= 1; step /= 2) if (fits(length + step)) length += step;
  await using store = await memory();
  for (let shorter = 0; shorter < 40; shorter++) {
    const plan = testPlan(shorter + 10, { zones, title: noise.slice(0, length - shorter) });
    await storePoll(store, [plan, testPlan(2)], { startedAt: 1_234_567_890_123 });
    await storePoll(store, [plan, testPlan(2)], { startedAt: 1_358_024_679_876 });
    await storePoll(store, [testPlan(2)], { startedAt: 1_400_000_000_000 });
  }
  assertEquals((await storePoll(store, [testPlan(2)])).outcome, "unchanged");
});

Deno.test("hundreds of plans with long ids are set aside, and the polls go on", async () => {
  await using store = await memory();
  for (let startedAt = 1; startedAt <= 3; startedAt++) {
    const poll = await store.beginPoll(PROVIDER);
    for (let n = 0; n < 800; n++) {
      const basePlanId = `${startedAt}-${n}-`.padEnd(64, "ü");
      poll!.reject({ reason: "unreadable_price", basePlanId, planId: basePlanId, detail: "" });
    }
    poll!.observe(testPlan(startedAt));
    await poll!.commit({ startedAt, attempts: 1, bytes: 0 }, { etag: null, lastModified: null });
  }
  await store.settled();
  assertEquals((await store.rejections(10_000)).length, 2_400);
});

Deno.test("rejections that cannot be stored are reported, and the polls go on", async () => {
  const errors: unknown[] = [];
  await using store = await Store.open({
    path: ":memory:",
    providers: [PROVIDER],
    onError: (error) => errors.push(error),
  });
  for (let startedAt = 1; startedAt <= 3; startedAt++) {
    const poll = await store.beginPoll(PROVIDER);
    // Longer than a key may be.
    const basePlanId = "x".repeat(3_000);
    poll!.reject({ reason: "unreadable_price", basePlanId, planId: "1", detail: "" });
    poll!.observe(testPlan(startedAt));
    await poll!.commit({ startedAt, attempts: 1, bytes: 0 }, { etag: null, lastModified: null });
    await store.settled();
  }
  assertEquals(errors.length, 3);
});

Deno.test("an event with hundreds of zones is stored and read as it was", async () => {
  await using store = await memory();
  const zones = Array.from({ length: 900 }, (_, n) => ({
    id: String(n % 7),
    capacity: n,
    price: n / 4,
    name: `Zone ${n} – Südkurve`,
    numbered: n % 2 === 0,
  }));
  await storePoll(store, [testPlan(1, { zones })]);
  await store.settled();
  assertEquals((await eventsOf(store)).get("1")!.plan.zones, zones);
});

Deno.test("a poll that is not committed leaves nothing, and one that failed is in the poll log", async () => {
  await using store = await memory();
  const dropped = await store.beginPoll(PROVIDER);
  dropped!.observe(testPlan(1));
  const failed = await store.beginPoll(PROVIDER);
  await failed!.conclude("failed", {
    startedAt: 5,
    attempts: 3,
    bytes: 0,
    error: { code: "provider_status", message: "503" },
  });
  assertEquals((await readFirst(store)).titles.size, 0);
  const [record] = await store.polls(10);
  assertEquals([record.outcome, record.attempts, record.error!.code], [
    "failed",
    3,
    "provider_status",
  ]);
});

Deno.test("the poll log keeps the last polls only, newest first", async () => {
  await using store = await memory();
  for (let at = 1; at <= POLLS_KEPT + 20; at++) {
    const poll = await store.beginPoll(PROVIDER);
    await poll!.conclude("failed", { startedAt: at, attempts: 1, bytes: 0 });
  }
  const polls = await store.polls(10_000);
  assertEquals([polls.length, polls[0].startedAt, polls.at(-1)!.startedAt], [
    POLLS_KEPT,
    POLLS_KEPT + 20,
    21,
  ]);
});

Deno.test("a reader follows version by version, and one that fell behind the log reads everything again", async () => {
  await using store = await Store.open({
    path: ":memory:",
    providers: [PROVIDER],
    followIntervalMs: 10,
  });
  await storePoll(store, numberedPlans(3, 1));
  const stop = new AbortController();
  const steps = store.follow(stop.signal);
  const first = (await steps.next()).value!;
  assertEquals([first.version, first.isComplete, [...first.events].length], [1, true, 3]);
  await storePoll(store, [testPlan(1, { title: "changed" }), ...[...numberedPlans(3, 1)].slice(1)]);
  const second = (await steps.next()).value!;
  assertEquals([second.version, second.isComplete, [...second.events].length], [2, false, 1]);
  // Far more versions than are kept, while this reader is not asking.
  for (let number = 3; number <= 40; number++) {
    await storePoll(store, numberedPlans(3, number));
    await store.settled();
  }
  const last = (await steps.next()).value!;
  assertEquals([last.version, last.isComplete], [40, true]);
  assertEquals(
    new Set([...last.events].map((text) => decodeEvent(text).plan.title)),
    new Set(["40"]),
  );
  stop.abort();
  assertEquals((await steps.next()).done, true);
});

Deno.test("a reader that ends watches no longer", async () => {
  await using store = await memory();
  await storePoll(store, [testPlan(1)]);
  const { watch } = Deno.Kv.prototype;
  let watching = 0;
  Deno.Kv.prototype.watch = function (this: Deno.Kv, ...args: unknown[]) {
    const reader = Reflect.apply(watch, this, args).getReader();
    watching++;
    reader.closed.finally(() => watching--);
    return { getReader: () => reader };
  } as typeof watch;
  try {
    // Never aborted, as a service's is not that starts to read again.
    for await (const _change of store.follow(new AbortController().signal)) break;
  } finally {
    Deno.Kv.prototype.watch = watch;
  }
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(watching, 0);
});

Deno.test("one process polls at a time, and the next takes over when the lease is given back", async () => {
  await withFile(async (path) => {
    await using second = await Store.open({ path, providers: [PROVIDER] });
    {
      await using first = await Store.open({ path, providers: [PROVIDER] });
      await storePoll(first, [testPlan(1)]);
      assertEquals(await second.beginPoll(PROVIDER), null);
    }
    const record = await storePoll(second, [testPlan(1, { title: "Aida" })]);
    assertEquals([record.version, record.changed], [2, 1]);
  });
});

Deno.test("two providers that begin at the same time both get to poll", async () => {
  for (let round = 0; round < 20; round++) {
    await using store = await memory();
    const polls = await Promise.all([store.beginPoll(PROVIDER), store.beginPoll("other")]);
    assertEquals(polls.includes(null), false);
  }
});

Deno.test("a poll of an earlier tenure that fails does not fail the polls of the next one", async () => {
  await withFile(async (path) => {
    await using store = await Store.open({ path, providers: [PROVIDER, "other"] });
    using kv = await Deno.openKv(path);
    const report = () => ({ startedAt: Date.now(), attempts: 1, bytes: 0 });
    const none = { etag: null, lastModified: null };
    const early = [await store.beginPoll(PROVIDER), await store.beginPoll("other")];
    // As another process does when it takes the polling over.
    await kv.set(["epoch"], 99);
    await assertRejects(() => early[0]!.commit(report(), none), StoreError);
    const next = await store.beginPoll(PROVIDER);
    await assertRejects(() => early[1]!.commit(report(), none), StoreError);
    const other = await store.beginPoll("other");
    next!.observe(testPlan(1));
    assertEquals((await next!.commit(report(), none)).outcome, "changed");
    other!.observe(testPlan(2));
    assertEquals((await other!.commit(report(), none)).outcome, "changed");
  });
});

Deno.test("the first poll after a lease that was lost and regained is stored", async () => {
  await withFile(async (path) => {
    await using store = await Store.open({ path, providers: [PROVIDER], leaseMs: 60 });
    using kv = await Deno.openKv(path);
    await storePoll(store, [testPlan(1)]);
    await kv.atomic().set(["lease"], { holder: "another", until: Date.now() + 300 })
      .set(["epoch"], 99).commit();
    let poll: PollTransaction | null = null, lost = 0;
    for (let tries = 0; tries < 200 && (lost === 0 || poll === null); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      poll = await store.beginPoll(PROVIDER);
      if (poll === null) lost++;
    }
    assert(lost > 0 && poll !== null, "the lease is lost and regained");
    poll.observe(testPlan(1, { title: "Aida" }));
    const report = { startedAt: Date.now(), attempts: 1, bytes: 0 };
    const record = await poll.commit(report, { etag: null, lastModified: null });
    assertEquals([record.outcome, record.changed], ["changed", 1]);
  });
});

Deno.test("a poller that was stopped past its lease can neither publish nor overwrite", async () => {
  await withFile(async (path) => {
    const plans = 20_000;
    const paused = new WriterProcess({ path, plans, first: 1, last: 1, leaseMs: 500 });
    await paused.line("begin 1");
    paused.signal("SIGSTOP");
    await using store = await Store.open({ path, providers: [PROVIDER], leaseMs: 500 });
    let poll = await store.beginPoll(PROVIDER);
    for (let tries = 0; poll === null && tries < 100; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      poll = await store.beginPoll(PROVIDER);
    }
    assert(poll !== null, "the lease lapses");
    for (const plan of numberedPlans(100, 7)) poll.observe(plan);
    const report = { startedAt: Date.now(), attempts: 1, bytes: 0 };
    const record = await poll.commit(report, { etag: null, lastModified: null });
    paused.signal("SIGCONT");
    assertGreater((await paused.ended).code, 0, "the paused poller's commit is refused");
    assertEquals(paused.lines, ["begin 1"]);
    await store.settled();
    const { version, titles } = await readFirst(store);
    assertEquals([version, titles.size, new Set(titles.values())], [
      record.version,
      100,
      new Set(["7"]),
    ]);
  });
});

Deno.test("a store of another layout is refused, with the remedy", async () => {
  await withFile(async (path) => {
    {
      using kv = await Deno.openKv(path);
      await kv.set(["store"], { id: "x", layout: 99 });
    }
    await assertRejects(() => Store.open({ path }), StoreError, "use the version that wrote it");
  });
});

Deno.test("a path that cannot be opened is named", async () => {
  await assertRejects(
    () => Store.open({ path: "/nowhere/at/all.kv" }),
    StoreError,
    "/nowhere/at/all.kv",
  );
});

const canMount = Deno.build.os === "linux" && Deno.uid() === 0 && await isSpawnable("mount");

async function isSpawnable(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output();
    return true;
  } catch {
    return false;
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

if (!canMount) {
  console.log("    left out: a full disk (mounting a small tmpfs takes root on Linux)");
}
Deno.test({
  name:
    "on a full disk a poll fails as a whole, reads go on, and the next poll completes when there is space",
  ignore: !canMount,
  async fn() {
    const folder = await Deno.makeTempDir();
    await run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder);
    try {
      await using store = await Store.open({ path: `${folder}/marquee.kv`, providers: [PROVIDER] });
      await storePoll(store, numberedPlans(50, 1));
      await store.settled();
      await run("dd", "if=/dev/zero", `of=${folder}/ballast`, "bs=1k", "count=2600");
      const title = () => Array.from({ length: 5 }, () => crypto.randomUUID()).join();
      const large = Array.from({ length: 9_000 }, (_, n) => testPlan(n + 1, { title: title() }));
      const error = await assertRejects(() => storePoll(store, large), StoreError);
      assertEquals(error.code, "store_full");
      const { version, titles } = await readFirst(store);
      assertEquals([version, titles.size], [1, 50]);
      await Deno.remove(`${folder}/ballast`);
      const record = await storePoll(store, numberedPlans(60, 2));
      assertEquals([record.outcome, record.added, record.changed], ["changed", 10, 50]);
    } finally {
      await run("umount", folder);
      await Deno.remove(folder);
    }
  },
});

Deno.test("while another process locks the file for seconds at a time, polls wait and complete", async () => {
  await withFile(async (path) => {
    await using store = await Store.open({ path, providers: [PROVIDER] });
    const locker = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { DatabaseSync } from "node:sqlite";
         const database = new DatabaseSync(${JSON.stringify(path)}, { timeout: 5_000 });
         const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
         for (const held of [2_500, 100, 100]) {
           database.exec("BEGIN IMMEDIATE");
           console.log("locked");
           await pause(held);
           database.exec("COMMIT");
           await pause(300);
         }`,
      ],
      stdout: "piped",
    }).spawn();
    const output = locker.stdout.getReader();
    await output.read();
    const begun = performance.now();
    for (let poll = 1; poll <= 4; poll++) {
      const record = await storePoll(store, numberedPlans(200, poll));
      assertEquals(record.outcome, "changed");
      if (poll === 1) assertGreater(performance.now() - begun, 1_500, "the file was not locked");
    }
    await output.cancel();
    assertEquals((await locker.status).success, true);
    await store.settled();
    const { version, titles } = await readFirst(store);
    assertEquals([version, new Set(titles.values())], [4, new Set(["4"])]);
  });
});
