/**
 * The thread of a load on io_uring: it gets one job, waits in the kernel until the load is over, and ends.
 *
 * @module
 */
import { AnswerCheck } from "./answer_check.ts";
import type { ResolvedOptions } from "./options.ts";
import { LoadRecorder } from "./recorder.ts";
import type { LoadReport, LoadSample } from "./report.ts";
import { UringEngine } from "./uring_engine.ts";

/** What the thread is to do. */
export interface UringJob {
  options: ResolvedOptions;
  address: string;
  control: Int32Array<SharedArrayBuffer>;
}

/** What the thread tells: each second, and how it ended. */
export type UringNews =
  | { kind: "sample"; sample: LoadSample }
  | { kind: "report"; report: LoadReport }
  | { kind: "error"; message: string };

const thread = self as unknown as {
  onmessage: (event: MessageEvent<UringJob>) => void;
  postMessage(news: UringNews): void;
  close(): void;
};

thread.onmessage = async ({ data }) => {
  try {
    thread.postMessage({ kind: "report", report: await work(data) });
  } catch (error) {
    thread.postMessage({ kind: "error", message: (error as Error).message });
  }
  thread.close();
};

async function work({ options, address, control }: UringJob): Promise<LoadReport> {
  const check = await AnswerCheck.load(options);
  // A thread that waits in the kernel can post all the same.
  const recorder = new LoadRecorder(
    options,
    (sample) => thread.postMessage({ kind: "sample", sample }),
  );
  const engine = new UringEngine({ options, address, control, recorder, check });
  try {
    const { nowMs, ...ending } = engine.run();
    return recorder.report(nowMs, { engine: "io_uring", engineReason: null, ...ending });
  } finally {
    engine.close();
  }
}
