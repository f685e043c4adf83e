import {
  type ServerSentEventMessage,
  ServerSentEventStream,
} from "@std/http/server-sent-event-stream";
import type { CatalogueNews, ChangeFeed } from "./change_feed.ts";
import { HttpError } from "./http_error.ts";
import { STREAM_CLIENTS_MAX, STREAM_HEARTBEAT_MS } from "./limits.ts";
import { type Route, route } from "./route.ts";
import { ERROR } from "./schemas.ts";

/** GET /events/stream: server-sent events, a message a change of the catalogue. */
export function streamRoute(feed: ChangeFeed): Route {
  return route({
    method: "GET",
    path: "/events/stream",
    summary: "Server-sent events: a message for every change of the catalogue.",
    description:
      "Each message is `{version, added, changed}`, its id the version. Last-Event-ID resumes; " +
      "a client that reads too slowly is cut off and may resume.",
    replies: {
      200: { description: "The stream.", contentType: "text/event-stream" },
      503: { description: "Too many clients listen.", schema: ERROR },
    },
    isUnbounded: true,
    handle: ({ headers }) => {
      if (feed.subscribers >= STREAM_CLIENTS_MAX) {
        throw new HttpError(
          503,
          "too_many_streams",
          `${STREAM_CLIENTS_MAX} clients listen already: poll /search with If-None-Match instead`,
          { headers: { "retry-after": "30" } },
        );
      }
      const lastId = headers.get("last-event-id") ?? "";
      const { news } = feed.subscribe(/^\d{1,15}$/.test(lastId) ? Number(lastId) : null);
      return {
        status: 200,
        headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
        // The package's type leaves open what lies behind the bytes; they are always its own.
        body: news.pipeThrough(toMessages()).pipeThrough(
          new ServerSentEventStream(),
        ) as ReadableStream<Uint8Array<ArrayBuffer>>,
        length: null,
      };
    },
  });
}

/** Turns news into messages, with a comment now and then that keeps proxies from closing a quiet stream. */
function toMessages(): TransformStream<CatalogueNews, ServerSentEventMessage> {
  let timer: ReturnType<typeof setInterval>;
  const stop = () => clearInterval(timer);
  return new TransformStream(
    {
      start(controller) {
        controller.enqueue({ comment: "connected" });
        timer = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue({ comment: "still here" });
        }, STREAM_HEARTBEAT_MS);
      },
      transform(news, controller) {
        controller.enqueue({
          event: "change",
          id: String(news.version),
          data: JSON.stringify(news),
        });
      },
      flush: stop,
      cancel: stop,
    },
    undefined,
    { highWaterMark: 2 },
  );
}
