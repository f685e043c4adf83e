import { ifNoneMatch } from "@std/http/etag";
import { type Catalogue, type SearchQuery, streamAnswer } from "../catalogue/mod.ts";
import { HttpError } from "./http_error.ts";
import { ANSWER_JOINED_BYTES_MAX, ANSWER_KEPT_BYTES_MIN, TARGET_CHARACTERS_MAX } from "./limits.ts";
import { type Route, route } from "./route.ts";
import { dataSchema, ERROR, objectSchema, SEARCH_RESULT } from "./schemas.ts";
import { acceptedCoding, searchHeaders } from "./search_headers.ts";
import { parseSearchQuery, SEARCH_PARAMETERS } from "./search_query.ts";

const encoder = new TextEncoder();
/** Room for any query that comes this far. */
const queryBytes = new Uint8Array(TARGET_CHARACTERS_MAX * 3);
/** Where answers are put together; a Response copies its bytes (Fetch standard, "extract a body"). */
const joined = new Uint8Array(ANSWER_JOINED_BYTES_MAX);

/** GET /search: answered from memory, whatever state the provider is in. */
export function searchRoute(catalogue: Catalogue): Route {
  // Used again for every request: a handler runs to its end before the next one begins.
  const query: SearchQuery = { range: { from: 0, to: 0 }, limit: null, after: null };
  let list = catalogue.gatherList();
  return route({
    method: "GET",
    path: "/search",
    summary: "Find events by date.",
    description: "All visible events within a range, in order of start, then end, then id.",
    query: SEARCH_PARAMETERS,
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
    handle: ({ headers, rawQuery }) => {
      const { edition } = catalogue;
      if (edition === null) {
        throw new HttpError(503, "catalogue_loading", "the catalogue is being loaded: try again", {
          headers: { "retry-after": "1" },
        });
      }
      const coding = acceptedCoding(headers.get("accept-encoding"));
      parseSearchQuery(queryBytes, 0, encoder.encodeInto(rawQuery, queryBytes).written, query);
      const replyHeaders = searchHeaders(edition, coding);
      const condition = headers.get("if-none-match");
      // The comparison is weak, so one ETag names the answer in either coding.
      if (condition !== null && !ifNoneMatch(condition, edition.etag)) {
        return { status: 304, headers: replyHeaders, body: null, length: null };
      }
      edition.search(query, list, coding);
      const length = list.byteLength;
      if (length > joined.length) {
        const long = list;
        list = catalogue.gatherList();
        return { status: 200, headers: replyHeaders, body: streamAnswer(edition, long), length };
      }
      const answers = length < ANSWER_KEPT_BYTES_MIN ? null : edition.answers[coding];
      let body = answers?.get(rawQuery);
      if (body === undefined) {
        list.copyTo(joined);
        body = joined.subarray(0, length);
        answers?.offer(rawQuery, body);
      }
      return { status: 200, headers: replyHeaders, body, length };
    },
  });
}
