/** The bounds of worker pools, each with what happens at it; what a pool is for decides its threads and its queue. */

/** Batches of one task on their way to the main thread, not yet taken; the task waits at it. */
export const BATCHES_IN_FLIGHT_MAX = 4;
/** How long a thread without a task is kept, in milliseconds; then it ends and gives back its 10 MB or so. */
export const THREAD_IDLE_MS = 15_000;
/** The pause before a thread is started after the second death in a row, in milliseconds; doubled for each further one. */
export const RESTART_PAUSE_MS = 100;
/** The longest pause before a thread is started again, in milliseconds. */
export const RESTART_PAUSE_MAX_MS = 30_000;
