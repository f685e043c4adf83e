/**
 * What carries requests to the routes: Deno.serve anywhere, and on Linux the native listener, in whose threads /search
 * and /health are answered from the catalogue's edition; everything else runs the same app on each.
 *
 * @module
 */
export * from "./deno_connections.ts";
export * from "./deno_server.ts";
export * from "./fast_routes.ts";
export * from "./native_server.ts";
export * from "./public_server.ts";
export { RateLimit, type RateLimitData } from "./rate_limit_gate.ts";
export * from "./server.ts";
