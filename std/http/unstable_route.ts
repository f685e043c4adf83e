/**
 * Picks the handler of a request by its method and URL.
 *
 * @module
 */

/** Answers a request. */
export type RequestHandler = (
  request: Request,
  info?: Deno.ServeHandlerInfo,
) => Response | Promise<Response>;

/** Answers a request of a route; `params` is what the route's pattern took from the URL. */
export type Handler = (
  request: Request,
  params: URLPatternResult,
  info?: Deno.ServeHandlerInfo,
) => Response | Promise<Response>;

/** What requests a handler is for. */
export interface Route {
  /** The pattern of their URL. */
  pattern: URLPattern;
  /** Their method or methods, in any case; without one, every method. HEAD is not implied by GET. */
  method?: string | string[];
  /** What answers them. */
  handler: Handler;
}

/**
 * Makes a handler that passes each request on to the first route that fits it. The route table is read once, here.
 *
 * The real `route` and `routeRadix` search a tree, with the same outcome; here all three names are this one function.
 *
 * @param routes In order of precedence
 * @param defaultHandler Answers what fits no route
 *
 * @example
 * ```ts
 * import { route } from "@std/http/unstable-route";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = route([{
 *   pattern: new URLPattern({ pathname: "/events/:id" }),
 *   method: "GET",
 *   handler: (_request, params) => new Response(params.pathname.groups.id),
 * }], () => new Response(null, { status: 404 }));
 * const response = await handler(new Request("http://localhost/events/7"));
 * assertEquals(await response.text(), "7");
 * ```
 */
export function routeLinear(routes: Route[], defaultHandler: RequestHandler): RequestHandler {
  const table = routes.map(({ pattern, method, handler }) => ({
    pattern,
    methods: method?.length ? new Set([method].flat().map((name) => name.toUpperCase())) : null,
    handler,
  }));
  return (request, info) => {
    for (const { pattern, methods, handler } of table) {
      if (methods !== null && !methods.has(request.method)) continue;
      const params = pattern.exec(request.url);
      if (params !== null) return handler(request, params, info);
    }
    return defaultHandler(request, info);
  };
}

export { routeLinear as route, routeLinear as routeRadix };
