import type { Transferable } from "node:worker_threads";
import {
  PoolClosedError,
  PoolFullError,
  TaskAbortedError,
  TaskTimeoutError,
  WorkerDiedError,
  WorkerStartError,
} from "./errors.ts";
import { RESTART_PAUSE_MAX_MS, RESTART_PAUSE_MS, THREAD_IDLE_MS } from "./limits.ts";
import { TaskThread } from "./task_thread.ts";

/** How a pool is made. */
export interface WorkerPoolOptions {
  /** Names it in errors, in metrics, and its threads. */
  name: string;
  /** The module that its threads run; it calls `serveTasks`. */
  module: URL;
  /** Tasks that run at once, each in a thread; threads are started as they are needed. */
  threads: number;
  /** Tasks that wait for a thread; one more is refused. 0 for none. */
  queueMax: number;
  /** How long a task may take in all, its time in the queue included, in milliseconds. Unbounded by default. */
  taskTimeoutMs?: number;
  /** How long a thread without a task is kept, in milliseconds. See limits.ts for the default. */
  threadIdleMs?: number;
}

/** How a task is run. */
export interface RunOptions<Batch> {
  /** Gives the task up. */
  signal?: AbortSignal;
  /** What goes to the thread without a copy, and is gone here. */
  transfer?: Transferable[];
  /**
   * Takes what the handler sends, in order. While it works at most a few more come; where it throws the task is given
   * up with that error.
   */
  onBatch?: (batch: Batch) => void | Promise<void>;
}

/** A task that somebody waits for. */
interface Job {
  readonly task: unknown;
  readonly options: RunOptions<unknown>;
  readonly result: PromiseWithResolvers<unknown>;
  /** The thread that runs it; `null` while it is queued. */
  thread: TaskThread | null;
  /** Takes its listener and its timer away. */
  release: () => void;
}

/**
 * Runs tasks in threads, first in, first out. Everything is bounded: the threads, the tasks that wait for one (a task
 * too many is refused at once with a {@linkcode PoolFullError}), and what a task may send ahead. A task that is given
 * up takes its thread with it, whatever that does; a thread that dies fails its own task only. Either is replaced when
 * it is needed, after growing pauses when threads die one after the other. A pool without tasks does not keep the
 * process alive, and lets go of its threads after a while.
 *
 * @example
 * ```ts
 * import { WorkerPool } from "./worker_pool.ts";
 * import { assertEquals } from "@std/assert";
 *
 * // The module says: serveTasks((side: number) => side ** 2);
 * await using pool = new WorkerPool<number, number>({
 *   name: "square",
 *   module: new URL("./testing/square_worker.ts", import.meta.url),
 *   threads: 2,
 *   queueMax: 10,
 * });
 * assertEquals(await Promise.all([1, 2, 3].map((side) => pool.run(side))), [1, 4, 9]);
 * ```
 */
export class WorkerPool<Task, Result, Batch = never> implements AsyncDisposable {
  readonly name: string;
  readonly #options: WorkerPoolOptions;
  readonly #queue: Job[] = [];
  readonly #active = new Set<Job>();
  /** Threads without a task, the one that was used last at the end, and when each is let go. */
  readonly #idle: { thread: TaskThread; timer: ReturnType<typeof setTimeout> }[] = [];
  /** Threads that were told to end and have not yet. */
  readonly #ending = new Set<Promise<void>>();
  /** Since a task was last done, and how long no thread is started because of them. */
  #deathsInRow = 0;
  #startAfter = 0;
  /** Set while tasks wait for that. */
  #pause: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  constructor(options: WorkerPoolOptions) {
    const { threads, queueMax } = options;
    if (
      !(Number.isInteger(threads) && threads > 0 && Number.isInteger(queueMax) && queueMax >= 0)
    ) {
      throw new RangeError(
        `threads: ${threads}, queueMax: ${queueMax}: both whole, at least one thread`,
      );
    }
    this.name = options.name;
    this.#options = options;
  }

  /** Tasks that wait for a thread. */
  get queueDepth(): number {
    return this.#queue.length;
  }

  /** Tasks under way. */
  get active(): number {
    return this.#active.size;
  }

  /** Threads there are, those without a task included. */
  get threads(): number {
    return this.#active.size + this.#idle.length;
  }

  /**
   * Runs a task. It is cloned when it begins.
   *
   * @returns What the handler returned, when every batch that it sent has been taken
   * @throws {PoolFullError} At once, if the queue is full
   * @throws {TaskError} If the handler threw
   * @throws {TaskAbortedError} If the signal aborted
   * @throws {TaskTimeoutError} If it took longer than the pool allows
   * @throws {WorkerStartError} If its thread cannot be started
   * @throws {WorkerDiedError} If its thread ended amid the task
   * @throws {PoolClosedError} If the pool was closed
   * @throws {DOMException} If the task cannot be cloned
   */
  async run(task: Task, options: RunOptions<Batch> = {}): Promise<Result> {
    const { name, threads, queueMax, taskTimeoutMs } = this.#options;
    const { signal } = options;
    if (this.#isClosed) throw this.#closedError();
    if (signal?.aborted) throw this.#abortedError(signal);
    if (!this.#mayBegin() && this.#queue.length >= queueMax) {
      throw new PoolFullError(name, threads, queueMax);
    }
    const job: Job = {
      task,
      options: options as RunOptions<unknown>,
      result: Promise.withResolvers(),
      thread: null,
      release: () => {},
    };
    const onAbort = () => this.#giveUp(job, this.#abortedError(signal!));
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = taskTimeoutMs === undefined ? undefined : setTimeout(() => {
      const text = `a task of the ${name} pool took over ${taskTimeoutMs} ms`;
      this.#giveUp(job, new TaskTimeoutError(text));
    }, taskTimeoutMs);
    job.release = () => {
      signal?.removeEventListener("abort", onAbort);
      clearTimeout(timer);
    };
    this.#queue.push(job);
    this.#dispatch();
    return await job.result.promise as Result;
  }

  /** Gives up every task, and resolves when every thread has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopPause();
    for (const job of [...this.#queue, ...this.#active]) this.#giveUp(job, this.#closedError());
    for (const { thread, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      this.#end(thread);
    }
    await Promise.all(this.#ending);
  }

  /** Closes the pool. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Begins as many tasks as there are threads for. */
  #dispatch(): void {
    while (this.#queue.length > 0 && this.#mayBegin()) this.#begin(this.#queue.shift()!);
    if (this.#queue.length === 0) {
      this.#stopPause();
    } else if (this.#pause === null && this.#active.size < this.#options.threads) {
      this.#pause = setTimeout(() => {
        this.#pause = null;
        this.#dispatch();
      }, Math.max(0, this.#startAfter - performance.now()));
    }
  }

  #mayBegin(): boolean {
    if (this.#active.size >= this.#options.threads) return false;
    return this.#idle.length > 0 || performance.now() >= this.#startAfter;
  }

  #stopPause(): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
  }

  #begin(job: Job): void {
    const { task, options: { transfer = [], onBatch = () => {} } } = job;
    this.#active.add(job);
    try {
      job.thread = this.#takeThread();
      job.thread.run({ task, transfer, onBatch }).then(
        (result) => this.#finish(job, null, () => job.result.resolve(result)),
        (error) => this.#finish(job, error, () => job.result.reject(error)),
      );
    } catch (error) {
      // There is no thread to be had.
      this.#finish(job, error, () => job.result.reject(error));
    }
  }

  #takeThread(): TaskThread {
    const idle = this.#idle.pop();
    if (idle === undefined) {
      return new TaskThread(this.name, this.#options.module, () => this.#dropEnded());
    }
    clearTimeout(idle.timer);
    return idle.thread;
  }

  /** Settles a job that its thread is done with, one way or another. */
  #finish(job: Job, error: unknown, settle: () => void): void {
    // A job that was given up is settled already.
    if (!this.#active.delete(job)) return;
    job.release();
    if (error instanceof WorkerDiedError || error instanceof WorkerStartError) {
      this.#mournThread();
    } else if (job.thread !== null) {
      this.#deathsInRow = 0;
      job.thread.isBusy ? this.#end(job.thread) : this.#keep(job.thread);
    }
    settle();
    this.#dispatch();
  }

  /** Settles a job before its thread is done with it. */
  #giveUp(job: Job, error: Error): void {
    const place = this.#queue.indexOf(job);
    if (place >= 0) this.#queue.splice(place, 1);
    else if (!this.#active.delete(job)) return;
    job.release();
    if (job.thread !== null) this.#end(job.thread);
    job.result.reject(error);
    this.#dispatch();
  }

  #keep(thread: TaskThread): void {
    const timer = setTimeout(() => {
      this.#idle.splice(this.#idle.findIndex((idle) => idle.thread === thread), 1);
      this.#end(thread);
    }, this.#options.threadIdleMs ?? THREAD_IDLE_MS);
    Deno.unrefTimer(timer as unknown as number);
    this.#idle.push({ thread, timer });
  }

  #end(thread: TaskThread): void {
    const ended = thread.end().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  /** Forgets threads that ended by themselves between two tasks. */
  #dropEnded(): void {
    for (let place = this.#idle.length - 1; place >= 0; place--) {
      if (!this.#idle[place].thread.hasEnded) continue;
      clearTimeout(this.#idle[place].timer);
      this.#idle.splice(place, 1);
      this.#mournThread();
    }
  }

  /** Puts a pause before the next start when threads die one after the other. */
  #mournThread(): void {
    const number = ++this.#deathsInRow;
    if (number === 1) return;
    const pauseMs = Math.min(RESTART_PAUSE_MS * 2 ** (number - 2), RESTART_PAUSE_MAX_MS);
    this.#startAfter = performance.now() + pauseMs;
  }

  #abortedError(signal: AbortSignal): TaskAbortedError {
    return new TaskAbortedError(`a task of the ${this.name} pool was given up`, {
      cause: signal.reason,
    });
  }

  #closedError(): PoolClosedError {
    return new PoolClosedError(`the ${this.name} pool is closed`);
  }
}
