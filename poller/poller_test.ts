import { assert, assertEquals } from "@std/assert";
import { serveDemoProvider } from "../demo/mod.ts";
import { Store } from "../store/mod.ts";
import { ATTEMPTS_MAX, BREAKER_FAILURES } from "./limits.ts";
import { type BreakerState, Poller } from "./poller.ts";
import { type FeedResult, type Provider, ProviderError } from "./provider.ts";
import { XmlProvider } from "./xml_provider.ts";

const feedOf = (url: string, name = "demo") =>
  new XmlProvider({ url, name, timeoutMs: 400, bytesMax: 50e6 });

/** A provider that does as it is told: the outside, without a socket. */
class ToldProvider implements Provider {
  calls = 0;
  constructor(readonly name: string, readonly answer: (call: number) => Promise<FeedResult>) {}
  read(): Promise<FeedResult> {
    return this.answer(++this.calls);
  }
}

const nothing: FeedResult = {
  kind: "feed",
  bytes: 1,
  validators: { etag: null, lastModified: null },
};
const down = () => Promise.reject(new ProviderError("provider_status", "503", true));

Deno.test("whatever the provider does, the last good version stays, and the poll log says what happened", async () => {
  await using demo = serveDemoProvider({ plans: 40, seasonSpeed: 0 });
  await using store = await Store.open({ path: ":memory:", providers: ["demo"] });
  const poller = new Poller({
    providers: [feedOf(demo.url)],
    store,
    retryPauseMs: 1,
    breakerOpenMs: 1,
  });
  const [first] = await poller.poll();
  assertEquals([first.outcome, first.version], ["changed", 1]);
  const outcomes: Record<string, string> = {};
  for (
    const fault of [
      "unavailable",
      "hang",
      "cut",
      "malformed",
      "html",
      "doctype",
      "gzip-bomb",
      "drip",
    ] as const
  ) {
    demo.provider.setFault(fault);
    // Past the pause of a breaker that the fault before has opened.
    await new Promise((resolve) => setTimeout(resolve, 10));
    const [record] = await poller.poll();
    outcomes[fault] = `${record.outcome} ${record.error?.code} ${record.attempts}`;
    assertEquals([record.version, record.plans], [1, 0], fault);
  }
  assertEquals(outcomes, {
    unavailable: "failed provider_status 3",
    hang: "failed provider_timeout 3",
    cut: "refused malformed_feed 1",
    malformed: "refused malformed_feed 1",
    html: "refused malformed_feed 1",
    doctype: "refused doctype_refused 1",
    "gzip-bomb": "refused feed_too_large 1",
    drip: "failed provider_timeout 3",
  });
  demo.provider.setFault("none");
  await new Promise((resolve) => setTimeout(resolve, 10));
  demo.provider.advance();
  const [last] = await poller.poll();
  assert(["changed", "unchanged", "not_modified"].includes(last.outcome), last.outcome);
  assertEquals((await store.polls(100)).length, 10);
  await poller.stop();
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

Deno.test("a provider that keeps failing is left alone, then tried once, then trusted again", async () => {
  await using store = await Store.open({ path: ":memory:", providers: ["told"] });
  let isUp = false;
  const provider = new ToldProvider("told", () => isUp ? Promise.resolve(nothing) : down());
  const states: BreakerState[] = [];
  const poller = new Poller({
    providers: [provider],
    store,
    retryPauseMs: 1,
    breakerOpenMs: 300,
    onBreaker: (_, state) => states.push(state),
  });
  await poller.poll();
  await poller.poll();
  assertEquals([provider.calls, states], [BREAKER_FAILURES, ["open"]]);
  const [skipped] = await poller.poll();
  assertEquals([skipped.outcome, skipped.error!.code, provider.calls], [
    "skipped",
    "breaker_open",
    BREAKER_FAILURES,
  ]);
  isUp = true;
  await new Promise((resolve) => setTimeout(resolve, 350));
  const [tried] = await poller.poll();
  assertEquals([tried.outcome, provider.calls], ["empty", BREAKER_FAILURES + 1]);
  assertEquals(states, ["open", "half_open", "closed"]);
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
});

Deno.test("a provider that hangs holds up no other, and stopping breaks it off without a trace", async () => {
  await using demo = serveDemoProvider({ plans: 40 });
  await using store = await Store.open({ path: ":memory:", providers: ["demo", "hangs"] });
  const done = Promise.withResolvers<string>();
  const hanging: Provider = {
    name: "hangs",
    read: (_validators, sink, signal) =>
      new Promise((_resolve, reject) => {
        sink.observe({
          basePlanId: "1",
          planId: "1",
          title: "half read",
          sellMode: "online",
          organizerCompanyId: null,
          start: 0,
          end: null,
          sellFrom: null,
          sellTo: null,
          soldOut: false,
          zones: [],
        });
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
  assertEquals(await poller.poll(), [], "nothing is polled after the stop");
});

Deno.test("an event listed online and then offline keeps a history through the poller", async () => {
  await using demo = serveDemoProvider({ plans: 60, changeShare: 0.5 });
  await using store = await Store.open({ path: ":memory:", providers: ["demo"] });
  const poller = new Poller({ providers: [feedOf(demo.url)], store });
  await poller.poll();
  demo.provider.advance();
  const [record] = await poller.poll();
  assertEquals([record.outcome, record.version, record.changed > 0], ["changed", 2, true]);
});
