import type { Reply } from "./reply.ts";

/** A JSON Schema (2020-12), as OpenAPI 3.1 takes it. */
export type Schema = Readonly<Record<string, unknown>>;

/** A parameter of a query: what it is, and how its text is read. */
export interface QueryParameter<T> {
  description: string;
  schema: Schema;
  example?: string;
  /** Reads the decoded text; throws an Error whose message says what is wrong with it. */
  parse: (text: string) => T;
}

/** Parameters of a query by name. */
export type QueryParameters = Readonly<Record<string, QueryParameter<unknown>>>;

/** What a handler gets: each parameter's value, or `null` where it is not given. */
export type QueryValues<Q extends QueryParameters> = {
  [Name in keyof Q]: (Q[Name] extends QueryParameter<infer T> ? T : never) | null;
};

/** A request as a handler sees it. */
export interface RouteRequest<Q extends QueryParameters> {
  /** The headers of the request, whatever transport brought it. */
  headers: Headers;
  /** The values of the parameters in the path. */
  path: Readonly<Record<string, string>>;
  /** The query as it came, without "?"; for answers kept by query. */
  rawQuery: string;
  /** Reads the query; throws the HttpError that names a bad parameter. */
  query: () => QueryValues<Q>;
  requestId: string;
  /** Aborts when the client leaves. */
  signal: AbortSignal;
}

/** What a route may answer with one status, as the OpenAPI document describes it. */
export interface ReplyDescription {
  description: string;
  contentType?: string;
  schema?: Schema;
  /** Headers by name, with what they say. */
  headers?: Readonly<Record<string, string>>;
}

/**
 * One route: what serves it and what documents it, in one place, so that they can't disagree. A GET route answers
 * HEAD as well.
 */
export interface Route<Q extends QueryParameters = QueryParameters> {
  method: "GET" | "POST";
  /** `/events/{id}`: a name in braces is one segment. */
  path: string;
  summary: string;
  description?: string;
  query?: Q;
  /** The parameters of the path, by name. */
  pathParameters?: Readonly<Record<string, { description: string; schema: Schema }>>;
  /** By status. Errors that every route can give need not be named. */
  replies: Readonly<Record<number, ReplyDescription>>;
  /** True where the answer takes as long as it takes: no REQUEST_TIMEOUT. */
  isUnbounded?: boolean;
  handle: (request: RouteRequest<Q>) => Reply | Promise<Reply>;
}

/**
 * Declares a route, its handler's arguments typed by its parameters.
 *
 * @example
 * ```ts
 * import { route } from "./route.ts";
 * import { jsonReply } from "./reply.ts";
 *
 * route({
 *   method: "GET",
 *   path: "/double",
 *   summary: "Doubles a number.",
 *   query: { n: { description: "A number.", schema: { type: "number" }, parse: Number } },
 *   replies: { 200: { description: "Its double." } },
 *   handle: ({ query }) => jsonReply((query().n ?? 0) * 2),
 * });
 * ```
 */
export function route<Q extends QueryParameters>(definition: Route<Q>): Route {
  return definition as unknown as Route;
}
