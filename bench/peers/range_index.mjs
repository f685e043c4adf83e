/**
 * The index that the servers in JavaScript search, as one would write it by hand: a sorted array and a binary search.
 *
 * @module
 */

/**
 * @typedef {{ start: number, end: number, result: Record<string, string> }} IndexedEvent With its start and end in milliseconds
 */

/**
 * @param {Record<string, string>[]} results Search results in the order of answers
 * @returns {IndexedEvent[]}
 */
export function indexResults(results) {
  return results.map((result) => {
    const start = Date.parse(`${result.start_date}T${result.start_time}Z`);
    const end = result.end_date === null
      ? start
      : Date.parse(`${result.end_date}T${result.end_time}Z`);
    return { start, end, result };
  });
}

/**
 * The dates of a search, in milliseconds; NaN for what is no date.
 *
 * @param {string} url
 */
export function readRange(url) {
  const query = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  return {
    from: Date.parse(query.get("starts_at") ?? "0001-01-01"),
    until: Date.parse(query.get("ends_at") ?? "9999-12-31"),
  };
}

/**
 * The body of the answer to a search, as an object.
 *
 * @param {IndexedEvent[]} events In the order of answers
 * @param {number} from
 * @param {number} until
 */
export function findEvents(events, from, until) {
  let low = 0, high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].start < from) low = middle + 1;
    else high = middle;
  }
  const found = [];
  // None of the workload's events ends before it starts.
  for (; low < events.length && events[low].start <= until; low++) {
    if (events[low].end <= until) found.push(events[low].result);
  }
  return { data: { events: found }, error: null };
}
