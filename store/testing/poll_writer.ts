/**
 * Stores polls one after the other, as a process of its own that can be killed or stopped.
 * `poll_writer.ts KV_PATH PLANS FIRST LAST LEASE_MS`: polls FIRST to LAST, each of PLANS plans, all of them changed.
 * Prints `begin N`, `visible N` and `settled N`.
 *
 * @module
 */
import { Store } from "../store.ts";
import { numberedPlans, PROVIDER } from "./polls.ts";

const [path, plans, first, last, leaseMs] = Deno.args;
const store = await Store.open({
  path,
  providers: [PROVIDER],
  leaseMs: Number(leaseMs),
});
for (let number = Number(first); number <= Number(last); number++) {
  let poll = await store.beginPoll(PROVIDER);
  // The process before may have been killed with the lease in its hands.
  for (let tries = 0; poll === null; tries++) {
    if (tries > 200) throw new Error("the lease never lapsed");
    await new Promise((resolve) => setTimeout(resolve, 50));
    poll = await store.beginPoll(PROVIDER);
  }
  for (const plan of numberedPlans(Number(plans), number)) poll.observe(plan);
  console.log(`begin ${number}`);
  const report = { startedAt: Date.now(), attempts: 1, bytes: 0 };
  const record = await poll.commit(report, { etag: null, lastModified: null });
  if (record.outcome !== "changed") throw new Error(`the poll was ${record.outcome}`);
  console.log(`visible ${number}`);
  await store.settled();
  console.log(`settled ${number}`);
}
await store.close();
