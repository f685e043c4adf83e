/**
 * A small, bounded load from this process, to see how long answers take.
 *
 * @module
 */

/** How long answers took, in milliseconds, and what they were. */
export interface LoadResult {
  p50Ms: number;
  p99Ms: number;
  /** Answers by status. */
  statuses: Record<string, number>;
  /** The versions that answers were taken from. */
  versions: Set<string | null>;
}

/**
 * Asks for the URLs in turn, from several clients at once, each of which waits for its answer.
 *
 * @param urls One after the other, then again from the first
 */
export async function load(
  urls: readonly string[],
  options: { requests: number; clients: number },
): Promise<LoadResult> {
  const times = new Float64Array(options.requests);
  const statuses: Record<string, number> = {};
  const versions = new Set<string | null>();
  let next = 0;
  const client = async () => {
    for (let n = next++; n < options.requests; n = next++) {
      const started = performance.now();
      const response = await fetch(urls[n % urls.length]);
      await response.bytes();
      times[n] = performance.now() - started;
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
      versions.add(response.headers.get("x-catalogue-version"));
    }
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  times.sort();
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return {
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    statuses,
    versions,
  };
}
