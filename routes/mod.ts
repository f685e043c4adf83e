/**
 * What each route answers. A route is declared once, with its method, path, typed query, replies and handler;
 * {@linkcode createApp} serves a table of them and {@linkcode openApiDocument} describes the same table. Handlers give
 * a {@linkcode Reply} and know no transport; none of the public ones touches the store.
 *
 * @module
 */
export * from "./admin_routes.ts";
export * from "./app.ts";
export * from "./board_route.ts";
export * from "./change_feed.ts";
export * from "./document_routes.ts";
export * from "./event_route.ts";
export * from "./health_routes.ts";
export * from "./http_error.ts";
export { BODY_BYTES_MAX, STREAM_CHANGES_KEPT } from "./limits.ts";
export * from "./openapi.ts";
export * from "./query.ts";
export * from "./reply.ts";
export * from "./route.ts";
export * from "./search_route.ts";
export * from "./stream_route.ts";
