import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SampleReader } from "./sample_reader.ts";

const program = new URL("journey.ts", import.meta.url).pathname;

function journey(args: readonly string[], env: Record<string, string> = {}) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-all", program, ...args],
    env: { ...env, NO_COLOR: "1" },
  }).output();
}

const hasTaskset = new Deno.Command("sh", { args: ["-c", "command -v taskset"], stdout: "null" })
  .outputSync().success;

Deno.test({
  name: "a part of the journey is shown, and recorded as a part (needs taskset and two cores)",
  ignore: !hasTaskset || navigator.hardwareConcurrency < 2,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/samples.sqlite`;
      const { success, stdout, stderr } = await journey([
        ...["--quick", "--variant=kv-list,cached-all", "--workload=connection"],
        ...["--concurrency=2", "--requests=300", "--seconds=20"],
      ], { BENCH_DB: file });
      assert(success, new TextDecoder().decode(stderr));
      const shown = new TextDecoder().decode(stdout);
      assertStringIncludes(shown, "connection per request, 2 at a time");
      assertStringIncludes(shown, "Deno.serve, KV list ");
      using reader = SampleReader.open(file);
      const [run] = reader.runs("journey");
      assertEquals([run.hasEnded, run.isPartial, run.isQuick], [true, true, true]);
      const workload = "connection per request";
      for (const subject of ["Deno.serve, KV list", "Deno.serve, cached answers, all kept"]) {
        const points = reader.series(run, { subject, workload, measure: "p50_ms" })?.points;
        assertEquals(points?.map(({ x }) => x), [2], subject);
        const cell = { subject, workload: `${workload}, 2 connections` };
        const errors = reader.samples(run, { ...cell, measure: "errors" });
        assertEquals(errors?.values, [0], subject);
      }
      const kept = { subject: "Deno.serve, cached answers, all kept", workload: "all" };
      const hitRate = reader.samples(run, { ...kept, measure: "hit_rate" })!;
      assert(hitRate.values[0] >= 0 && hitRate.values[0] < 100, `${hitRate.values} %`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("a journey that makes no sense is refused before anything starts", async () => {
  const { code, stderr } = await journey(["--variant=indx"], { BENCH_DB: "/nowhere/at/all" });
  assertEquals(code, 2);
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    'journey: --variant: "indx" is none of kv-list, index,',
  );
});
