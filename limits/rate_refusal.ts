import type { RateLimits } from "./rate_limiter.ts";

/** What a request over a rate is answered, with status 429. */
export interface RateRefusal {
  code: "rate_limited";
  message: string;
  /**
   * Retry-After (RFC 9110 section 10.2.3), RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10), and
   * the three fields that clients know from the drafts before.
   */
  headers: Record<string, string>;
}

/** A bucket holds a second's tokens: after one there are some. */
const WAIT_SECONDS = 1;

/** What the refusal by a limit says. */
export function rateRefusal(limits: RateLimits, by: "all" | "client"): RateRefusal {
  const rate = by === "all" ? limits.rate : limits.ratePerClient;
  const whose = by === "all" ? "of all clients" : "of one client";
  return {
    code: "rate_limited",
    message: `more than ${rate} requests a second ${whose}: try again in a second`,
    headers: {
      "retry-after": String(WAIT_SECONDS),
      "ratelimit-policy": `"${by}";q=${rate};w=1`,
      "ratelimit": `"${by}";r=0;t=${WAIT_SECONDS}`,
      "ratelimit-limit": String(rate),
      "ratelimit-remaining": "0",
      "ratelimit-reset": String(WAIT_SECONDS),
    },
  };
}
