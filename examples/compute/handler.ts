import type { ServeHandler } from "../../native/mod.ts";
import { fastReply } from "./fast.ts";
import { intensiveReply } from "./intensive.ts";
import type { Metrics } from "./metrics.ts";
import type { PrimesPool } from "./primes_pool.ts";
import { ApiError, errorReply, HEALTHY, JSON_FIELDS, type Reply } from "./reply.ts";
import { requestId } from "./request_id.ts";

/** A route of the main thread. */
interface Route {
  methods: readonly string[];
  answer: (request: Request) => Promise<Reply>;
}

/** Makes what answers all that the listener's threads do not. */
export function createHandler(pool: PrimesPool, metrics: Metrics): ServeHandler {
  const routes = new Map<string, Route>([
    // The listener's threads leave chunked bodies, and those that wait for 100 Continue.
    ["/api/v1/compute/fast", {
      methods: ["POST"],
      answer: async (request) => fastReply(await request.text()),
    }],
    ["/api/v1/compute/intensive", {
      methods: ["POST"],
      answer: async (request) => intensiveReply(pool, await request.text(), request.signal),
    }],
    ["/metrics", { methods: ["GET"], answer: () => metrics.reply() }],
    // The threads answer it, except GET with a body.
    ["/health", {
      methods: ["GET", "HEAD"],
      answer: () => Promise.resolve({ status: 200, headers: JSON_FIELDS, body: HEALTHY }),
    }],
  ]);

  async function reply(request: Request, path: string): Promise<Reply> {
    const route = routes.get(path);
    if (route === undefined) throw new ApiError(404, "not_found", `there is nothing at ${path}`);
    if (!route.methods.includes(request.method)) {
      const allow = route.methods.join(", ");
      throw new ApiError(405, "method_not_allowed", `${path} knows ${allow}`, { allow });
    }
    return await route.answer(request);
  }

  return async (request) => {
    const id = requestId(request.headers.get("x-request-id") ?? "");
    const path = URL.parse(request.url)?.pathname ?? "";
    const { status, headers, body } = await reply(request, path).catch((error) => {
      if (error instanceof ApiError) return errorReply(error);
      // Who has left, or whose body did not come in time, gets no answer of ours.
      if (!request.signal.aborted) console.error(id, error);
      return errorReply(new ApiError(500, "internal_error", `see the log for ${id}`));
    });
    if (!request.signal.aborted) {
      metrics.answered(routes.has(path) ? path : "unknown", request.method, status);
    }
    return new Response(body, { status, headers: { ...headers, "x-request-id": id } });
  };
}
