/**
 * The module of the listener's threads (listener_worker.ts) with nothing counted of answers: for the bench of what
 * counting costs, and only there. What is left is four additions a request: bytes, connections, slots.
 *
 * @module
 */
import { chooseMemory } from "../memory_source.ts";
import { listenerThread } from "../native/listener_thread.ts";
import { ThreadStatistics } from "../native/statistics.ts";
import { createFastRoutes } from "../transports/fast_routes.ts";

const { prototype } = ThreadStatistics;
// Without `hasAnswered` no clock is read at the end of a turn either.
prototype.answered = prototype.refused = prototype.endTurn = () => {};

listenerThread((context) => createFastRoutes(context, chooseMemory().source));
