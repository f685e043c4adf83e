import { assert, assertEquals } from "@std/assert";
import { readAll } from "./testing/polls.ts";
import { WriterProcess } from "./testing/writer_process.ts";

/** Plans of a poll; by hand `CRASH_PLANS=100000`, which takes about five minutes. */
const PLANS = Number(Deno.env.get("CRASH_PLANS") ?? 5_000);
const ROUNDS = Number(Deno.env.get("CRASH_ROUNDS") ?? 30);
const LEASE_MS = 300;

Deno.test(`killed ${ROUNDS} times while it stores polls of ${PLANS} plans, nothing is lost, torn or doubled`, async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/marquee.kv`;
  const usual = { path, plans: PLANS, leaseMs: LEASE_MS };
  let visible = 1;
  const startedAt = performance.now();
  {
    await using writer = new WriterProcess({ ...usual, first: 1, last: 1 });
    assertEquals((await writer.ended).code, 0);
  }
  // As long as one poll takes, so that kills fall anywhere in it and in what follows it.
  const span = performance.now() - startedAt;
  const counts = { before: 0, after: 0 };
  let number = 1;
  for (let round = 1; round <= ROUNDS; round++) {
    const first = ++number;
    const writer = new WriterProcess({ ...usual, first, last: first });
    await writer.line(`begin ${first}`);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * span));
    await writer.kill();
    const acknowledged = writer.lines.includes(`visible ${first}`) ? first : visible;

    const { titles, ids } = await readAll({ path });
    const polls = new Set(titles.values());
    assertEquals(polls.size, 1, `round ${round}: polls ${[...polls]} are mixed`);
    const [found] = [...polls].map(Number);
    assert(found === first || found === visible, `round ${round}: poll ${found} was found`);
    assert(found >= acknowledged, `round ${round}: poll ${acknowledged} was visible and is lost`);
    assertEquals([titles.size, ids.size], [PLANS, PLANS], `round ${round}`);
    found === first ? counts.after++ : counts.before++;
    visible = found;
  }
  {
    await using writer = new WriterProcess({ ...usual, first: ++number, last: number });
    assertEquals((await writer.ended).code, 0, "the next poll completes");
  }
  const { titles, ids } = await readAll({ path });
  assertEquals([...new Set(titles.values())], [String(number)]);
  assertEquals([titles.size, ids.size], [PLANS, PLANS]);
  console.log(
    `    killed before the commit ${counts.before} times, after it ${counts.after} times`,
  );
  await Deno.remove(folder, { recursive: true });
});
