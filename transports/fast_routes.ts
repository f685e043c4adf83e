import { GatherList, type MemorySource } from "../catalogue/mod.ts";
import type { ThreadContext, ThreadRoutes } from "../native/mod.ts";
import type { EditionMessage } from "./edition_shares.ts";
import { FastHealth } from "./fast_health.ts";
import { FastSearch } from "./fast_search.ts";
import { RequestIds } from "./request_ids.ts";
import { ThreadEditions } from "./thread_editions.ts";

/** What the listener threads are told at their start. */
export interface FastRoutesData {
  version: string;
  /** When the service was started, in milliseconds since 1970. */
  startedAt: number;
}

/** Makes the routes that a listener thread answers itself. */
export function createFastRoutes(context: ThreadContext, source: MemorySource): ThreadRoutes {
  const { version, startedAt } = context.data as FastRoutesData;
  const editions = new ThreadEditions(source, context.tell, context.cutOff);
  const requestIds = new RequestIds();
  return {
    routes: [
      new FastSearch(editions, requestIds, new GatherList(source)),
      new FastHealth(requestIds, version, startedAt),
    ],
    onMessage: (message) => editions.take(message as EditionMessage),
  };
}
