/**
 * Seconds since the feed that was read longest ago was last read. One that was never read counts from the start, or else
 * a provider that has failed from the beginning would not be noticed beside others that answer.
 *
 * @param readAt When each feed was last read, in milliseconds since 1970; `undefined` for never
 * @returns `null` when none ever was
 */
export function oldestAgeSeconds(
  readAt: readonly (number | undefined)[],
  startedAt: number,
  now: number,
): number | null {
  if (readAt.every((at) => at === undefined)) return null;
  return (now - Math.min(...readAt.map((at) => at ?? startedAt))) / 1_000;
}
