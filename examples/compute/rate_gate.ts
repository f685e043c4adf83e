import { ClientAddresses } from "../../limits/client_address.ts";
import { RateLimiter, type RateLimiterMemory } from "../../limits/rate_limiter.ts";
import { rateRefusal } from "../../limits/rate_refusal.ts";
import { type FastRequest, type Gate, HeadTemplate } from "../../native/mod.ts";
import { ApiError, errorReply } from "./reply.ts";
import { send } from "./send.ts";

/**
 * Lets each client through so many times a second, and answers 429 to the rest. /health is always answered.
 *
 * @param memory Shared by all threads
 * @param now Their clock, in milliseconds
 */
export function rateGate(memory: RateLimiterMemory, now: () => number): Gate {
  const limiter = new RateLimiter(memory);
  const clients = new ClientAddresses([], memory.seed);
  const { code, message, headers } = rateRefusal(memory, "client");
  const reply = errorReply(new ApiError(429, code, message, headers));
  const head = new HeadTemplate(429, "Too Many Requests", reply.headers);
  const isHealth = (request: FastRequest) =>
    request.text(request.targetStart, request.pathEnd) === "/health";
  return {
    identify: (hostname) => clients.identify(hostname),
    admits: (request, client) => isHealth(request) || limiter.admits(client, now()),
    refuse: (request, answer) => send(request, answer, head, reply.body),
  };
}
