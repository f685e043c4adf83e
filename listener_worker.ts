/**
 * The module of the listener's threads, see `serveNative`: /search and /health are answered there.
 *
 * @module
 */
import { chooseMemory } from "./memory_source.ts";
// Not by way of the folders' mod.ts: a thread that loads only what it runs starts sooner, and takes 5 MB less.
import { listenerThread } from "./native/listener_thread.ts";
import { createFastRoutes } from "./transports/fast_routes.ts";

listenerThread((context) => createFastRoutes(context, chooseMemory().source));
