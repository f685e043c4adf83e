import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BATCHES_IN_FLIGHT_MAX } from "./limits.ts";
import {
  PoolClosedError,
  PoolFullError,
  TaskAbortedError,
  TaskError,
  TaskTimeoutError,
  WorkerDiedError,
  WorkerPool,
  type WorkerPoolOptions,
  WorkerStartError,
} from "./mod.ts";
import type { TestTask } from "./testing/test_worker.ts";

const module = new URL("./testing/test_worker.ts", import.meta.url);

function openPool(
  options: Partial<WorkerPoolOptions> = {},
): WorkerPool<TestTask, unknown, number> {
  return new WorkerPool({ name: "test", module, threads: 1, queueMax: 100, ...options });
}

/** A task that holds its thread until the gate is opened. */
function gated(): { task: TestTask; open: () => void } {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  return {
    task: { do: "wait", gate },
    open: () => {
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    },
  };
}

const echo = (value: unknown): TestTask => ({ do: "echo", value });

Deno.test("tasks run in threads that are started as they are needed, and are used again", async () => {
  await using pool = openPool({ threads: 2 });
  assertEquals(pool.threads, 0);
  assertEquals(await pool.run(echo({ a: [1, "b"] })), { a: [1, "b"] });
  for (let i = 0; i < 5; i++) assertEquals(await pool.run(echo(i)), i);
  assertEquals([pool.threads, pool.active, pool.queueDepth], [1, 0, 0]);
  const gates = [gated(), gated(), gated()];
  const running = gates.map(({ task }) => pool.run(task));
  assertEquals([pool.threads, pool.active, pool.queueDepth], [2, 2, 1]);
  for (const { open } of gates) open();
  assertEquals(await Promise.all(running), [1, 1, 1]);
  assertEquals([pool.threads, pool.active, pool.queueDepth], [2, 0, 0]);
});

Deno.test("a task too many is refused at once, and the refusal says where and what to do", async () => {
  await using pool = openPool({ name: "parse", threads: 1, queueMax: 2 });
  const gate = gated();
  const running = pool.run(gate.task);
  const queued = [pool.run(echo("first")), pool.run(echo("second"))];
  for (let i = 0; i < 3; i++) {
    const error = await assertRejects(() => pool.run(echo("third")), PoolFullError);
    assertEquals(error.pool, "parse");
    assertStringIncludes(error.message, "parse pool is full: 1 tasks run and 2 wait; try again");
  }
  assertEquals(pool.queueDepth, 2);
  gate.open();
  await running;
  assertEquals(await Promise.all(queued), ["first", "second"]);
  assertEquals(await pool.run(echo("later")), "later");
});

Deno.test("without a queue a task runs where a thread is free, and is refused where none is", async () => {
  await using pool = openPool({ queueMax: 0 });
  const gate = gated();
  const running = pool.run(gate.task);
  await assertRejects(() => pool.run(echo(1)), PoolFullError);
  gate.open();
  await running;
  assertEquals(await pool.run(echo(1)), 1);
});

Deno.test("tasks that wait are begun in the order in which they came", async () => {
  await using pool = openPool();
  const order: number[] = [];
  const gate = gated();
  const first = pool.run(gate.task);
  const rest = Array.from(
    { length: 50 },
    (_, number) => pool.run(echo(number)).then(() => order.push(number)),
  );
  gate.open();
  await Promise.all([first, ...rest]);
  assertEquals(order, Array.from({ length: 50 }, (_, number) => number));
});

Deno.test("what a handler throws rejects its task alone, with its name and message", async () => {
  await using pool = openPool();
  const error = await assertRejects(
    () => pool.run({ do: "throw", name: "FeedError", message: "no root" }),
    TaskError,
    "no root",
  );
  assertEquals([error.name, error.message], ["FeedError", "no root"]);
  assertStringIncludes(error.stack!, "test_worker.ts");
  await assertRejects(() => pool.run({ do: "throwText" }), TaskError, "only a text");
  assertEquals([await pool.run(echo(1)), pool.threads], [1, 1]);
});

Deno.test("a task that cannot be cloned is an error, and its thread goes on", async () => {
  await using pool = openPool();
  await assertRejects(() => pool.run(echo(() => {})), DOMException, "could not be cloned");
  assertEquals([await pool.run(echo(1)), pool.threads, pool.active], [1, 1, 0]);
});

Deno.test("what is transferred is not copied: it is gone here", async () => {
  await using pool = openPool();
  const bytes = new Uint8Array(1_000);
  assertEquals(await pool.run({ do: "length", bytes }, { transfer: [bytes.buffer] }), 1_000);
  assertEquals(bytes.length, 0);
});

Deno.test("a task given up while it waits never runs, and leaves room for another", async () => {
  await using pool = openPool({ queueMax: 1 });
  const gate = gated();
  const running = pool.run(gate.task);
  const stop = new AbortController();
  const ran = new Int32Array(new SharedArrayBuffer(4));
  const queued = pool.run({ do: "count", batches: 1, sent: ran }, { signal: stop.signal });
  stop.abort("not needed");
  const error = await assertRejects(() => queued, TaskAbortedError);
  assertEquals(error.cause, "not needed");
  assertEquals(pool.queueDepth, 0);
  const next = pool.run(echo("next"));
  gate.open();
  assertEquals([await running, await next, ran[0]], [1, "next", 0]);
  await assertRejects(() => pool.run(echo(1), { signal: stop.signal }), TaskAbortedError);
});

Deno.test("a task given up while it runs takes its thread with it, and the next gets a new one", async () => {
  await using pool = openPool();
  for (const task of [{ do: "spin" }, { do: "never" }] satisfies TestTask[]) {
    const stop = new AbortController();
    const running = pool.run(task, { signal: stop.signal });
    const queued = pool.run(echo("next"));
    setTimeout(() => stop.abort(), 20);
    await assertRejects(() => running, TaskAbortedError);
    assertEquals(await queued, "next");
    assertEquals([pool.threads, pool.active], [1, 0]);
  }
});

Deno.test("a task over its time is given up, in the queue and in its thread", async () => {
  await using pool = openPool({ taskTimeoutMs: 300 });
  const running = pool.run({ do: "spin" });
  const queued = pool.run(echo(1));
  const [first, second] = await Promise.allSettled([running, queued]);
  for (const outcome of [first, second]) {
    // The second may have got the new thread in time.
    if (outcome === second && outcome.status === "fulfilled") continue;
    assert(outcome.status === "rejected" && outcome.reason instanceof TaskTimeoutError);
    assertStringIncludes(outcome.reason.message, "test pool took over 300 ms");
  }
});

Deno.test("a thread that dies fails its own task only, and is replaced", async () => {
  await using pool = openPool({ threads: 2 });
  for (const [task, reason] of [["die", "nobody catches this"], ["exit", "it exited"]] as const) {
    const gate = gated();
    const other = pool.run(gate.task);
    const error = await assertRejects(() => pool.run({ do: task }), WorkerDiedError, reason);
    assertStringIncludes(error.message, "test pool");
    assertEquals(await pool.run(echo("replaced")), "replaced");
    gate.open();
    assertEquals(await other, 1);
  }
});

Deno.test("a thread that dies between two tasks is not given another", async () => {
  await using pool = openPool();
  for (let i = 0; i < 3; i++) {
    assertEquals(await pool.run({ do: "dieLater" }), "done");
    while (pool.threads > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(await pool.run(echo(i)), i);
  }
});

Deno.test("threads that die one after the other are replaced after pauses; tasks wait for them, within the bound", async () => {
  await using pool = openPool({ queueMax: 2 });
  const begins: number[] = [];
  for (let i = 0; i < 4; i++) {
    const dying = pool.run({ do: "die" });
    begins.push(pool.active);
    await assertRejects(() => dying, WorkerDiedError);
  }
  assertEquals(begins, [1, 1, 0, 0], "the first is replaced at once, then they wait");
  const waiting = [pool.run(echo(1)), pool.run(echo(2))];
  assertEquals([pool.queueDepth, pool.active], [2, 0]);
  await assertRejects(() => pool.run(echo(3)), PoolFullError);
  assertEquals(await Promise.all(waiting), [1, 2]);
});

Deno.test("a module that cannot be loaded, or serves no tasks, is a WorkerStartError", async () => {
  for (
    const text of ["throw new Error('broken')", "import 'file:///nowhere/at/all.js'", "", "a b"]
  ) {
    await using pool = openPool({ module: new URL(`data:text/javascript,${text}`) });
    const error = await assertRejects(() => pool.run(echo(1)), WorkerStartError);
    assertStringIncludes(error.message, "a thread of the test pool cannot start");
    assertEquals([pool.active, pool.queueDepth, pool.threads], [0, 0, 0]);
  }
});

Deno.test("a module that awaits something before it serves tasks misses none", async () => {
  const mod = new URL("./mod.ts", import.meta.url).href;
  const text = `await new Promise((resolve) => setTimeout(resolve, 100));
    const { serveTasks } = await import("${mod}");
    serveTasks((value) => value);`;
  await using pool = openPool({
    module: new URL(`data:text/javascript,${encodeURIComponent(text)}`),
  });
  assertEquals(await pool.run(echo(1)), echo(1));
});

Deno.test("closing gives up what runs and what waits, and ends every thread", async () => {
  const pool = openPool({ threads: 2 });
  await pool.run(echo(1));
  const tasks = [pool.run({ do: "spin" }), pool.run({ do: "never" }), pool.run(echo(1))];
  const settled = Promise.allSettled(tasks);
  await pool.close();
  for (const outcome of await settled) {
    assert(outcome.status === "rejected" && outcome.reason instanceof PoolClosedError);
  }
  await assertRejects(() => pool.run(echo(1)), PoolClosedError);
  assertEquals([pool.threads, pool.active, pool.queueDepth], [0, 0, 0]);
  await pool.close();
});

Deno.test("batches come in order, before the result, and a task runs ahead no further than the bound", async () => {
  await using pool = openPool();
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const taken: number[] = [];
  let furthest = 0;
  const result = await pool.run({ do: "count", batches: 200, sent }, {
    async onBatch(number) {
      // Time enough for a thread without a bound to be done with all of them.
      if (number < 20) await new Promise((resolve) => setTimeout(resolve, 2));
      furthest = Math.max(furthest, Atomics.load(sent, 0) - taken.length);
      taken.push(number);
    },
  });
  assertEquals(result, 200);
  assertEquals(taken, Array.from({ length: 200 }, (_, number) => number));
  assert(furthest > 1 && furthest <= BATCHES_IN_FLIGHT_MAX + 1, `${furthest} ahead`);
});

Deno.test("a batch that cannot be taken gives the task up with that error", async () => {
  await using pool = openPool();
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const refuse = () => Promise.reject(new RangeError("no more"));
  const error = await assertRejects(
    () => pool.run({ do: "count", batches: 1e6, sent }, { onBatch: refuse }),
    RangeError,
  );
  assertEquals(error.message, "no more");
  assert(sent[0] <= BATCHES_IN_FLIGHT_MAX, `${sent[0]} batches were sent`);
  assertEquals(await pool.run(echo(1)), 1);
});

Deno.test("a task given up amid its batches takes no more of them", async () => {
  await using pool = openPool();
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const stop = new AbortController();
  let taken = 0;
  const onBatch = () => {
    if (++taken === 10) stop.abort();
  };
  await assertRejects(
    () => pool.run({ do: "count", batches: 1e6, sent }, { onBatch, signal: stop.signal }),
    TaskAbortedError,
  );
  assertEquals(await pool.run(echo(1)), 1);
  assertEquals(taken, 10);
});

Deno.test("10,000 tasks leave nothing behind: no listener, no thread, and no memory to speak of", async () => {
  await using pool = openPool({ threads: 2, queueMax: 500 });
  const stop = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = stop.signal;
  Object.assign(stop.signal, {
    addEventListener(...given: Parameters<typeof addEventListener>) {
      listeners++;
      addEventListener.apply(this, given);
    },
    removeEventListener(...given: Parameters<typeof removeEventListener>) {
      listeners--;
      removeEventListener.apply(this, given);
    },
  });
  const runMany = async () => {
    for (let round = 0; round < 10; round++) {
      const tasks = Array.from(
        { length: 500 },
        (_, number) => pool.run(echo(number), { signal: stop.signal }),
      );
      assertEquals((await Promise.all(tasks)).length, 500);
    }
  };
  await runMany();
  const before = Deno.memoryUsage().heapUsed;
  await runMany();
  const grown = Deno.memoryUsage().heapUsed - before;
  assertEquals([listeners, pool.threads, pool.active, pool.queueDepth], [0, 2, 0, 0]);
  assert(grown < 20e6, `${grown} bytes more`);
});

Deno.test("threads without a task end after a while", async () => {
  await using pool = openPool({ threads: 2, threadIdleMs: 30 });
  await Promise.all([pool.run(echo(1)), pool.run(echo(2))]);
  assertEquals(pool.threads, 2);
  while (pool.threads > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(await pool.run(echo(3)), 3);
});

Deno.test("a pool without tasks does not keep the process alive, and one with tasks does", async () => {
  const pool = JSON.stringify(new URL("./mod.ts", import.meta.url).href);
  const program = `import { WorkerPool } from ${pool};
    const pool = new WorkerPool({ name: "test", module: new URL(${JSON.stringify(module.href)}),
      threads: 2, queueMax: 10, threadIdleMs: 600_000 });
    await Promise.all([1, 2, 3].map((value) => pool.run({ do: "echo", value })));
    pool.run({ do: "echo", value: "and one that nobody awaits" }).then(console.log);`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, program);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-config", "--allow-read", "--allow-env", file],
    signal: AbortSignal.timeout(20_000),
  }).output();
  const text = new TextDecoder();
  assertEquals(
    [code, text.decode(stdout)],
    [0, "and one that nobody awaits\n"],
    text.decode(stderr),
  );
  await Deno.remove(file);
});

Deno.test("a pool says what is wrong with its options", () => {
  for (const options of [{ threads: 0 }, { threads: 1.5 }, { queueMax: -1 }, { queueMax: NaN }]) {
    try {
      openPool(options);
    } catch (error) {
      assert(error instanceof RangeError && /threads: .*queueMax: /.test(error.message));
      continue;
    }
    throw new Error(`${JSON.stringify(options)} was taken`);
  }
});
