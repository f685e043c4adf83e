const MILLISECONDS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration as settings have it, such as 500ms, 30s, 5m or 1h.
 *
 * @returns Milliseconds, rounded
 * @throws {Error} If it is none, or out of bounds; the message says what to give
 */
export function parseDuration(text: string, minimumMs: number, maximumMs: number): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const milliseconds = match === null ? NaN : Number(match[1]) * MILLISECONDS[match[2]];
  if (milliseconds >= minimumMs && milliseconds <= maximumMs) return Math.round(milliseconds);
  throw new Error(
    `give a duration from ${minimumMs} ms to ${maximumMs / 1_000} s, such as 500ms, 30s, 5m or 1h`,
  );
}
