import { ClientAddresses } from "./client_address.ts";
import { RateLimiter } from "./rate_limiter.ts";
import { RATE_MAX } from "./limits.ts";

const memory = RateLimiter.allocate({ rate: RATE_MAX, ratePerClient: RATE_MAX }, 0);
const limiter = new RateLimiter(memory);
const addresses = new ClientAddresses([], memory.seed);
const clients = Array.from(
  { length: 10_000 },
  (_, n) => addresses.identify(`10.0.${n >> 8}.${n & 255}`),
);
const all = new RateLimiter(RateLimiter.allocate({ rate: RATE_MAX, ratePerClient: null }, 0));
let nowMs = 0, n = 0;

Deno.bench("a request is let through, one rate for all", { group: "rates" }, () => {
  // A thousand requests a millisecond, so that there are tokens.
  if (++n % 500 === 0) nowMs++;
  if (!all.admits(3, nowMs)) throw new Error("refused");
});

Deno.bench("a request is let through, a rate for each of 10,000 clients as well", {
  group: "rates",
}, () => {
  if (++n % 500 === 0) nowMs++;
  if (!limiter.admits(clients[n % clients.length], nowMs)) throw new Error("refused");
});

Deno.bench("an address becomes a client, once a connection", () => {
  addresses.identify("2001:db8:85a3::8a2e:370:7334");
});

Deno.bench("X-Forwarded-For becomes a client, once a request behind a proxy", () => {
  addresses.identifyForwarded("203.0.113.7, 198.51.100.2");
});
