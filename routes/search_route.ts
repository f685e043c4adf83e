import { ifNoneMatch } from "@std/http/etag";
import { acceptsEncodings } from "@std/http/negotiation";
import {
  type Catalogue,
  type Cursor,
  decodeCursor,
  type Edition,
  type SearchAnswer,
  type SearchQuery,
} from "../catalogue/mod.ts";
import { DateRangeError, parseDateRange } from "../domain/mod.ts";
import { HttpError, invalidParameter } from "./http_error.ts";
import { PAGE_EVENTS_MAX } from "./limits.ts";
import { wholeNumber } from "./query.ts";
import type { Reply } from "./reply.ts";
import { type QueryValues, type Route, route, type RouteRequest } from "./route.ts";
import { dataSchema, ERROR, objectSchema, SEARCH_RESULT } from "./schemas.ts";

/** How long a client may use an answer without asking again. */
const CACHE_CONTROL = "public, max-age=5";

const date = (description: string, example: string) => ({
  description,
  schema: { type: "string" },
  example,
  // Both dates are read together: whether they form a range is one question.
  parse: (text: string): string => text,
});

const query = {
  starts_at: date(
    "Only events that start at or after it: RFC 3339, the same without a zone, or a date (its midnight). " +
      "Event times are local to each event, so an offset is ignored.",
    "2027-01-01T00:00:00Z",
  ),
  ends_at: date(
    "Only events that end at or before it; a date means its last second. " +
      "An event without an end counts with its start.",
    "2027-12-31",
  ),
  limit: wholeNumber({
    minimum: 1,
    maximum: PAGE_EVENTS_MAX,
    description: "The most events of a page. Without it, everything.",
  }),
  cursor: {
    description: "Where the page begins: `next_cursor` of the page before.",
    schema: { type: "string" },
    parse(text: string): Cursor {
      const cursor = decodeCursor(text);
      if (cursor === null) {
        throw new Error("is not one that this service gave out: use next_cursor as it came");
      }
      return cursor;
    },
  },
};

/** GET /search: answered from memory, whatever state the provider is in. */
export function searchRoute(catalogue: Catalogue): Route {
  return route({
    method: "GET",
    path: "/search",
    summary: "Find events by date.",
    description: "All visible events within a range, in order of start, then end, then id.",
    query,
    replies: {
      200: {
        description: "The events.",
        schema: dataSchema(objectSchema({ events: { type: "array", items: SEARCH_RESULT } }, {
          properties: {
            events: { type: "array", items: SEARCH_RESULT },
            next_cursor: {
              type: ["string", "null"],
              description: "Only with `limit`; null on the last page.",
            },
          },
        })),
        headers: {
          ETag: "Names the version of the answer.",
          "Cache-Control": "How long it may be used without asking again.",
          "X-Catalogue-Version": "The version of the catalogue; it grows with every change.",
        },
      },
      304: { description: "What If-None-Match names is still the answer." },
      400: { description: "A parameter cannot be used; the message names it.", schema: ERROR },
      503: { description: "The catalogue is still being loaded.", schema: ERROR },
    },
    handle: (request) => {
      const { edition } = catalogue;
      if (edition === null) {
        throw new HttpError(503, "catalogue_loading", "the catalogue is being loaded: try again", {
          headers: { "retry-after": "1" },
        });
      }
      // Bad queries never get here, so a kept answer is a valid one.
      let answer = edition.answers.get(request.rawQuery);
      if (answer === undefined) {
        answer = edition.search(toSearchQuery(request.query()));
        edition.answers.set(request.rawQuery, answer);
      }
      return toReply(request, edition, answer);
    },
  });
}

function toSearchQuery(values: QueryValues<typeof query>): SearchQuery {
  try {
    return {
      range: parseDateRange(values.starts_at, values.ends_at),
      limit: values.limit,
      after: values.cursor,
    };
  } catch (error) {
    if (!(error instanceof DateRangeError)) throw error;
    throw invalidParameter(error.parameter, error.message.slice(error.parameter.length + 2));
  }
}

function toReply(
  { headers }: RouteRequest<typeof query>,
  edition: Edition,
  answer: SearchAnswer,
): Reply | Promise<Reply> {
  const condition = headers.get("if-none-match");
  if (condition !== null && !isChanged(condition, edition.etag)) {
    const etag = wantsGzip(headers) ? gzipEtag(edition.etag) : edition.etag;
    return { status: 304, headers: replyHeaders(edition, etag), body: null, length: null };
  }
  const gzipped = wantsGzip(headers) ? answer.gzipped() : null;
  if (gzipped instanceof Promise) return gzipped.then((bytes) => gzipReply(edition, bytes));
  if (gzipped !== null) return gzipReply(edition, gzipped);
  const body = answer.joined();
  return {
    status: 200,
    headers: replyHeaders(edition, edition.etag),
    body: body ?? answer.stream(),
    length: answer.byteLength,
  };
}

/** If-None-Match may name the answer in either coding: both are the same events. */
function isChanged(condition: string, etag: string): boolean {
  return ifNoneMatch(condition, etag) && ifNoneMatch(condition, gzipEtag(etag));
}

function wantsGzip(headers: Headers): boolean {
  const accepted = headers.get("accept-encoding")?.toLowerCase();
  if (accepted === undefined || !accepted.includes("gzip")) return false;
  return accepted === "gzip" ||
    acceptsEncodings(
        { headers: new Headers({ "accept-encoding": accepted }) } as Request,
        "gzip",
        "identity",
      ) === "gzip";
}

function gzipReply(edition: Edition, body: Uint8Array<ArrayBuffer>): Reply {
  return {
    status: 200,
    headers: { ...replyHeaders(edition, gzipEtag(edition.etag)), "content-encoding": "gzip" },
    body,
    length: body.length,
  };
}

/** RFC 9110 section 8.8.3: representations in different codings have different strong ETags. */
function gzipEtag(etag: string): string {
  return `${etag.slice(0, -1)}-gzip"`;
}

function replyHeaders(edition: Edition, etag: string): Record<string, string> {
  return {
    "content-type": "application/json",
    "etag": etag,
    "cache-control": CACHE_CONTROL,
    "vary": "accept-encoding",
    "x-catalogue-version": edition.versionText,
  };
}
