import type { SearchResult } from "../../domain/mod.ts";

/** A search result with its times as numbers, in milliseconds since 1970. */
export interface ArrayEvent {
  start: number;
  /** The start where it has no end. */
  end: number;
  result: SearchResult;
}

/**
 * Reads the events that the servers beside Marquee search.
 *
 * @param file A JSON array of search results in the order of answers
 */
export function readEvents(file: string): ArrayEvent[] {
  const results: SearchResult[] = JSON.parse(Deno.readTextFileSync(file));
  return results.map((result) => {
    const start = Date.parse(`${result.start_date}T${result.start_time}Z`);
    const end = result.end_date === null
      ? start
      : Date.parse(`${result.end_date}T${result.end_time}Z`);
    return { start, end, result };
  });
}

/** What an unreadable date is answered with. */
export function invalidParameter(): Response {
  return Response.json({ data: null, error: { code: "invalid_parameter" } }, { status: 400 });
}

/** The range that a search asks for, in milliseconds since 1970; `null` if it cannot be read. */
export function rangeOf(request: Request): { from: number; to: number } | null {
  const { searchParams } = new URL(request.url);
  const from = Date.parse(searchParams.get("starts_at") ?? "0001-01-01");
  const to = Date.parse(searchParams.get("ends_at") ?? "9999-12-31");
  return Number.isNaN(from) || Number.isNaN(to) ? null : { from, to };
}

/** Finds by a look at every event. */
export function findByFilter(
  events: readonly ArrayEvent[],
  from: number,
  to: number,
): SearchResult[] {
  return events.filter(({ start, end }) => start >= from && end <= to).map(({ result }) => result);
}

/** Finds by bisection, and a look at those that start within the range. */
export function findByIndex(
  events: readonly ArrayEvent[],
  from: number,
  to: number,
): SearchResult[] {
  let low = 0, high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].start < from) low = middle + 1;
    else high = middle;
  }
  const found: SearchResult[] = [];
  // None of the workload's events ends before it starts.
  for (; low < events.length && events[low].start <= to; low++) {
    if (events[low].end <= to) found.push(events[low].result);
  }
  return found;
}
