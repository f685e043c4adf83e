import { HttpError } from "./http_error.ts";
import { HEALTH_HEADERS, healthText } from "./health_answer.ts";
import { bodyReply, jsonReply } from "./reply.ts";
import { type Route, route } from "./route.ts";
import { ERROR, objectSchema } from "./schemas.ts";

/** Whether one thing that requests need is there. */
export interface Check {
  name: string;
  isPassing: boolean;
  /** What an operator would want to know of it. */
  detail: string;
}

/**
 * GET /health: 200 while the process can answer at all.
 *
 * @param startedAt When the service was started, in milliseconds since 1970
 */
export function healthRoute(version: string, startedAt: number): Route {
  return route({
    method: "GET",
    path: "/health",
    summary: "Liveness: 200 while the process can answer.",
    replies: {
      200: {
        description: "Alive.",
        schema: objectSchema({
          status: { const: "healthy" },
          version: { type: "string" },
          uptime_seconds: { type: "number" },
        }),
      },
    },
    handle: () => {
      const { "content-type": contentType, ...headers } = HEALTH_HEADERS;
      return bodyReply(contentType, healthText(version, startedAt), headers);
    },
  });
}

/** GET /ready: 503 while requests should go elsewhere. */
export function readyRoute(checks: () => Check[]): Route {
  const schema = {
    type: "object",
    additionalProperties: objectSchema({
      status: { enum: ["pass", "fail"] },
      detail: { type: "string" },
    }),
  };
  return route({
    method: "GET",
    path: "/ready",
    summary: "Readiness: 503 until the catalogue is loaded, while draining, and while at capacity.",
    replies: {
      200: {
        description: "Send requests.",
        schema: objectSchema({ status: { const: "ready" }, checks: schema }),
      },
      503: { description: "Send no requests; the failed checks are named.", schema: ERROR },
    },
    handle: () => {
      const all = checks();
      const named = Object.fromEntries(
        all.map(({ name, isPassing, detail }) => [
          name,
          { status: isPassing ? "pass" : "fail", detail },
        ]),
      );
      const failed = all.filter(({ isPassing }) => !isPassing);
      if (failed.length > 0) {
        const message = failed.map(({ name, detail }) => `${name}: ${detail}`).join("; ");
        throw new HttpError(503, "not_ready", message, {
          headers: { "retry-after": "1" },
          members: { status: "not_ready", checks: named },
        });
      }
      return jsonReply({ status: "ready", checks: named }, { "cache-control": "no-store" });
    },
  });
}
