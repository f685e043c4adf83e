import { docsPage } from "./docs_page.ts";
import { openApiDocument, type OpenApiInfo } from "./openapi.ts";
import { bodyReply } from "./reply.ts";
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
      handle: () => bodyReply("application/json", document, kept),
    }),
    route({
      method: "GET",
      path: "/docs",
      summary: "A page to read this document.",
      replies: { 200: { description: "The page.", contentType: "text/html" } },
      handle: () => bodyReply("text/html; charset=utf-8", html, pageHeaders),
    }),
  ];
  const all = [...routes, ...own];
  const encoder = new TextEncoder();
  const document = encoder.encode(JSON.stringify(openApiDocument(info, all)));
  const html = encoder.encode(docsPage(info, all));
  const pageHeaders = {
    ...kept,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  };
  return own;
}
