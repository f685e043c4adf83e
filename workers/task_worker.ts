import { parentPort, type Transferable } from "node:worker_threads";
import { BATCHES_IN_FLIGHT_MAX } from "./limits.ts";
import type { FromThread, ToThread } from "./messages.ts";

/** What a handler has besides its task. */
export interface TaskContext<Batch> {
  /**
   * Hands a part of the result over before the task is done; resolves when there is room for another one. Await it:
   * that is what keeps a task from running ahead of whoever takes its batches.
   *
   * @param transfer What goes over without a copy, and is gone here
   */
  send(batch: Batch, transfer?: Transferable[]): Promise<void>;
}

/**
 * Runs tasks for the {@linkcode WorkerPool} that started this thread, one at a time. Call it once, in the module that
 * the pool was given. What the handler throws rejects that task alone; what nobody catches ends the thread.
 *
 * @throws {Error} If this is no thread
 *
 * @example
 * ```ts ignore
 * // square_worker.ts
 * import { serveTasks } from "./workers/mod.ts";
 *
 * serveTasks((side: number) => side ** 2);
 * ```
 */
export function serveTasks<Task, Result, Batch = never>(
  handler: (task: Task, context: TaskContext<Batch>) => Result | Promise<Result>,
): void {
  const port = parentPort;
  if (port === null) {
    throw new Error("serveTasks is for the module of a WorkerPool's threads: this is the main one");
  }
  const post = (message: FromThread, transfer: Transferable[] = []) =>
    port.postMessage(message, transfer);
  let current = 0;
  let inFlight = 0;
  let room = Promise.withResolvers<void>();

  const run = async (id: number, task: Task) => {
    current = id;
    inFlight = 0;
    const context: TaskContext<Batch> = {
      async send(batch, transfer) {
        post({ kind: "batch", id, batch }, transfer);
        inFlight++;
        while (inFlight >= BATCHES_IN_FLIGHT_MAX) await room.promise;
      },
    };
    try {
      post({ kind: "done", id, result: await handler(task, context) });
    } catch (error) {
      const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
      post({ kind: "failed", id, error: { name, message, stack } });
    }
  };
  port.on("message", (message: ToThread) => {
    if (message.kind === "run") {
      run(message.id, message.task as Task);
    } else if (message.id === current) {
      inFlight--;
      room.resolve();
      room = Promise.withResolvers();
    }
  });
  post({ kind: "ready" });
}
