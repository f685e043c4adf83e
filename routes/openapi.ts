import type { Route } from "./route.ts";
import { ERROR } from "./schemas.ts";

/** What the document says of the service as a whole. */
export interface OpenApiInfo {
  title: string;
  version: string;
  description: string;
}

/**
 * The OpenAPI 3.1 document of a route table: the same declarations that serve the routes.
 *
 * @example
 * ```ts
 * import { openApiDocument } from "./openapi.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const document = openApiDocument({ title: "Marquee", version: "1", description: "" }, []);
 * assertEquals(document.openapi, "3.1.0");
 * ```
 */
export function openApiDocument(info: OpenApiInfo, routes: readonly Route[]) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: { ...info, license: { name: "MIT", identifier: "MIT" } },
    paths,
    components: { schemas: { Error: ERROR } },
  };
}

function operation(route: Route) {
  const pathParameters = Object.entries(route.pathParameters ?? {})
    .map(([name, parameter]) => ({ name, in: "path", required: true, ...parameter }));
  const queryParameters = Object.entries(route.query ?? {})
    .map(([name, { description, schema, example }]) => ({
      name,
      in: "query",
      required: false,
      description,
      schema,
      ...(example === undefined ? {} : { example }),
    }));
  return {
    operationId: `${route.method.toLowerCase()}${
      route.path.replace(/\W+/g, "_").replace(/_$/, "")
    }`,
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    parameters: [...pathParameters, ...queryParameters],
    responses: {
      ...Object.fromEntries(
        Object.entries(route.replies).map(([status, reply]) => [status, {
          description: reply.description,
          ...(reply.headers === undefined ? {} : {
            headers: Object.fromEntries(
              Object.entries(reply.headers).map(([name, description]) => [
                name,
                { description, schema: { type: "string" } },
              ]),
            ),
          }),
          ...content(reply.contentType, reply.schema),
        }]),
      ),
      default: {
        description:
          "Any error: 429 over a rate, 503 over capacity, both with Retry-After, and what else goes wrong.",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function content(contentType: string | undefined, schema: unknown) {
  if (contentType === undefined && schema === undefined) return {};
  return {
    content: { [contentType ?? "application/json"]: schema === undefined ? {} : { schema } },
  };
}
