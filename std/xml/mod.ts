/**
 * Stand-in for the parts of `@std/xml` that Marquee uses, for builds that can't reach JSR: XML is
 * read as a stream, and handed out as callbacks or as records put together in callbacks.
 *
 * The parsing is done by npm's saxes. Unlike the real package, namespace prefixes are not resolved
 * (every `uri` is undefined, an unbound prefix is no error), and callbacks may have been called for
 * an element before an error in it is thrown.
 *
 * @module
 */

export * from "./parse_records.ts";
export * from "./parse_stream.ts";
export * from "./types.ts";
