import { GatherList } from "../catalogue/gather_list.ts";
import type { MemorySource } from "../catalogue/mod.ts";
import type { ThreadContext, ThreadRoutes } from "../native/mod.ts";
import type { EditionMessage } from "./edition_shares.ts";
import { FastHealth } from "./fast_health.ts";
import { FastSearch } from "./fast_search.ts";
import { type RateLimitData, RateLimitGate } from "./rate_limit_gate.ts";
import { RequestIds } from "./request_ids.ts";
import { RequestLog, type RequestLogOptions } from "./request_log.ts";
import { ThreadEditions } from "./thread_editions.ts";

/** What the listener threads are told at their start. */
export interface FastRoutesData extends RequestLogOptions {
  version: string;
  /** When the service was started, in milliseconds since 1970. */
  startedAt: number;
  /** `null` without a limit. */
  rateLimit: RateLimitData | null;
}

/** Makes the routes that a listener thread answers itself. */
export function createFastRoutes(context: ThreadContext, source: MemorySource): ThreadRoutes {
  const data = context.data as FastRoutesData;
  const editions = new ThreadEditions(source, context.tell, context.cutOff);
  const requestIds = new RequestIds();
  const log = new RequestLog(context, data);
  return {
    routes: [
      new FastSearch(editions, requestIds, log, new GatherList(source)),
      new FastHealth(requestIds, log, data.version, data.startedAt),
    ],
    gate: data.rateLimit === null
      ? undefined
      : new RateLimitGate(data.rateLimit, requestIds, context.turnStart),
    refusalFields: (request, answer) => requestIds.write(request, answer),
    onMessage: (message) => editions.take(message as EditionMessage),
  };
}
