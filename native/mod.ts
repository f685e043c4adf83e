/**
 * What Marquee asks of the operating system through Deno FFI. It knows nothing of events and imports nothing of ours,
 * so that it can be used elsewhere.
 *
 * @module
 */
export * from "./mapped_memory.ts";
export * from "./thread_priority.ts";
