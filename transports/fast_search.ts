import { ifNoneMatch } from "@std/http/etag";
import type { Coding, GatherList, SearchQuery } from "../catalogue/mod.ts";
import {
  type FastAnswer,
  type FastRequest,
  type FastRoute,
  HeadTemplate,
} from "../native/fast_route.ts";
import { HttpError } from "../routes/http_error.ts";
import { acceptedCoding, searchHeaders } from "../routes/search_headers.ts";
import { parseSearchQuery } from "../routes/search_query.ts";
import type { RequestIds } from "./request_ids.ts";
import type { RequestLog } from "./request_log.ts";
import type { ThreadEdition, ThreadEditions } from "./thread_editions.ts";

/** An Accept-Encoding that is longer is read anew each time. */
const ACCEPTED_BYTES_MAX = 128;

/** The beginnings of the heads of one edition's answers. */
type Heads = Record<Coding, { ok: HeadTemplate; notModified: HeadTemplate }>;

/**
 * GET /search inside a listener thread: the same answers as the route's own, sent from where the edition lies. What is
 * no ordinary answer (an error, no catalogue yet) is left to the route itself.
 */
export class FastSearch implements FastRoute {
  readonly path = "/search";
  readonly #editions: ThreadEditions;
  readonly #requestIds: RequestIds;
  readonly #log: RequestLog;
  readonly #list: GatherList;
  // Used again for every request.
  readonly #query: SearchQuery = { range: { from: 0, to: 0 }, limit: null, after: null };
  #headsOf: ThreadEdition | null = null;
  #heads: Heads | null = null;
  /** The last Accept-Encoding, and what it came to: most clients of a service send the same. */
  readonly #accepted = new Uint8Array(ACCEPTED_BYTES_MAX);
  #acceptedLength = 0;
  #acceptedCoding: Coding = "identity";

  /** @param list For the answers; the route's to use */
  constructor(
    editions: ThreadEditions,
    requestIds: RequestIds,
    log: RequestLog,
    list: GatherList,
  ) {
    this.#editions = editions;
    this.#requestIds = requestIds;
    this.#log = log;
    this.#list = list;
  }

  answer(request: FastRequest, answer: FastAnswer): boolean {
    const current = this.#editions.current;
    if (current === null) return false;
    const { edition } = current;
    try {
      parseSearchQuery(request.bytes, request.queryStart, request.targetEnd, this.#query);
    } catch (error) {
      // The route finds the same, and words it.
      if (error instanceof HttpError) return false;
      throw error;
    }
    if (this.#headsOf !== current) {
      this.#heads = headsOf(current);
      this.#headsOf = current;
    }
    const coding = this.#coding(request);
    const heads = this.#heads![coding];
    if (request.fieldIndex("if-none-match") >= 0) {
      if (!ifNoneMatch(request.fieldText("if-none-match"), edition.etag)) {
        answer.begin(heads.notModified);
        this.#requestIds.write(request, answer);
        answer.endHead(-1);
        this.#log.answered(request, 304, 0, this.#requestIds);
        return true;
      }
    }
    const list = this.#list;
    edition.search(this.#query, list, coding);
    answer.begin(heads.ok);
    this.#requestIds.write(request, answer);
    answer.endHead(list.byteLength);
    const { memories, offsets, lengths, length } = list;
    for (let i = 0; i < length; i++) {
      const memory = memories[i];
      const offset = offsets[i];
      if (list.owns(memory)) answer.writeBytes(memory.bytes, offset, offset + lengths[i]);
      else answer.addMemory(memory.address! + offset, lengths[i]);
    }
    answer.onSent(current);
    this.#log.answered(request, 200, list.byteLength, this.#requestIds);
    return true;
  }

  #coding(request: FastRequest): Coding {
    const at = request.fieldIndex("accept-encoding");
    if (at < 0) return "identity";
    const { bytes, fields } = request;
    const start = fields[at + 2], length = fields[at + 3] - start;
    const accepted = this.#accepted;
    let i = 0;
    while (i < length && i < ACCEPTED_BYTES_MAX && bytes[start + i] === accepted[i]) i++;
    if (i === length && length === this.#acceptedLength) return this.#acceptedCoding;
    const coding = acceptedCoding(request.text(start, start + length));
    if (length <= ACCEPTED_BYTES_MAX) {
      accepted.set(bytes.subarray(start, start + length));
      this.#acceptedLength = length;
      this.#acceptedCoding = coding;
    }
    return coding;
  }
}

function headsOf({ edition }: ThreadEdition): Heads {
  const of = (coding: Coding) => {
    const fields = searchHeaders(edition, coding);
    return {
      ok: new HeadTemplate(200, "OK", fields),
      notModified: new HeadTemplate(304, "Not Modified", fields),
    };
  };
  return { identity: of("identity"), gzip: of("gzip") };
}
