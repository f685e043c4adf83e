/**
 * Every event that was ever seen, in Deno KV. The store is a log with one atomic version key: a poll writes what
 * changed as log chunks under the next version, and one small commit that moves the version makes all of it visible;
 * the events themselves are brought up behind it. Readers follow the version and read only the chunks between.
 * One process writes at a time, by a lease whose epoch every write checks. See docs/decisions/0002-store.md.
 *
 * @module
 */
export { StoreError, type StoreErrorCode } from "./kv.ts";
export { Store, type StoreOptions } from "./store.ts";
export * from "./port.ts";
