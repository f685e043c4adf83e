/**
 * Polls for the tests of the store: every plan of a poll carries the poll's number as its title, so that a picture put
 * together from two polls shows itself.
 *
 * @module
 */
import { decodeEvent, type Plan } from "../../domain/mod.ts";
import type { PollRecord } from "../port.ts";
import { Store, type StoreOptions } from "../store.ts";

/** The provider of these polls. */
export const PROVIDER = "test";

/** One plan. */
export function testPlan(number: number, changes: Partial<Plan> = {}): Plan {
  return {
    basePlanId: String(number),
    planId: "1",
    title: "Tosca",
    sellMode: "online",
    organizerCompanyId: null,
    start: 1_800_000_000 + number,
    end: 1_800_003_600 + number,
    sellFrom: null,
    sellTo: null,
    soldOut: false,
    zones: [{ id: "186", capacity: 100, price: 20.5, name: "Platea", numbered: true }],
    ...changes,
  };
}

/** Stores a poll that lists some plans. */
export async function storePoll(
  store: Store,
  plans: Iterable<Plan>,
  options: { provider?: string; startedAt?: number } = {},
): Promise<PollRecord> {
  const { provider = PROVIDER, startedAt = Date.now() } = options;
  const poll = await store.beginPoll(provider);
  if (poll === null) throw new Error("another process holds the lease");
  for (const plan of plans) poll.observe(plan);
  return await poll.commit({ startedAt, attempts: 1, bytes: 0 }, {
    etag: null,
    lastModified: null,
  });
}

/** Plans 1 to `count`, all titled with the number of their poll. */
export function* numberedPlans(count: number, poll: number): Generator<Plan> {
  for (let number = 1; number <= count; number++) yield testPlan(number, { title: String(poll) });
}

/** What a reader that starts now sees: titles by key, as of one version. */
export async function readAll(
  options: StoreOptions,
): Promise<{ version: number; titles: Map<string, string>; ids: Set<string> }> {
  await using store = await Store.open(options);
  return await readFirst(store);
}

/** The first step of a store's `follow`. */
export async function readFirst(
  store: Store,
): Promise<{ version: number; titles: Map<string, string>; ids: Set<string> }> {
  const stop = new AbortController();
  const titles = new Map<string, string>();
  const ids = new Set<string>();
  let version = -1;
  for await (const change of store.follow(stop.signal)) {
    version = change.version;
    for (const text of change.events) {
      const { id, plan } = decodeEvent(text);
      titles.set(`${plan.basePlanId}:${plan.planId}`, plan.title);
      ids.add(id);
    }
    break;
  }
  stop.abort();
  return { version, titles, ids };
}
