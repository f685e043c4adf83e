/** The header fields of a healthy answer, by name. */
export const HEALTH_HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
} as const;

/** The body of a healthy answer; ASCII. */
export function healthText(version: string, startedAt: number): string {
  const uptime = Math.floor((Date.now() - startedAt) / 1_000);
  return JSON.stringify({ status: "healthy", version, uptime_seconds: uptime });
}
