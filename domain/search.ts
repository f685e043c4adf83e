import type { DateRange } from "./date_range.ts";
import { formatDate, formatTime, type LocalDateTime } from "./local_date_time.ts";

/** What search results show of a visible event. */
export interface EventSummary {
  id: string;
  title: string;
  start: LocalDateTime;
  end: LocalDateTime | null;
  minPrice: number | null;
  maxPrice: number | null;
}

/** An {@linkcode EventSummary} in the words of the public interface; the order of the keys is that of the answer. */
export interface SearchResult {
  id: string;
  title: string;
  start_date: string;
  start_time: string;
  end_date: string | null;
  end_time: string | null;
  min_price: number | null;
  max_price: number | null;
}

/**
 * The definition of a search: the events that start at or after `range.from` and end at or before `range.to`, in
 * order of start, then end, then id. An event without an end counts with its start, in the range and in the order.
 * It is plain rather than fast; the catalogue's answers are tested against it.
 *
 * @example
 * ```ts
 * import { search, UNBOUNDED } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const event = { id: "a", title: "Tosca", start: 0, end: 60, minPrice: null, maxPrice: null };
 * assertEquals(search([event], UNBOUNDED), [event]);
 * assertEquals(search([event], { from: 0, to: 59 }), []);
 * ```
 */
export function search(events: readonly EventSummary[], range: DateRange): EventSummary[] {
  return events
    .filter((event) => event.start >= range.from && effectiveEnd(event) <= range.to)
    .sort(compareEvents);
}

/** The end that an event counts with: its own, or its start where it has none. */
export function effectiveEnd(event: Pick<EventSummary, "start" | "end">): LocalDateTime {
  return event.end ?? event.start;
}

/** The order of search results: by start, then end, then id. */
export function compareEvents(
  a: Pick<EventSummary, "start" | "end" | "id">,
  b: Pick<EventSummary, "start" | "end" | "id">,
): number {
  return a.start - b.start || effectiveEnd(a) - effectiveEnd(b) ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * Puts a summary in the words of the public interface.
 *
 * @example
 * ```ts
 * import { toSearchResult } from "./search.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const event = { id: "a", title: "Tosca", start: 0, end: null, minPrice: 10, maxPrice: 20 };
 * assertEquals(toSearchResult(event).start_date, "1970-01-01");
 * ```
 */
export function toSearchResult(event: EventSummary): SearchResult {
  return {
    id: event.id,
    title: event.title,
    start_date: formatDate(event.start),
    start_time: formatTime(event.start),
    end_date: event.end === null ? null : formatDate(event.end),
    end_time: event.end === null ? null : formatTime(event.end),
    min_price: event.minPrice,
    max_price: event.maxPrice,
  };
}
