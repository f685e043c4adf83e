import { assertEquals, assertMatch } from "@std/assert";
import { resolveOptions } from "./options.ts";
import { type Ending, LoadRecorder } from "./recorder.ts";
import type { LoadReport } from "./report.ts";
import { summary } from "./summary.ts";

const START_MS = 5_000, END_MS = START_MS + 20_000;

/** The report of a load of 10 s on whose last answer, or its timeout, another 10 s were waited. */
function report(answersAtMs: readonly number[], ending: Partial<Ending> = {}): LoadReport {
  const options = resolveOptions({ url: "http://127.0.0.1:80/", rate: 100 });
  const recorder = new LoadRecorder(options, () => {});
  recorder.start(START_MS);
  for (const atMs of answersAtMs) {
    recorder.sums.sent++;
    recorder.answered(200, 1, START_MS + atMs);
  }
  return recorder.report(END_MS, {
    engine: "io_uring",
    engineReason: null,
    ended: "duration",
    due: 1_000,
    unsent: 0,
    unanswered: 0,
    sentUntilMs: START_MS + 10_000,
    connectionsWanted: 1,
    cpu: { userMs: 1, systemMs: 1, processMs: 2 },
    ...ending,
  });
}

Deno.test("a load lasts to its last answer, or to when nothing was sent any more", () => {
  const cases: [answersAtMs: number[], elapsedMs: number][] = [
    [[1, 2, 12_000], 12_000],
    // A server that stopped amid the load has not kept its rate.
    [[1, 2, 3], 10_000],
    [[], 10_000],
  ];
  for (const [answersAtMs, elapsedMs] of cases) {
    const { elapsedMs: seen, rate } = report(answersAtMs);
    assertEquals([seen, rate], [elapsedMs, answersAtMs.length / elapsedMs * 1_000]);
  }
});

Deno.test("requests that were due and never sent are told of, however few", () => {
  const few = summary(report([1], { unsent: 3 }));
  assertMatch(few, /^ +3 of 1,000 requests due were never sent; the truth is worse/m);
  const many = summary(report([1], { unsent: 300 }));
  assertMatch(many, /^ +THE RATE WAS NOT KEPT: 300 of 1,000 requests due/m);
  assertEquals(summary(report([1])).includes("never sent"), false);
});
