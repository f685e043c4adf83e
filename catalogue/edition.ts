import type { DateRange } from "../domain/mod.ts";
import { AnswerCache } from "./answer_cache.ts";
import { type Cursor, encodeCursor } from "./cursor.ts";
import { SearchAnswer } from "./search_answer.ts";

/** What a search asks for. */
export interface SearchQuery {
  range: DateRange;
  /** The most events of a page; `null` for all of them, without a cursor to a next page. */
  limit: number | null;
  /** The last event of the page before; `null` for the first page. */
  after: Cursor | null;
}

/** The columns and bytes of an edition, event by event in the order of search results. */
export interface EditionColumns {
  ids: readonly string[];
  starts: Float64Array;
  /** Effective ends. */
  ends: Float64Array;
  /** Where each event's fragment begins in `bytes`; one more element than events. */
  offsets: Float64Array;
  /** Each event's JSON with a comma behind it. */
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The visible events of one version, rendered: immutable, so that any number of answers can be views on it while the
 * next edition is built. A search is a binary search and a walk that yields runs of adjacent fragments.
 */
export class Edition {
  readonly version: number;
  /** The same as a header has it. */
  readonly versionText: string;
  /** Events in it. */
  readonly size: number;
  /** What clients compare: differs between stores, versions and policies. */
  readonly etag: string;
  /** Answers given from this edition, by query string. */
  readonly answers = new AnswerCache<SearchAnswer>();
  readonly #columns: EditionColumns;
  /** How far an end lies before its start at the most; 0 in a sane catalogue. */
  readonly #inversion: number;

  constructor(version: number, etag: string, columns: EditionColumns) {
    this.version = version;
    this.versionText = String(version);
    this.etag = etag;
    this.size = columns.ids.length;
    this.#columns = columns;
    let inversion = 0;
    for (let i = 0; i < this.size; i++) {
      inversion = Math.max(inversion, columns.starts[i] - columns.ends[i]);
    }
    this.#inversion = inversion;
  }

  /** The columns, for the builder of the next edition. */
  get columns(): EditionColumns {
    return this.#columns;
  }

  /** Bytes that the edition occupies. */
  get byteLength(): number {
    const { ids, bytes, starts, ends, offsets } = this.#columns;
    return bytes.byteLength + starts.byteLength + ends.byteLength + offsets.byteLength +
      ids.length * 56;
  }

  /** Answers a search; equal to `search` of the domain on the same events. */
  search(query: SearchQuery): SearchAnswer {
    const { starts, ends, offsets, bytes, ids } = this.#columns;
    const { range: { from, to }, limit, after } = query;
    let i = this.#firstNotBefore(from);
    if (after !== null) i = Math.max(i, this.#firstAfter(after));
    const lastStart = to + this.#inversion;
    const runs: number[] = [];
    let count = 0, last = -1, hasMore = false;
    while (i < this.size && starts[i] <= lastStart) {
      if (ends[i] > to) {
        i++;
        continue;
      }
      if (count === limit) {
        hasMore = true;
        break;
      }
      const room = limit === null ? this.size : i + limit - count;
      let end = i + 1;
      while (end < room && end < this.size && ends[end] <= to && starts[end] <= lastStart) end++;
      runs.push(offsets[i], offsets[end]);
      count += end - i;
      last = end - 1;
      i = end;
    }
    const nextCursor = hasMore
      ? encodeCursor({ version: this.version, start: starts[last], end: ends[last], id: ids[last] })
      : null;
    return new SearchAnswer(bytes, runs, count, limit === null ? undefined : nextCursor);
  }

  /** The first event that starts at or after `from`. */
  #firstNotBefore(from: number): number {
    const { starts } = this.#columns;
    let low = 0, high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle] < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first event that comes after a cursor in the order of search results. */
  #firstAfter(cursor: Cursor): number {
    const { starts, ends, ids } = this.#columns;
    let low = 0, high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = starts[middle] - cursor.start || ends[middle] - cursor.end ||
        (ids[middle] <= cursor.id ? -1 : 1);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
