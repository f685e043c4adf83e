import { type Transferable, Worker } from "node:worker_threads";
import { TaskError, WorkerDiedError, WorkerStartError } from "./errors.ts";
import type { FromThread, ToThread } from "./messages.ts";

/** A task as a thread runs it. */
export interface ThreadTask {
  readonly task: unknown;
  readonly transfer: Transferable[];
  /** Takes a batch; the next but a few is only sent when it is done. */
  readonly onBatch: (batch: unknown) => unknown;
}

/** A task under way in a thread. */
interface Running extends ThreadTask {
  readonly id: number;
  readonly outcome: PromiseWithResolvers<unknown>;
  /** Settles when every batch that came has been taken. */
  taking: Promise<void>;
}

/**
 * One thread, which runs one task at a time. node:worker_threads rather than the web's Worker: it tells of every end,
 * also of an exit, and one without a task does not keep the process alive.
 */
export class TaskThread {
  readonly #worker: Worker;
  readonly #name: string;
  /**
   * Whether its module has come to serve tasks. A message that comes before, while the module still awaits something,
   * finds nobody and is lost.
   */
  #isReady = false;
  #running: Running | null = null;
  #taskId = 0;
  #failure: unknown = null;
  #hasEnded = false;

  /**
   * @param onEnd Called once, when the thread ended by itself
   * @throws {WorkerStartError} If the host has no threads
   */
  constructor(name: string, module: URL, onEnd: () => void) {
    this.#name = name;
    try {
      this.#worker = new Worker(module, { name });
    } catch (cause) {
      throw startError(name, cause);
    }
    this.#worker.unref();
    this.#worker.on("message", (message: FromThread) => this.#take(message));
    this.#worker.on("error", (error: unknown) => this.#failure ??= error);
    this.#worker.on("exit", () => {
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      this.#settle()?.outcome.reject(this.#deathError());
      onEnd();
    });
  }

  /** Whether the thread has ended, or was ended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether it is in the middle of a task. */
  get isBusy(): boolean {
    return this.#running !== null;
  }

  /**
   * Runs a task; there must be none under way. Where a batch cannot be taken the promise rejects, and the thread is
   * still busy.
   */
  run(task: ThreadTask): Promise<unknown> {
    const outcome = Promise.withResolvers<unknown>();
    this.#running = { ...task, id: ++this.#taskId, outcome, taking: Promise.resolve() };
    this.#worker.ref();
    if (this.#isReady) this.#start(this.#running);
    return outcome.promise;
  }

  /** Ends the thread in the middle of whatever it does; what it ran is never settled. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    this.#running = null;
    this.#worker.unref();
    await this.#worker.terminate();
  }

  #take(message: FromThread): void {
    if (message.kind === "ready") {
      this.#isReady = true;
      if (this.#running !== null) this.#start(this.#running);
      return;
    }
    const running = this.#running;
    if (running === null || running.id !== message.id) return;
    if (message.kind === "batch") {
      const taking = running.taking.then(() => running.onBatch(message.batch));
      running.taking = taking.then(() => this.#post({ kind: "taken", id: running.id }));
      // Known at once: nobody waits for the rest of a result that cannot be taken.
      running.taking.catch((error) => running.outcome.reject(error));
      return;
    }
    running.taking.then(() => {
      if (this.#running !== running) return;
      this.#settle();
      if (message.kind === "done") running.outcome.resolve(message.result);
      else running.outcome.reject(new TaskError(message.error));
    }, () => {});
  }

  #start({ id, task, transfer, outcome }: Running): void {
    try {
      this.#post({ kind: "run", id, task }, transfer);
    } catch (error) {
      // It cannot be cloned, and never left.
      this.#settle();
      outcome.reject(error);
    }
  }

  #settle(): Running | null {
    const running = this.#running;
    this.#running = null;
    this.#worker.unref();
    return running;
  }

  #post(message: ToThread, transfer: Transferable[] = []): void {
    if (!this.#hasEnded) this.#worker.postMessage(message, transfer);
  }

  #deathError(): Error {
    if (!this.#isReady) return startError(this.#name, this.#failure);
    const reason = this.#failure instanceof Error ? this.#failure.message : "it exited";
    return new WorkerDiedError(`a thread of the ${this.#name} pool ended amid a task: ${reason}`, {
      cause: this.#failure ?? undefined,
    });
  }
}

function startError(name: string, cause: unknown): WorkerStartError {
  const reason = cause instanceof Error ? cause.message : "its module does not call serveTasks";
  return new WorkerStartError(`a thread of the ${name} pool cannot start: ${reason}`, { cause });
}
