import { assertEquals, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { RUN_ROWS_MAX, RUNS_KEPT, type Sample, Samples } from "./samples.ts";
import { SampleReader } from "./sample_reader.ts";

const NAME = {
  subject: "Marquee",
  workload: "keep-alive",
  measure: "cpu_us_per_request",
  unit: "µs",
};

async function withFile(test: (path: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/samples/bench.sqlite`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what a run recorded is read back with the machine and the commit", () =>
  withFile((path) => {
    using samples = Samples.open(path);
    const run = samples.begin("throughput", { settings: { seconds: 3 } });
    for (const value of [5, 7, 6]) run.record({ ...NAME, value });
    run.series({ ...NAME, x: 10, xUnit: "s", value: 5 });
    run.series({ ...NAME, x: 5, xUnit: "s", value: 9 });
    run.end();

    using reader = SampleReader.open(path);
    const [read] = reader.runs("throughput");
    assertEquals([read.id, read.suite, read.isQuick, read.isPartial], [
      run.id,
      "throughput",
      false,
      false,
    ]);
    assertEquals(read.settings, { seconds: 3 });
    assertEquals(read.deno, Deno.version.deno);
    assertEquals(read.cores > 0 && read.memoryBytes > 0 && read.cpu !== "", true);
    assertEquals(/^[0-9a-f]{40}$|^unknown$/.test(read.commit), true, read.commit);
    assertEquals(reader.samples(read, NAME), { unit: "µs", values: [5, 7, 6] });
    assertEquals(reader.series(read, NAME), {
      unit: "µs",
      xUnit: "s",
      points: [{ x: 5, value: 9 }, { x: 10, value: 5 }],
    });
    assertEquals(reader.samples(read, { ...NAME, subject: "nginx" }), null);
  }));

Deno.test("a run that did not end is not among those that count", () =>
  withFile((path) => {
    using samples = Samples.open(path);
    samples.begin("throughput").record({ ...NAME, value: 1 });
    const ended = samples.begin("throughput", { quick: true });
    ended.record({ ...NAME, value: 2 });
    ended.end();
    const partial = samples.begin("throughput", { partial: true });
    partial.record({ ...NAME, value: 3 });
    partial.end();

    using reader = SampleReader.open(path);
    assertEquals(
      reader.runs("throughput").map(({ id, hasEnded, isQuick, isPartial }) => [
        id,
        hasEnded,
        isQuick,
        isPartial,
      ]),
      [[3, true, false, true], [2, true, true, false], [1, false, false, false]],
    );
  }));

Deno.test("two processes write to one new file at the same time and lose nothing", () =>
  withFile(async (path) => {
    const program = `
      import { Samples } from ${JSON.stringify(import.meta.resolve("./samples.ts"))};
      using samples = Samples.open(${JSON.stringify(path)});
      for (let i = 0; i < 5; i++) {
        const run = samples.begin("both");
        for (let n = 0; n < 3_000; n++) {
          run.record({ ...${JSON.stringify(NAME)}, value: n });
        }
        run.end();
      }`;
    const outputs = await Promise.all(
      [1, 2].map(() =>
        new Deno.Command(Deno.execPath(), {
          args: ["eval", "--ext=ts", program],
        }).output()
      ),
    );
    for (const { success, stderr } of outputs) {
      assertEquals(success, true, new TextDecoder().decode(stderr));
    }
    using reader = SampleReader.open(path);
    const runs = reader.runs("both");
    assertEquals(runs.length, 10);
    for (const run of runs) assertEquals(reader.samples(run, NAME)?.values.length, 3_000);
  }));

Deno.test("what can't be a sample is refused with its name", () => {
  using samples = Samples.open(":memory:");
  const run = samples.begin("throughput");
  const wrong: [Partial<Sample>, string][] = [
    [{ value: NaN }, "Marquee, keep-alive, cpu_us_per_request is NaN"],
    [{ subject: "" }, 'subject is ""'],
    [{ workload: "a / b" }, 'workload is "a / b"'],
    [{ measure: "x".repeat(200) }, "measure has 200 characters"],
  ];
  for (const [part, message] of wrong) {
    assertThrows(() => run.record({ ...NAME, value: 1, ...part }), RangeError, message);
  }
  assertThrows(() => run.end(), Error, "recorded nothing");
  run.record({ ...NAME, value: 1, repetition: 2 });
  run.record({ ...NAME, value: 1, repetition: 2 });
  assertThrows(() => run.end(), Error, "repetition 2 of throughput can't be recorded");
});

Deno.test("a run has no more samples than its bound", () => {
  using samples = Samples.open(":memory:");
  const run = samples.begin("throughput");
  for (let i = 0; i < RUN_ROWS_MAX; i++) run.series({ ...NAME, x: i, xUnit: "s", value: i });
  assertThrows(() => run.series({ ...NAME, x: 0, xUnit: "s", value: 0 }), RangeError, "at most");
});

Deno.test("the oldest quick run of a suite goes when there are too many", () =>
  withFile((path) => {
    using samples = Samples.open(path);
    const other = samples.begin("other");
    other.record({ ...NAME, value: 1 });
    other.end();
    const full = samples.begin("throughput");
    full.record({ ...NAME, value: 1_000 });
    full.end();
    for (let i = 0; i < RUNS_KEPT + 3; i++) {
      const run = samples.begin("throughput", { quick: true });
      run.record({ ...NAME, value: i });
      run.end();
    }
    using reader = SampleReader.open(path);
    const runs = reader.runs("throughput");
    assertEquals(runs.length, RUNS_KEPT + 1);
    assertEquals(reader.samples(runs.at(-2)!, NAME)?.values, [3]);
    assertEquals(
      reader.samples(runs.at(-1)!, NAME)?.values,
      [1_000],
      "a full run is not lost to quick ones",
    );
    assertEquals(reader.runs("other").length, 1);
  }));

Deno.test("a file of another kind or version is refused and left as it is", () =>
  withFile(async (path) => {
    Samples.open(path)[Symbol.dispose]();
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    assertThrows(() => Samples.open(path), Error, "it has schema 99, this program 1");
    assertThrows(() => SampleReader.open(path), Error, "it has schema 99, this program 1");

    await Deno.writeTextFile(`${path}.txt`, "no database at all, whatever its name may be");
    assertThrows(() => Samples.open(`${path}.txt`), Error, "is no file of samples");
    assertThrows(() => SampleReader.open(`${path}.none`), Error, "there are no samples in");
  }));
