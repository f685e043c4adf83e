import { assertEquals, assertThrows } from "@std/assert";
import { JourneyArgumentsError, readJourneyArguments } from "./arguments.ts";
import { VARIANTS } from "./variants.ts";

Deno.test("without arguments the journey is whole: a million requests for every cell", () => {
  const asked = readJourneyArguments([])!;
  assertEquals(asked.variants, VARIANTS);
  assertEquals(asked.workloads, ["keep-alive", "connection per request"]);
  assertEquals(asked.concurrencies, [1, 10, 50, 100, 500]);
  assertEquals([asked.requests, asked.isPartial, asked.isQuick], [1_000_000, false, false]);
});

Deno.test("a journey that leaves steps, workloads or connections out is partial", () => {
  for (
    const args of [["--variant=index,kv-list"], ["--workload", "connection"], ["--concurrency=10"]]
  ) assertEquals(readJourneyArguments(args)!.isPartial, true, args.join(" "));
  const { isPartial, requests } = readJourneyArguments(["--", "--requests=100k"])!;
  assertEquals([isPartial, requests], [false, 100_000]);
});

Deno.test("steps and connections come in their order, however they were asked for", () => {
  const { variants, concurrencies } = readJourneyArguments([
    "--variant=index, kv-list",
    "--concurrency=100,1",
  ])!;
  assertEquals(variants.map(({ name }) => name), ["kv-list", "index"]);
  assertEquals(concurrencies, [1, 100]);
});

Deno.test("what makes no sense is refused with the option, the value and what may stand there", () => {
  for (
    const [args, message] of [
      [["--variant=indx"], '--variant: "indx" is none of kv-list, index'],
      [["--workload="], '--workload: "" is none of keep-alive, connection'],
      [["--concurrency=0"], "--concurrency: 0 is no whole number from 1 to 500"],
      [["--concurrency=1,two"], '--concurrency: "two" is no number'],
      [["--requests=1.5"], "--requests: 1.5 is no whole number from 1 to"],
      [["--seconds=-1"], "--seconds"],
      [["--fast"], "--fast"],
    ] as const
  ) assertThrows(() => readJourneyArguments(args), JourneyArgumentsError, message);
});
