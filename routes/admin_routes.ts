import { createHash, timingSafeEqual } from "node:crypto";
import { type PollLog, type PollRecord, StandbyError } from "../store/port.ts";
import { PoolFullError } from "../workers/errors.ts";
import { HttpError } from "./http_error.ts";
import { ADMIN_LIST_MAX, OVERLOAD_RETRY_SECONDS, PROFILE_SECONDS_MAX } from "./limits.ts";
import { takeProfile } from "./profile.ts";
import { wholeNumber } from "./query.ts";
import { bodyReply, jsonReply } from "./reply.ts";
import { type Route, route, type RouteRequest } from "./route.ts";
import { ERROR } from "./schemas.ts";

/** What the admin routes show and do. */
export interface AdminServices {
  pollLog: PollLog;
  /** Polls every provider now; joins the polls under way. Rejects with a PoolFullError or StandbyError where one would wait too long. */
  poll: () => Promise<PollRecord[]>;
  /** The Prometheus text. */
  metrics: () => Promise<{ contentType: string; text: string }>;
  /** A picture of the process for people. */
  stats: () => unknown;
}

/** Where the admin routes are, and who may use them. */
export interface AdminOptions {
  /** Put before every path: `""` on a port of their own, `/admin` on a shared one. */
  prefix: string;
  /** The Bearer token that POSTs need; `null` for none. */
  token: string | null;
  /** Whether reading needs the token as well, as it must where everybody can reach the port. */
  isReadProtected: boolean;
}

const noStore = { "cache-control": "no-store" };

/** The routes for operators. */
export function adminRoutes(services: AdminServices, options: AdminOptions): Route[] {
  const { pollLog, poll, metrics, stats } = services;
  const limit = wholeNumber({
    minimum: 1,
    maximum: ADMIN_LIST_MAX,
    description: "The most entries. Default 50.",
  });
  const routes: Route[] = [
    route({
      method: "GET",
      path: "/metrics",
      summary: "Prometheus metrics.",
      replies: { 200: { description: "The metrics.", contentType: "text/plain" } },
      handle: async () => {
        const { contentType, text } = await metrics();
        return bodyReply(contentType, text, noStore);
      },
    }),
    route({
      method: "GET",
      path: "/stats",
      summary: "A picture of the process.",
      replies: { 200: { description: "The picture.", schema: { type: "object" } } },
      handle: () => jsonReply({ data: stats(), error: null }, noStore),
    }),
    route({
      method: "GET",
      path: "/polls",
      summary: "The last polls, newest first.",
      query: { limit },
      replies: {
        200: { description: "The polls.", schema: { type: "object" } },
        400: { description: "A parameter cannot be used.", schema: ERROR },
      },
      handle: async ({ query }) => {
        const polls = await pollLog.polls(query().limit ?? 50);
        return jsonReply({ data: { polls: polls.map(describePoll) }, error: null }, noStore);
      },
    }),
    route({
      method: "GET",
      path: "/rejected",
      summary: "Plans that were set aside, with the reason.",
      query: { limit },
      replies: {
        200: { description: "The plans.", schema: { type: "object" } },
        400: { description: "A parameter cannot be used.", schema: ERROR },
      },
      handle: async ({ query }) => {
        const rejected = (await pollLog.rejections(query().limit ?? 50)).map((rejection) => ({
          provider: rejection.provider,
          reason: rejection.reason,
          base_plan_id: rejection.basePlanId,
          plan_id: rejection.planId,
          detail: rejection.detail,
          first_seen: new Date(rejection.firstSeen).toISOString(),
        }));
        return jsonReply({ data: { rejected }, error: null }, noStore);
      },
    }),
    route({
      method: "POST",
      path: "/poll",
      summary: "Poll now.",
      description:
        "Answers when the polls have ended and searches show them, or 10 s after their end; joins polls that are under way.",
      replies: {
        200: { description: "What came of it.", schema: { type: "object" } },
        401: { description: "The token is missing or wrong.", schema: ERROR },
        503: {
          description: "Too many polls wait for a thread, or another process polls.",
          schema: ERROR,
        },
      },
      isUnbounded: true,
      handle: async () => {
        const polls = await poll().catch(refuseWaiting);
        return jsonReply({ data: { polls: polls.map(describePoll) }, error: null }, noStore);
      },
    }),
    route({
      method: "POST",
      path: "/profile",
      summary: "A V8 CPU profile, to open in DevTools.",
      query: {
        seconds: wholeNumber({
          minimum: 1,
          maximum: PROFILE_SECONDS_MAX,
          description: "How long. Default 5.",
        }),
      },
      replies: {
        200: { description: "The profile.", schema: { type: "object" } },
        401: { description: "The token is missing or wrong.", schema: ERROR },
        409: { description: "Another profile is being taken.", schema: ERROR },
      },
      isUnbounded: true,
      handle: async ({ query, signal }) => {
        const profile = await takeProfile(query().seconds ?? 5, signal);
        return bodyReply("application/json", profile, {
          ...noStore,
          "content-disposition": 'attachment; filename="marquee.cpuprofile"',
        });
      },
    }),
  ];
  return routes.map((definition) => guarded(definition, options));
}

/** Puts a route under the prefix and behind the token. */
function guarded(definition: Route, { prefix, token, isReadProtected }: AdminOptions): Route {
  const path = prefix + definition.path;
  if (token === null || (definition.method === "GET" && !isReadProtected)) {
    return { ...definition, path };
  }
  return {
    ...definition,
    path,
    handle: (request: RouteRequest<NonNullable<Route["query"]>>) => {
      const given = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
      if (!timingSafeEqual(digest(given), digest(token))) {
        throw new HttpError(
          401,
          "unauthorized",
          "send the header Authorization: Bearer with the value of ADMIN_TOKEN",
          { headers: { "www-authenticate": "Bearer" } },
        );
      }
      return definition.handle(request);
    },
  };
}

/** Tells whoever would wait on a full pool, or on another process, to come back later. */
function refuseWaiting(error: unknown): never {
  const headers = { "retry-after": String(OVERLOAD_RETRY_SECONDS) };
  if (error instanceof PoolFullError) {
    throw new HttpError(503, "service_overloaded", error.message, { headers });
  }
  if (error instanceof StandbyError) {
    throw new HttpError(503, "polled_elsewhere", error.message, { headers });
  }
  throw error;
}

/** Equal lengths, so that the comparison takes the same time whatever is given. */
function digest(text: string) {
  return createHash("sha256").update(text).digest();
}

function describePoll(record: PollRecord) {
  return {
    id: record.id,
    provider: record.provider,
    at: new Date(record.startedAt).toISOString(),
    took_ms: record.durationMs,
    outcome: record.outcome,
    attempts: record.attempts,
    bytes: record.bytes,
    plans: record.plans,
    added: record.added,
    changed: record.changed,
    unlisted: record.unlisted,
    rejected: record.rejected,
    duplicates: record.duplicates,
    version: record.version,
    error: record.error,
  };
}
