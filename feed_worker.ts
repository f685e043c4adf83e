/**
 * The module of the threads that read large feeds, see `openFeedPool`.
 *
 * @module
 */
import { lowerThreadPriority } from "./native/thread_priority.ts";
// Not by way of the folders' mod.ts: a thread that loads only what it runs starts sooner.
import { readFeedTask } from "./poller/feed_task.ts";
import { serveTasks } from "./workers/task_worker.ts";

// Requests go first.
lowerThreadPriority(4);

serveTasks(readFeedTask);
