import { type Route as RouterRoute, route as createRouter } from "@std/http/unstable-route";
import { HttpError } from "./http_error.ts";
import { BODY_BYTES_MAX, TARGET_CHARACTERS_MAX } from "./limits.ts";
import { parseQuery } from "./query.ts";
import { errorReply, type Reply } from "./reply.ts";
import type { QueryParameters, QueryValues, Route, RouteRequest } from "./route.ts";

/** A request that was answered. */
export interface AnsweredRequest {
  /** The route's place in the table; `routes.length` where none matched. */
  route: number;
  method: string;
  url: string;
  status: number;
  seconds: number;
  /** Bytes of the body, as far as they are known when the answer begins. */
  bytes: number;
  requestId: string;
  /** What was thrown, 4xx and 503 included; `null` where nothing was. */
  error: unknown;
}

/** What a transport knows of a request beside what is in it. */
export interface RequestInfo {
  remoteAddr: Deno.Addr;
  /** Resolves when the answer was sent, or will not be; missing where the transport does not tell. */
  completed?: Promise<void>;
}

/** How an app is made. */
export interface AppOptions {
  routes: readonly Route[];
  /** Whether a request is not answered, and with what instead; asked before its route is looked for. */
  refuse?: (request: Request, path: string, info: RequestInfo | undefined) => HttpError | null;
  /** How long a handler may take, in milliseconds; then the client gets 503. Streams may go on. */
  requestTimeoutMs: number;
  /** Called once for every request, when its answer begins. */
  onAnswered: (answered: AnsweredRequest) => void;
}

const SANE_REQUEST_ID = /^[\w.:+\/=@-]{1,128}$/;
// Ids that we make are unique by their first part and ordered by their second; cheaper than a UUID a request.
const requestIdPrefix = crypto.randomUUID().slice(0, 13).replace("-", "");
let requestNumber = 0;

const NO_PATH: Readonly<Record<string, string>> = {};
const NO_PARAMETERS: QueryParameters = {};

/**
 * Makes the handler of a route table: what Deno.serve, or any transport that knows Request and Response, calls.
 * Every error has the one shape, HEAD is answered wherever GET is, and every answer carries X-Request-ID.
 */
export function createApp(
  { routes, refuse, requestTimeoutMs, onAnswered }: AppOptions,
): (request: Request, info?: RequestInfo) => Response | Promise<Response> {
  const table = new RouteTable(routes);

  function answer(asked: AskedRequest, reply: Reply, error: unknown = null): Response {
    const { method, url, route, requestId } = asked;
    const { headers, body, status } = reply;
    onAnswered({
      route,
      method,
      url,
      status,
      seconds: (performance.now() - asked.started) / 1_000,
      bytes: method === "HEAD" ? 0 : reply.length ?? 0,
      requestId,
      error,
    });
    headers["x-request-id"] = requestId;
    const isStream = body instanceof ReadableStream;
    if (method !== "HEAD" && !isStream) return new Response(body, { status, headers });
    if (reply.length !== null) headers["content-length"] = String(reply.length);
    if (method !== "HEAD") return new Response(body, { status, headers });
    if (isStream) body.cancel().catch(() => {});
    return new Response(null, { status, headers });
  }

  function fail(asked: AskedRequest, error: unknown): Response {
    return answer(asked, errorReply(toHttpError(error)), error);
  }

  return (request, info) => {
    const asked = new AskedRequest(request, routes.length);
    try {
      const { url, method } = asked;
      // The path begins after "http://host"; a URL object would cost more than the rest of a cached answer.
      let pathStart = url.indexOf("/", url.indexOf("://") + 3);
      if (pathStart < 0) pathStart = url.length;
      let pathEnd = url.indexOf("?", pathStart);
      if (pathEnd < 0) pathEnd = url.length;
      if (url.length - pathStart > TARGET_CHARACTERS_MAX) {
        throw new HttpError(
          414,
          "uri_too_long",
          `path and query may have ${TARGET_CHARACTERS_MAX} characters`,
        );
      }
      const path = url.slice(pathStart, pathEnd);
      const refusal = refuse?.(request, path, info);
      if (refusal != null) throw refusal;
      // Before the route, as the native listener does, which reads no head without its body.
      refuseLargeBody(asked.headers);
      const found = table.find(path, method, request);
      const definition = routes[found.route];
      asked.route = found.route;
      asked.path = found.path;
      asked.rawQuery = url.slice(pathEnd + 1);
      asked.parameters = definition.query ?? NO_PARAMETERS;
      const reply = definition.handle(asked);
      if (!(reply instanceof Promise)) return answer(asked, reply);
      const bounded = definition.isUnbounded ? reply : withDeadline(reply, requestTimeoutMs);
      return bounded.then((late) => answer(asked, late), (error) => fail(asked, error));
    } catch (error) {
      return fail(asked, error);
    }
  };
}

/** A request on its way through the app; a class, since an object with a getter of its own is slow to make. */
class AskedRequest implements RouteRequest<QueryParameters> {
  readonly started = performance.now();
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly requestId: string;
  route: number;
  path = NO_PATH;
  rawQuery = "";
  parameters = NO_PARAMETERS;
  /** A property rather than a method: handlers take it out of the request. */
  readonly query = (): QueryValues<QueryParameters> => parseQuery(this.rawQuery, this.parameters);
  readonly #request: Request;

  /** @param route What counts as its route until one is found */
  constructor(request: Request, route: number) {
    this.url = request.url;
    this.method = request.method;
    this.headers = request.headers;
    const given = this.headers.get("x-request-id");
    this.requestId = given !== null && SANE_REQUEST_ID.test(given)
      ? given
      : `${requestIdPrefix}-${++requestNumber}`;
    this.route = route;
    this.#request = request;
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }
}

/** Finds the route of a request: literal paths by a map, paths with parameters by @std/http's router. */
class RouteTable {
  /** By path, then method: the route's place in the table. */
  readonly #literal = new Map<string, Map<string, number>>();
  readonly #router: (request: Request) => unknown;
  /** What the router found last; it calls back synchronously. */
  #found: { route: number; path: Record<string, string> } | null = null;
  /** Paths with parameters, to tell an unknown path from a wrong method. */
  readonly #patterns: { pattern: URLPattern; methods: string[] }[] = [];

  constructor(routes: readonly Route[]) {
    const dynamic: RouterRoute[] = [];
    routes.forEach((definition, index) => {
      const methods = definition.method === "GET" ? ["GET", "HEAD"] : [definition.method];
      if (!definition.path.includes("{")) {
        const byMethod = this.#literal.get(definition.path) ?? new Map();
        for (const method of methods) byMethod.set(method, index);
        this.#literal.set(definition.path, byMethod);
        return;
      }
      const pattern = new URLPattern({
        pathname: definition.path.replaceAll(/\{(\w+)\}/g, ":$1"),
      });
      this.#patterns.push({ pattern, methods });
      dynamic.push({
        pattern,
        method: methods,
        handler: (_request, match) => {
          const groups = match?.pathname.groups ?? {};
          this.#found = { route: index, path: decodeAll(groups) };
          return new Response();
        },
      });
    });
    this.#router = createRouter(dynamic, () => {
      this.#found = null;
      return new Response();
    });
  }

  find(
    path: string,
    method: string,
    request: Request,
  ): { route: number; path: Readonly<Record<string, string>> } {
    const byMethod = this.#literal.get(path);
    if (byMethod !== undefined) {
      const route = byMethod.get(method);
      if (route !== undefined) return { route, path: NO_PATH };
      throw methodNotAllowed(method, [...byMethod.keys()]);
    }
    this.#router(request);
    if (this.#found !== null) return this.#found;
    for (const { pattern, methods } of this.#patterns) {
      if (pattern.test(request.url)) throw methodNotAllowed(method, methods);
    }
    throw new HttpError(
      404,
      "not_found",
      `there is nothing at ${JSON.stringify(path.slice(0, 200))}`,
    );
  }
}

function decodeAll(groups: Record<string, string | undefined>): Record<string, string> {
  const decoded: Record<string, string> = {};
  for (const [name, value] of Object.entries(groups)) {
    try {
      decoded[name] = decodeURIComponent(value ?? "");
    } catch {
      decoded[name] = value ?? "";
    }
  }
  return decoded;
}

function methodNotAllowed(method: string, allowed: string[]): HttpError {
  const allow = allowed.join(", ");
  return new HttpError(
    405,
    "method_not_allowed",
    `${method.slice(0, 32)} is not allowed here: use ${allow}`,
    { headers: { "allow": allow } },
  );
}

function refuseLargeBody(headers: Headers): void {
  if (Number(headers.get("content-length") ?? 0) > BODY_BYTES_MAX) {
    throw new HttpError(413, "content_too_large", `a body may have ${BODY_BYTES_MAX} bytes`, {
      headers: { "connection": "close" },
    });
  }
}

function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  return new HttpError(
    500,
    "internal_error",
    "the service failed to answer: its log has more under this X-Request-ID",
  );
}

/** Rejects with 503 when the deadline passes first; what the handler does later is dropped. */
async function withDeadline(reply: Promise<Reply>, timeoutMs: number): Promise<Reply> {
  let timer: ReturnType<typeof setTimeout>;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new HttpError(503, "request_timeout", `no answer within ${timeoutMs} ms: try again`, {
          headers: { "retry-after": "1" },
        }),
      );
    }, timeoutMs);
  });
  try {
    return await Promise.race([reply, deadline]);
  } finally {
    clearTimeout(timer!);
    reply.catch(() => {});
  }
}
