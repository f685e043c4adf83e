/** A task whose queue is full: it was not begun, and whoever asked should be told to come back later. */
export class PoolFullError extends Error {
  override name = "PoolFullError";
  /** The name of the pool. */
  readonly pool: string;

  constructor(pool: string, threads: number, queueMax: number) {
    super(
      `the ${pool} pool is full: ${threads} tasks run and ${queueMax} wait; try again later`,
    );
    this.pool = pool;
  }
}

/** A handler that threw. It has the name, the message and the stack of what was thrown in the thread. */
export class TaskError extends Error {
  constructor({ name, message, stack }: { name: string; message: string; stack?: string }) {
    super(message);
    this.name = name;
    if (stack !== undefined) this.stack = stack;
  }
}

/** A task that was given up by its signal; `cause` is the signal's reason. */
export class TaskAbortedError extends Error {
  override name = "TaskAbortedError";
}

/** A task that took longer than its pool allows, the time in the queue included. */
export class TaskTimeoutError extends Error {
  override name = "TaskTimeoutError";
}

/** A thread that ended while it ran the task: an error that nobody caught, or an exit. `cause` is that error. */
export class WorkerDiedError extends Error {
  override name = "WorkerDiedError";
}

/** A thread that never came to serve tasks: its module cannot be loaded, or the host has no threads. */
export class WorkerStartError extends Error {
  override name = "WorkerStartError";
}

/** A task that was queued or running when its pool was closed, or that came after. */
export class PoolClosedError extends Error {
  override name = "PoolClosedError";
}
