import { assert, assertEquals } from "@std/assert";
import { decodeEvent, type Plan } from "../domain/mod.ts";
import { ENCODED_BYTES } from "./limits.ts";
import { PlanEncoder } from "./plan_encoder.ts";
import type { PollRecord, PollTransaction } from "./port.ts";
import { Store } from "./store.ts";

const planOf = (planId: string, title = "Usual", zones = 1): Plan => ({
  basePlanId: "1",
  planId,
  title,
  sellMode: "online",
  organizerCompanyId: null,
  start: 0,
  end: 60,
  sellFrom: null,
  sellTo: null,
  soldOut: false,
  zones: Array.from({ length: zones }, (_, n) => ({
    id: String(n),
    capacity: n,
    price: n / 2,
    name: "Pit 日本",
    numbered: true,
  })),
});

/** Stores polls one after the other and returns their counts and what is stored in the end. */
async function store(
  polls: readonly Plan[][],
  observe: (poll: PollTransaction, plans: readonly Plan[]) => void,
) {
  await using store = await Store.open({ path: ":memory:", providers: ["demo"] });
  const counts: unknown[] = [];
  for (const plans of polls) {
    const poll = (await store.beginPoll("demo"))!;
    observe(poll, plans);
    const record: PollRecord = await poll.commit({ startedAt: 1, attempts: 1, bytes: 1 }, {
      etag: null,
      lastModified: null,
    });
    const { outcome, added, changed, unlisted, duplicates, version } = record;
    counts.push({ outcome, plans: record.plans, added, changed, unlisted, duplicates, version });
    await store.settled();
  }
  const stop = new AbortController();
  for await (const { events } of store.follow(stop.signal)) {
    stop.abort();
    return { counts, plans: [...events].map((line) => decodeEvent(line).plan) };
  }
  throw new Error("nothing is stored");
}

Deno.test("a poll of encoded plans is stored, compared and counted as one of plans is", async () => {
  const many = Array.from({ length: 3_000 }, (_, n) => planOf(`p${n}`));
  const polls = [
    many,
    many,
    [
      ...many.slice(0, 2_000),
      planOf("p7", "Changed"),
      planOf("p7", "Changed again"),
      planOf("new"),
    ],
    // The last of several counts, and here it is as it was.
    [...many.slice(0, 2_000), planOf("p8", "Changed"), planOf("p8"), planOf("new", "é 🎭", 900)],
    [],
  ];
  const plain = await store(polls, (poll, plans) => plans.forEach((plan) => poll.observe(plan)));
  const encoded = await store(polls, (poll, plans) => {
    const encoder = new PlanEncoder();
    for (const plan of plans) {
      encoder.add(plan);
      if (encoder.isFull) poll.observeEncoded(encoder.take());
    }
    poll.observeEncoded(encoder.take());
  });
  assertEquals(encoded, plain);
  assertEquals(plain.plans.length, 3_001);
});

Deno.test("a plan larger than the block is encoded whole, and what was taken stays its taker's", () => {
  const encoder = new PlanEncoder();
  assertEquals([encoder.isFull, encoder.take().keys], [false, []]);
  encoder.add(planOf("small"));
  encoder.add(planOf("large", "Large", ENCODED_BYTES / 10));
  assert(encoder.isFull);
  const taken = encoder.take();
  assertEquals(taken.keys, ["1:small", "1:large"]);
  assertEquals([taken.ends.length, taken.ends[1]], [2, taken.lines.length]);
  assert(taken.lines.length > ENCODED_BYTES);
  assertEquals(encoder.isFull, false);
  encoder.add(planOf("next"));
  assertEquals(encoder.take().keys, ["1:next"]);
  assertEquals(new TextDecoder().decode(taken.lines.subarray(0, 12)), '["1","small"');
});
