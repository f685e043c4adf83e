import { assert, assertEquals, assertRejects } from "@std/assert";
import { FAULT_NAMES, serveDemoProvider } from "../demo/mod.ts";
import { decodeEvent, type Plan } from "../domain/mod.ts";
import { type PollRecord, StandbyError, Store } from "../store/mod.ts";
import { PoolFullError } from "../workers/mod.ts";
import { ATTEMPTS_MAX, BREAKER_FAILURES, RETRY_PAUSE_MAX_MS } from "./limits.ts";
import { type BreakerState, Poller } from "./poller.ts";
import {
  FeedError,
  type FeedResult,
  type FeedSink,
  type Provider,
  ProviderError,
} from "./provider.ts";
import { XmlProvider } from "./xml_provider.ts";

const feedOf = (url: string, name = "demo") =>
  new XmlProvider({ url, name, timeoutMs: 400, bytesMax: 50e6 });

type Told = (call: number, sink: FeedSink, signal: AbortSignal) => Promise<FeedResult>;

/** Fails what still runs when it passes. */
class Deadline implements Disposable {
  readonly #end = Promise.withResolvers<never>();
  readonly passed = this.#end.promise;
  readonly #timer;
  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#end.reject(new Error(`not done after ${ms} ms`)), ms);
  }
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** A provider that does as it is told: the outside, without a socket. */
class ToldProvider implements Provider {
  calls = 0;
  constructor(readonly name: string, readonly answer: Told) {}
  read(_validators: unknown, sink: FeedSink, signal: AbortSignal): Promise<FeedResult> {
    return this.answer(++this.calls, sink, signal);
  }
}

/** Moves Date.now() on without waiting, until it is disposed of. */
class MovedClock implements Disposable {
  readonly #now = Date.now;
  #moved = 0;
  constructor() {
    Date.now = () => this.#now() + this.#moved;
  }
  move(ms: number): void {
    this.#moved += ms;
  }
  [Symbol.dispose](): void {
    Date.now = this.#now;
  }
}

const nothing: FeedResult = {
  kind: "feed",
  bytes: 1,
  validators: { etag: null, lastModified: null },
};
const down = () => Promise.reject(new ProviderError("provider_status", "503", true));

/** Every event that the store shows, and the version it shows them at. */
async function shown(store: Store): Promise<{ version: number; events: string[] }> {
  const stop = new AbortController();
  for await (const { version, events } of store.follow(stop.signal)) {
    stop.abort();
    // An id may occur twice while a version is being brought up; the last one counts.
    const byId = new Map([...events].map((text) => [decodeEvent(text).id, text]));
    return { version, events: [...byId.values()].sort() };
  }
  throw new Error("the store showed nothing");
}

const planCalled = (planId: string): Plan => ({
  basePlanId: "1",
  planId,
  title: "Tosca",
  sellMode: "online",
  organizerCompanyId: null,
  start: 0,
  end: null,
  sellFrom: null,
  sellTo: null,
  soldOut: false,
  zones: [],
});

Deno.test("whatever the provider does, the last good version stays, and the poll log says what happened", async () => {
  await using demo = serveDemoProvider({
    plans: 40,
    changeShare: 0.5,
    seasonSpeed: 0,
    latencyScale: 0.001,
  });
  await using store = await Store.open({ path: ":memory:", providers: ["demo"] });
  const poller = new Poller({ providers: [feedOf(demo.url)], store, retryPauseMs: 1 });
  // The poll log tells polls of one provider apart by the millisecond at which they began.
  using clock = new MovedClock();
  const records: PollRecord[] = [];
  const poll = async () => {
    clock.move(1);
    const [record] = await poller.poll();
    records.unshift(record);
    return record;
  };
  const first = await poll();
  assertEquals([first.outcome, first.version], ["changed", 1]);
  const good = await shown(store);
  assert(good.events.length > 30);
  const outcomes: Record<string, string> = {};
  for (const fault of FAULT_NAMES.filter((name) => name !== "none" && name !== "flaky")) {
    demo.provider.setFault(fault);
    const { outcome, error, attempts, version } = await poll();
    outcomes[fault] = `${outcome} ${error?.code ?? "-"} ${attempts}`;
    assertEquals(version, 1, fault);
    assertEquals(await shown(store), good, fault);
    // A good poll in between closes the breaker's count, and shows that the provider is back at once.
    demo.provider.setFault("none");
    const after = await poll();
    assert(["not_modified", "unchanged"].includes(after.outcome), `${fault}: ${after.outcome}`);
  }
  assertEquals(outcomes, {
    unavailable: "failed provider_status 3",
    latency: "unchanged - 1",
    hang: "failed provider_timeout 3",
    cut: "refused malformed_feed 1",
    malformed: "refused malformed_feed 1",
    html: "refused malformed_feed 1",
    doctype: "refused doctype_refused 1",
    "gzip-bomb": "refused feed_too_large 1",
    empty: "empty - 1",
    drip: "failed provider_timeout 3",
  });
  demo.provider.advance();
  const last = await poll();
  assertEquals([last.outcome, last.version], ["changed", 2]);
  assertEquals(await store.polls(100), records, "the newest first, as the caller got them");
  await poller.stop();
});

Deno.test("a connection that is reset within the feed costs attempts and nothing else", async () => {
  await using demo = serveDemoProvider({ plans: 40 });
  await using store = await Store.open({ path: ":memory:", providers: ["demo"] });
  const poller = new Poller({
    providers: [feedOf(`${demo.url}?fault=cut&cut=reset`)],
    store,
    retryPauseMs: 1,
  });
  const [record] = await poller.poll();
  assertEquals([record.outcome, record.error?.code, record.attempts], [
    "failed",
    "provider_unreachable",
    ATTEMPTS_MAX,
  ]);
  assertEquals(await shown(store), { version: 0, events: [] });
});

Deno.test("a request that fails for a moment is made again within the poll", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  const provider = new ToldProvider(
    "told",
    (call) => call < ATTEMPTS_MAX ? down() : Promise.resolve(nothing),
  );
  const poller = new Poller({ providers: [provider], store, retryPauseMs: 1 });
  const [record] = await poller.poll();
  assertEquals([record.outcome, record.attempts], ["empty", ATTEMPTS_MAX]);
});

Deno.test("what a failed attempt observed is dropped with it", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  const provider = new ToldProvider("told", (call, sink) => {
    sink.observe(planCalled(`attempt ${call}`));
    sink.reject({ reason: "invalid_id", basePlanId: `${call}`, planId: null, detail: "" });
    return call === 1 ? down() : Promise.resolve(nothing);
  });
  const poller = new Poller({ providers: [provider], store, retryPauseMs: 1 });
  const [record] = await poller.poll();
  assertEquals([record.attempts, record.plans, record.added, record.rejected], [2, 1, 1, 1]);
  const { events } = await shown(store);
  assertEquals(events.map((text) => decodeEvent(text).plan.planId), ["attempt 2"]);
  await store.settled();
  assertEquals((await store.rejections(10)).map(({ basePlanId }) => basePlanId), ["2"]);
});

Deno.test("what does not pass by itself is not tried again", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  const errors = [
    new ProviderError("provider_status", "404", false),
    new FeedError("wrong_root", "<html>"),
    new TypeError("a bug"),
  ];
  const provider = new ToldProvider("told", (call) => Promise.reject(errors[call - 1]));
  const poller = new Poller({ providers: [provider], store, retryPauseMs: 1 });
  const seen: unknown[] = [];
  for (let n = 0; n < errors.length; n++) {
    const [{ outcome, attempts, error }] = await poller.poll();
    seen.push([outcome, attempts, error]);
  }
  assertEquals(seen, [
    ["failed", 1, { code: "provider_status", message: "404" }],
    ["refused", 1, { code: "wrong_root", message: "<html>" }],
    ["failed", 1, { code: "internal_error", message: "a bug" }],
  ]);
});

Deno.test("a provider that keeps failing is left alone, then tried once, then trusted again", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  let isUp = false;
  const provider = new ToldProvider("told", () => isUp ? Promise.resolve(nothing) : down());
  const states: `${string} ${BreakerState}`[] = [];
  // The breaker reads Date.now(), which is moved here instead of waited for.
  using clock = new MovedClock();
  const poller = new Poller({
    providers: [provider],
    store,
    retryPauseMs: 1,
    breakerOpenMs: 60_000,
    onBreaker: (name, state) => states.push(`${name} ${state}`),
  });
  const poll = async () => {
    const [{ outcome, attempts, error }] = await poller.poll();
    return [outcome, attempts, error?.code ?? null];
  };
  assertEquals(await poll(), ["failed", ATTEMPTS_MAX, "provider_status"]);
  assertEquals(states, []);
  // The breaker opens within this poll, which still says what was wrong.
  const left = BREAKER_FAILURES - ATTEMPTS_MAX;
  assertEquals(await poll(), ["failed", left, "provider_status"]);
  assertEquals(states.splice(0), ["told open"]);

  clock.move(59_000);
  assertEquals(await poll(), ["skipped", 0, "breaker_open"]);
  assertEquals([provider.calls, states], [BREAKER_FAILURES, []]);

  clock.move(2_000);
  assertEquals(await poll(), ["failed", 1, "provider_status"], "one attempt, no further");
  assertEquals(states.splice(0), ["told half_open", "told open"]);
  assertEquals(await poll(), ["skipped", 0, "breaker_open"]);

  clock.move(61_000);
  isUp = true;
  assertEquals(await poll(), ["empty", 1, null]);
  assertEquals(states.splice(0), ["told half_open", "told closed"]);

  isUp = false;
  assertEquals(await poll(), ["failed", ATTEMPTS_MAX, "provider_status"], "the count is new");
  assertEquals(states, []);
});

Deno.test("one provider's breaker is not another's, and refused feeds open it too", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["bad", "good"] });
  const bad = new ToldProvider("bad", () => Promise.reject(new FeedError("wrong_root", "no")));
  const good = new ToldProvider("good", () => Promise.resolve(nothing));
  const poller = new Poller({ providers: [bad, good], store });
  let outcomes: string[] = [];
  for (let n = 0; n <= BREAKER_FAILURES; n++) {
    outcomes = (await poller.poll()).map(({ provider, outcome }) => `${provider} ${outcome}`);
  }
  assertEquals(outcomes, ["bad skipped", "good empty"]);
  assertEquals([bad.calls, good.calls], [BREAKER_FAILURES, BREAKER_FAILURES + 1]);
});

Deno.test("polls of one provider do not overlap: a second call joins the first", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  const gate = Promise.withResolvers<FeedResult>();
  const provider = new ToldProvider("told", () => gate.promise);
  const poller = new Poller({ providers: [provider], store });
  const polls = [poller.poll(), poller.poll(), poller.poll()];
  gate.resolve(nothing);
  const ids = (await Promise.all(polls)).map(([record]) => record.id);
  assertEquals([new Set(ids).size, provider.calls], [1, 1]);
  const [next] = await poller.poll();
  assertEquals([ids.includes(next.id), provider.calls], [false, 2], "and then a new one begins");
});

Deno.test("a provider that hangs holds up no other, and stopping breaks it off without a trace", async () => {
  await using demo = serveDemoProvider({ plans: 40 });
  await using store = await Store.open({ path: ":memory:", providers: ["demo", "hangs"] });
  const done = Promise.withResolvers<string>();
  const hanging: Provider = {
    name: "hangs",
    read: (_validators, sink, signal) =>
      new Promise((_resolve, reject) => {
        sink.observe(planCalled("half read"));
        signal.addEventListener("abort", () => reject(new Error("aborted")));
      }),
  };
  const poller = new Poller({
    providers: [hanging, feedOf(demo.url)],
    store,
    onPoll: ({ provider, outcome }) => done.resolve(`${provider} ${outcome}`),
  });
  const both = poller.poll();
  assertEquals(await done.promise, "demo changed");
  await poller.stop();
  assertEquals((await both).map(({ provider }) => provider), ["demo"]);
  assertEquals((await store.polls(10)).map(({ provider }) => provider), ["demo"]);
  const { events } = await shown(store);
  assertEquals(events.filter((text) => text.includes("half read")), []);
  assertEquals(await poller.poll(), [], "nothing is polled after the stop");
});

Deno.test("stopping ends a pause between attempts, and nothing is asked or reported after it", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  const events: string[] = [];
  const asked = Promise.withResolvers<void>();
  const provider = new ToldProvider("told", (_call, _sink, signal) => {
    assertEquals(signal.aborted, false, "it is not asked after the stop");
    asked.resolve();
    return down();
  });
  const poller = new Poller({
    providers: [provider],
    store: {
      beginPoll(name) {
        events.push("begin");
        return store.beginPoll(name);
      },
    },
    retryPauseMs: 3_600_000,
    onPoll: () => events.push("poll"),
    onStandby: () => events.push("standby"),
    onStoreError: () => events.push("store error"),
  });
  const poll = poller.poll();
  await asked.promise;
  // The rejection travels a few steps until the pause begins; stopping before that must do as well.
  await new Promise((resolve) => setTimeout(resolve, 20));
  // The pause is at least half of RETRY_PAUSE_MAX_MS; stopping must not wait for it.
  using deadline = new Deadline(RETRY_PAUSE_MAX_MS / 2.5);
  await Promise.race([poller.stop(), deadline.passed]);
  assertEquals([await poll, provider.calls, events], [[], 1, ["begin"]]);
  assertEquals(await store.polls(10), []);
});

Deno.test("stopping at any step of a poll leaves no trace, and never hangs", async () => {
  const askedTooLate: number[] = [];
  for (let steps = 0; steps < 40; steps++) {
    await using store = await Store.open({ path: ":memory:", providers: ["told"] });
    const provider = new ToldProvider(
      "told",
      (_call, sink, signal) =>
        new Promise((_resolve, reject) => {
          if (signal.aborted) askedTooLate.push(steps);
          signal.throwIfAborted();
          sink.observe(planCalled("1"));
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    const poller = new Poller({ providers: [provider], store });
    const poll = poller.poll();
    // Microtasks first, then turns of the event loop, in which the store answers.
    for (let n = 0; n < steps; n++) {
      await (n < 20 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, 0)));
    }
    await poller.stop();
    assertEquals([await poll, await store.polls(10)], [[], []], `after ${steps} steps`);
  }
  assertEquals(askedTooLate, [], "a provider is not asked after the stop");
});

Deno.test("a store that fails is reported, and the next poll finds it again", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  const provider = new ToldProvider("told", (_call, sink) => {
    sink.observe(planCalled("1"));
    return Promise.resolve(nothing);
  });
  let failing: "begin" | "commit" | "lease" | null = "begin";
  const reports: string[] = [];
  const poller = new Poller({
    providers: [provider],
    store: {
      async beginPoll(name) {
        if (failing === "begin") throw new Error("cannot be read");
        const transaction = await store.beginPoll(name);
        if (failing === "lease") return null;
        if (failing === null) return transaction;
        return { ...transaction!, commit: () => Promise.reject(new Error("disk is full")) };
      },
    },
    retryPauseMs: 1,
    onStoreError: (name, { message }) => reports.push(`${name}: ${message}`),
    onStandby: (name) => reports.push(`${name}: standby`),
  });
  assertEquals(await poller.poll(), []);
  assertEquals([provider.calls, reports.splice(0)], [0, ["told: cannot be read"]]);
  failing = "commit";
  assertEquals(await poller.poll(), []);
  assertEquals(
    [provider.calls, reports.splice(0)],
    [1, ["told: disk is full"]],
    "no other attempt",
  );
  failing = "lease";
  assertEquals(await poller.poll(), []);
  assertEquals([provider.calls, reports.splice(0)], [1, ["told: standby"]]);
  failing = null;
  const [record] = await poller.poll();
  assertEquals([record.outcome, record.version, record.added, reports], ["changed", 1, 1, []]);
});

Deno.test("who asks for a poll waits for another's lease to lapse, and is told when it does not", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  const provider = new ToldProvider("told", () => Promise.resolve(nothing));
  let elsewhere = Infinity;
  const poller = new Poller({
    providers: [provider],
    store: {
      beginPoll: (name) => elsewhere-- > 0 ? Promise.resolve(null) : store.beginPoll(name),
    },
    standbyWaitMs: 300,
  });
  await assertRejects(() => poller.requestPoll(), StandbyError, "another process polls");
  assertEquals(await poller.pollAfterStandby(), []);
  assertEquals(provider.calls, 0);
  elsewhere = 1;
  assertEquals((await poller.requestPoll()).length, 1);
  elsewhere = 1;
  assertEquals((await poller.pollAfterStandby()).length, 1);
  // Whoever does not wait, such as the schedule, comes back anyway.
  elsewhere = 1;
  assertEquals(await poller.poll(), []);
});

Deno.test("the feed's validators come back to the provider, those of the last good feed only", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  const given: unknown[] = [];
  const provider: Provider = {
    name: "told",
    read(validators, sink) {
      given.push(validators.etag);
      if (given.length === 2) return Promise.reject(new FeedError("malformed_feed", "cut"));
      if (given.length === 3) return Promise.resolve({ kind: "not_modified" });
      sink.observe(planCalled("1"));
      return Promise.resolve({
        kind: "feed",
        bytes: 7,
        validators: { etag: `"${given.length}"`, lastModified: null },
      });
    },
  };
  const poller = new Poller({ providers: [provider], store });
  const outcomes: string[] = [];
  for (let n = 0; n < 4; n++) outcomes.push((await poller.poll())[0].outcome);
  assertEquals(outcomes, ["changed", "refused", "not_modified", "unchanged"]);
  assertEquals(given, [null, '"1"', '"1"', '"1"']);
});

Deno.test("a feed that changed is the next version, and its events keep what changed", async () => {
  await using demo = serveDemoProvider({ plans: 60, changeShare: 0.5, seasonSpeed: 0 });
  await using store = await Store.open({ path: ":memory:", providers: ["demo"] });
  const poller = new Poller({ providers: [feedOf(demo.url)], store });
  await poller.poll();
  demo.provider.advance();
  const [record] = await poller.poll();
  assertEquals([record.outcome, record.version, record.changed > 0], ["changed", 2, true]);
  await store.settled();
  const { version, events } = await shown(store);
  const changed = events.map((text) => decodeEvent(text)).filter(({ changes }) =>
    changes.length > 0
  );
  assertEquals([version, changed.length], [2, record.changed + record.unlisted]);
});

Deno.test("a poll for which no thread is free is skipped and recorded, and is no failure of its provider", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["busy", "free"] });
  const full = new PoolFullError("parse", 1, 16);
  let isFull = true;
  const busy = new ToldProvider(
    "busy",
    () => isFull ? Promise.reject(full) : Promise.resolve(nothing),
  );
  const held = Promise.withResolvers<FeedResult>();
  const free = new ToldProvider(
    "free",
    (call) => call === 1 ? held.promise : Promise.resolve(nothing),
  );
  const states: BreakerState[] = [];
  const poller = new Poller({
    providers: [busy, free],
    store,
    retryPauseMs: 1,
    onBreaker: (_, state) => states.push(state),
  });
  // Who asks is told at once; the provider that has a thread is polled all the same.
  const error = await assertRejects(() => poller.requestPoll(), PoolFullError);
  assertEquals(error, full);
  held.resolve(nothing);
  for (let i = 0; i < BREAKER_FAILURES + 1; i++) await poller.poll();
  const [record] = (await poller.poll()).filter(({ provider }) => provider === "busy");
  assertEquals([record.outcome, record.attempts, record.error], ["skipped", 0, {
    code: "service_overloaded",
    message: full.message,
  }]);
  assertEquals(states, []);
  isFull = false;
  assertEquals((await poller.requestPoll()).map(({ outcome }) => outcome), ["empty", "empty"]);
});
