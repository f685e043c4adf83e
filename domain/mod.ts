/**
 * What Marquee knows about events, without any input or output: what a provider lists ({@linkcode Plan}),
 * what is kept of it ({@linkcode Event}), who may see it, and what a search is. Everything here is a pure
 * function; the clock is always an argument. The rest of the service is an optimisation of this folder:
 * whatever it answers must equal {@linkcode search}.
 *
 * @module
 */
export * from "./date_range.ts";
export * from "./event.ts";
export * from "./event_codec.ts";
export * from "./identity.ts";
export * from "./local_date_time.ts";
export * from "./plan.ts";
export * from "./search.ts";
export * from "./visibility.ts";
