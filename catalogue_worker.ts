/**
 * The module of the thread that builds editions, see `startBuilder`.
 *
 * @module
 */
import { type BuilderScope, serveBuilder } from "./catalogue/mod.ts";
import { chooseMemory } from "./memory_source.ts";
import { lowerThreadPriority } from "./native/mod.ts";

// Requests go first.
lowerThreadPriority(4);

serveBuilder(globalThis as unknown as BuilderScope, chooseMemory().source);
