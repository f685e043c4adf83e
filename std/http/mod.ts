/**
 * Stand-in for the parts of `@std/http` that Marquee uses, for builds that can't reach JSR: entity tags, content
 * negotiation, server-sent events, status codes, and (only from its own entry point, as in the real package) routes.
 *
 * @module
 */

export * from "./etag.ts";
export * from "./negotiation.ts";
export * from "./server_sent_event_stream.ts";
export * from "./status.ts";
