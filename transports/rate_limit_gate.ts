import { ClientAddresses, parseAddressRange, TRUSTED_PROXY } from "../limits/client_address.ts";
import { RateLimiter, type RateLimiterMemory } from "../limits/rate_limiter.ts";
import { rateRefusal } from "../limits/rate_refusal.ts";
import { type FastAnswer, type FastRequest, HeadTemplate } from "../native/fast_route.ts";
import type { Gate } from "../native/gate.ts";
import { HttpError } from "../routes/http_error.ts";
import { errorReply } from "../routes/reply.ts";
import type { RequestIds } from "./request_ids.ts";

/** What limits rates, as threads are told of it. */
export interface RateLimitData extends RateLimiterMemory {
  /** Addresses and ranges of proxies whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[];
}

/** Paths that are answered at any rate: what orchestrators and load balancers ask. */
const UNLIMITED_PATHS: readonly string[] = ["/health", "/ready"];
const FORWARDED_FOR = "x-forwarded-for";

/** The limiter of one thread, and how it tells clients apart. */
export class RateLimit {
  readonly limiter: RateLimiter;
  readonly clients: ClientAddresses;
  readonly #data: RateLimitData;

  constructor(data: RateLimitData) {
    this.#data = data;
    this.limiter = new RateLimiter(data);
    this.clients = new ClientAddresses(data.trustedProxies.map(parseAddressRange), data.seed);
  }

  /** Whether clients have to be told apart. */
  get isPerClient(): boolean {
    return this.#data.ratePerClient !== null;
  }

  /** What a request that was not let through is answered. */
  refusal(by = this.limiter.refusedBy): HttpError {
    const { code, message, headers } = rateRefusal(this.#data, by);
    return new HttpError(429, code, message, { headers });
  }

  /** What a request of Deno.serve is answered if it is over a rate; else `null`. */
  refuse(request: Request, path: string, remoteAddr: Deno.Addr): HttpError | null {
    if (UNLIMITED_PATHS.includes(path)) return null;
    let client = 0;
    if (this.isPerClient) {
      client = this.clients.identify("hostname" in remoteAddr ? remoteAddr.hostname : "");
      if (client === TRUSTED_PROXY) {
        client = this.clients.identifyForwarded(request.headers.get(FORWARDED_FOR) ?? "");
      }
    }
    return this.limiter.admits(client, performance.now()) ? null : this.refusal();
  }
}

/** What a refusal looks like in a listener thread. */
interface Refusal {
  head: HeadTemplate;
  body: string;
}

/** Limits rates inside a listener thread, before any route. */
export class RateLimitGate implements Gate {
  readonly identify?: (hostname: string) => number;
  readonly #limit: RateLimit;
  readonly #requestIds: RequestIds;
  readonly #turnStart: () => number;
  readonly #refusals: Record<"all" | "client", Refusal>;

  /** @param turnStart The clock, as {@linkcode ThreadContext.turnStart} */
  constructor(data: RateLimitData, requestIds: RequestIds, turnStart: () => number) {
    this.#limit = new RateLimit(data);
    this.#requestIds = requestIds;
    this.#turnStart = turnStart;
    if (this.#limit.isPerClient) {
      this.identify = (hostname) => this.#limit.clients.identify(hostname);
    }
    this.#refusals = {
      all: asRefusal(this.#limit.refusal("all")),
      client: asRefusal(this.#limit.refusal("client")),
    };
  }

  admits(request: FastRequest, client: number): boolean {
    if (isUnlimited(request)) return true;
    const { limiter, clients } = this.#limit;
    const asking = client === TRUSTED_PROXY
      ? clients.identifyForwarded(request.fieldText(FORWARDED_FOR))
      : client;
    return limiter.admits(asking, this.#turnStart());
  }

  refuse(request: FastRequest, answer: FastAnswer): void {
    const { head, body } = this.#refusals[this.#limit.limiter.refusedBy];
    answer.begin(head);
    this.#requestIds.write(request, answer);
    answer.endHead(body.length);
    answer.writeText(body);
  }
}

function asRefusal(error: HttpError): Refusal {
  const { status, headers, body } = errorReply(error);
  return {
    head: new HeadTemplate(status, "Too Many Requests", headers),
    body: new TextDecoder().decode(body as Uint8Array),
  };
}

function isUnlimited(request: FastRequest): boolean {
  const { targetStart, pathEnd } = request;
  for (const path of UNLIMITED_PATHS) {
    // Text is only made of a path that is as long.
    if (pathEnd - targetStart === path.length && request.text(targetStart, pathEnd) === path) {
      return true;
    }
  }
  return false;
}
