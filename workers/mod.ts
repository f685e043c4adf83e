/**
 * Work that would hold the event loop, done in threads: a {@linkcode WorkerPool} runs tasks in a bounded number of
 * them, with a bounded queue before them, and {@linkcode serveTasks} is the other side, in the module that the threads
 * run. Knows nothing of events: usable in another project.
 *
 * @module
 */
export * from "./errors.ts";
export * from "./task_worker.ts";
export * from "./worker_pool.ts";
