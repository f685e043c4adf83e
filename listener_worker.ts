/**
 * The module of the listener's threads, see `serveNative`: /search and /health are answered there.
 *
 * @module
 */
import { chooseMemory } from "./memory_source.ts";
import { listenerThread } from "./native/mod.ts";
import { createFastRoutes } from "./transports/mod.ts";

listenerThread((context) => createFastRoutes(context, chooseMemory().source));
