import { docsPage } from "./docs_page.ts";
import { openApiDocument, type OpenApiInfo } from "./openapi.ts";
import { bodyReply, jsonReply } from "./reply.ts";
import { type Route, route } from "./route.ts";

/**
 * GET /openapi.json and GET /docs, about a table of routes.
 *
 * @param routes The table without these two; they are in the document all the same
 */
export function documentRoutes(info: OpenApiInfo, routes: readonly Route[]): Route[] {
  const kept = { "cache-control": "public, max-age=300" };
  const own = [
    route({
      method: "GET",
      path: "/openapi.json",
      summary: "This document.",
      replies: { 200: { description: "OpenAPI 3.1.", schema: { type: "object" } } },
      handle: () => document,
    }),
    route({
      method: "GET",
      path: "/docs",
      summary: "A page to read this document.",
      replies: { 200: { description: "The page.", contentType: "text/html" } },
      handle: () => html,
    }),
  ];
  const all = [...routes, ...own];
  const document = jsonReply(openApiDocument(info, all), kept);
  const html = bodyReply("text/html; charset=utf-8", docsPage(info, all), {
    ...kept,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  });
  return own;
}
