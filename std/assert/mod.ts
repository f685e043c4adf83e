/**
 * Stand-in for the parts of `@std/assert` that Marquee's tests use, for builds that can't reach JSR. Every assertion
 * throws an {@linkcode AssertionError} that shows the values, and takes a message of the caller's own to go with it.
 *
 * @module
 */

export * from "./assertion_error.ts";
export * from "./comparison.ts";
export * from "./containment.ts";
export * from "./equal.ts";
export * from "./equality.ts";
export * from "./existence.ts";
export * from "./failure.ts";
export * from "./thrown_errors.ts";
