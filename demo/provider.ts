/**
 * The demo provider: what it answers to each request.
 *
 * @module
 */

import {
  billionLaughs,
  cutShort,
  drippingBody,
  FAULT_NAMES,
  type FaultName,
  FAULTS,
  fortune,
  hangingBody,
  MAINTENANCE_PAGE,
  mismatch,
  pause,
} from "./faults.ts";
import {
  encodeFeed,
  feedHead,
  feedTail,
  renderFeed,
  VOCABULARIES,
  type Vocabulary,
} from "./feed.ts";
import { gzipBomb } from "./gzip_bomb.ts";
import {
  BAD_PLANS_MAX,
  BOMB_MEBIBYTES,
  EARLIEST_INSTANT_MS,
  LATENCY_SCALE_MAX,
  PLANS_MAX,
  SEASON_SPEED_MAX,
  STEP_MS,
} from "./limits.ts";
import { createSeason } from "./season.ts";

/** What a demo provider may be told; everything is optional. */
export interface DemoProviderOptions {
  /** How many plans the feed lists, from 0 to 1,000,000; 600 unless given. */
  plans?: number;
  /** Another seed is another season; a whole number from 0 to 2^32 - 1, 1 unless given. */
  seed?: number;
  /** The vocabulary of the feed: `plan` unless given, or `event`, the older one. */
  vocabulary?: Vocabulary;
  /** How the feed fails at first; `none` unless given. */
  fault?: FaultName;
  /** The clock that the season goes by; the system's unless given. Not before 2016. */
  now?: () => Date;
  /** How many plans cannot be read, from 0 to 1,000 or what `plans` has room for; 3 unless given. */
  badPlans?: number;
  /**
   * The fraction of plans whose prices change with each step of ten minutes, some of them with dates
   * and titles; 0.005 unless given. With 0 the season is frozen, and no step changes anything.
   */
  changeShare?: number;
  /**
   * How many times faster than the clock the season goes, from when the provider was made; 1 unless
   * given. With 0 the clock is frozen, and only `advance` moves the season.
   */
  seasonSpeed?: number;
  /** What the delays of the faults `latency` and `flaky` are multiplied with; 1 unless given. */
  latencyScale?: number;
  /** Ends every wait of the faults `latency`, `flaky`, `hang` and `drip`. */
  signal?: AbortSignal;
}

/** A provider to send requests to, without a socket. */
export interface DemoProvider {
  /** Answers a request. Fits `Deno.serve`; may be taken off the object. */
  handler(request: Request): Response | Promise<Response>;
  /** Sets the fault of all requests for the feed that do not name one. */
  setFault(fault: FaultName): void;
  /** Moves the season on by one step of ten minutes. */
  advance(): void;
  /** The number of requests for the feed so far, whatever they were answered. */
  readonly requests: number;
}

/** What one request for the feed gets. */
interface Order {
  plans: number;
  seed: number;
  vocabulary: Vocabulary;
  badPlans: number;
  fault: FaultName;
  /** The instant of the season, in steps of STEP_MS since 1970. */
  step: number;
}

/**
 * Makes a provider.
 *
 * The routes: `GET /feed` is the feed, `GET /fault` tells the fault, `PUT` or `POST /fault/NAME` sets
 * it, and `GET /` explains. `/feed` takes, for one request, `fault`, `plans`, `vocabulary`, `bad` (the
 * number of bad plans), `cut=reset` and `gzip=1`. Without a fault it honours `If-None-Match` and
 * `If-Modified-Since`: within one step of the season the feed is the same to the byte.
 *
 * @example
 * ```ts
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 * const provider = createDemoProvider({ plans: 20, seed: 7 });
 * const feed = await provider.handler(new Request("http://demo/feed"));
 * assertStringIncludes(await feed.text(), '<base_plan base_plan_id="1591"');
 * provider.setFault("unavailable");
 * assertEquals((await provider.handler(new Request("http://demo/feed"))).status, 503);
 * assertEquals(provider.requests, 2);
 * ```
 *
 * @param options What differs from the usual.
 * @throws {RangeError} If an option is out of range; the message names it and what it may be.
 */
export function createDemoProvider(options: DemoProviderOptions = {}): DemoProvider {
  const usual: Omit<Order, "step"> = {
    plans: whole("plans", options.plans ?? 600, PLANS_MAX),
    seed: whole("seed", options.seed ?? 1, 2 ** 32 - 1),
    vocabulary: oneOf("vocabulary", options.vocabulary ?? "plan", VOCABULARIES),
    badPlans: whole("badPlans", options.badPlans ?? 3, BAD_PLANS_MAX),
    fault: oneOf("fault", options.fault ?? "none", FAULT_NAMES),
  };
  const changeShare = between("changeShare", options.changeShare ?? 0.005, 1);
  const seasonSpeed = between("seasonSpeed", options.seasonSpeed ?? 1, SEASON_SPEED_MAX);
  const latencyScale = between("latencyScale", options.latencyScale ?? 1, LATENCY_SCALE_MAX);
  const now = options.now ?? (() => new Date());
  const endOfWaits = options.signal ?? new AbortController().signal;
  const madeAt = instant();
  let advanced = 0;
  let requests = 0;

  function instant(): number {
    const ms = now().getTime();
    if (ms >= EARLIEST_INSTANT_MS) return ms;
    throw new RangeError(`now() is before 2016 (${ms} ms): give a clock that is not`);
  }

  function step(): number {
    if (changeShare === 0) return Math.floor(madeAt / STEP_MS);
    return Math.floor((madeAt + (instant() - madeAt) * seasonSpeed) / STEP_MS) + advanced;
  }

  function feed(request: Request, query: URLSearchParams): Response | Promise<Response> {
    const number = ++requests;
    const order: Order = {
      plans: whole("plans", parameter(query, "plans") ?? usual.plans, PLANS_MAX),
      seed: usual.seed,
      vocabulary: oneOf("vocabulary", query.get("vocabulary") ?? usual.vocabulary, VOCABULARIES),
      badPlans: whole("bad", parameter(query, "bad") ?? usual.badPlans, BAD_PLANS_MAX),
      fault: oneOf("fault", query.get("fault") ?? usual.fault, FAULT_NAMES),
      step: step(),
    };
    const { vocabulary, fault } = order;
    const season = createSeason({ ...order, changeShare });
    const pieces = renderFeed(season, vocabulary);
    const middle = 1 + Math.floor(season.basePlanCount / 2);
    const { delayMs, isUp } = fortune(usual.seed, number);
    const delay = () => pause(delayMs * latencyScale, endOfWaits);

    switch (fault) {
      case "none":
        return conditionally(request, query, order, pieces);
      case "unavailable":
        return unavailable();
      case "latency":
        return delay().then(() => xml(encodeFeed(pieces)));
      case "flaky":
        return delay().then(() => isUp ? xml(encodeFeed(pieces)) : unavailable());
      case "hang":
        return xml(hangingBody(endOfWaits));
      case "drip":
        return xml(drippingBody(pieces, endOfWaits));
      case "cut": {
        const failure = query.get("cut") === "reset" ? connectionReset() : undefined;
        return xml(encodeFeed(cutShort(pieces, middle, failure)));
      }
      case "malformed":
        return xml(encodeFeed(mismatch(pieces, middle)));
      case "html":
        return new Response(MAINTENANCE_PAGE, {
          headers: { "content-type": "text/html; charset=utf-8" },
        });
      case "doctype":
        return xml(billionLaughs(vocabulary));
      case "gzip-bomb": {
        const bomb = gzipBomb(feedHead(vocabulary), BOMB_MEBIBYTES, feedTail(vocabulary));
        return xml(bomb, { "content-encoding": "gzip" });
      }
      case "empty":
        return xml(`<${vocabulary}List><output></output></${vocabulary}List>`);
    }
  }

  function conditionally(
    request: Request,
    query: URLSearchParams,
    { plans, seed, vocabulary, badPlans, step }: Order,
    pieces: Iterable<string>,
  ): Response {
    const isGzip = query.get("gzip") === "1" && accepts(request, "gzip");
    const parts = [seed, plans, badPlans, changeShare, vocabulary, step, isGzip ? "gzip" : "xml"];
    const tag = `"${parts.join("-")}"`;
    const modified = step * STEP_MS;
    const headers: Record<string, string> = {
      "etag": tag,
      "last-modified": new Date(modified).toUTCString(),
      ...(query.has("gzip") && { "vary": "accept-encoding" }),
    };
    if (isUnchanged(request, tag, modified)) return new Response(null, { status: 304, headers });
    const body = encodeFeed(pieces);
    if (!isGzip) return xml(body, headers);
    const gzip = body.pipeThrough(new CompressionStream("gzip"));
    return xml(gzip, { ...headers, "content-encoding": "gzip" });
  }

  function setFault(fault: FaultName): void {
    usual.fault = oneOf("fault", fault, FAULT_NAMES);
  }

  function handler(request: Request): Response | Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const route = pathname.startsWith("/fault/") ? "/fault/NAME" : pathname;
    const methods = METHODS[route];
    if (!methods) return text(404, `there is no ${pathname} here; GET / tells what there is`);
    if (!methods.includes(request.method)) {
      return text(405, `${pathname} takes ${methods.join(", ")}`, { allow: methods.join(", ") });
    }
    try {
      if (route === "/feed") return forMethod(request, feed(request, searchParams));
      if (route === "/fault/NAME") setFault(pathname.slice("/fault/".length) as FaultName);
      return text(200, route === "/" ? EXPLANATION : usual.fault);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return text(route === "/fault/NAME" ? 404 : 400, error.message);
    }
  }

  return {
    handler,
    setFault,
    advance: () => void advanced++,
    get requests() {
      return requests;
    },
  };
}

const METHODS: Record<string, string[] | undefined> = {
  "/": ["GET", "HEAD"],
  "/feed": ["GET", "HEAD"],
  "/fault": ["GET", "HEAD"],
  "/fault/NAME": ["PUT", "POST"],
};

const EXPLANATION = `The demo provider of Marquee: a season of invented events as an XML feed.

GET /feed         the feed; for one request: ?fault=NAME ?plans=N ?vocabulary=plan|event
                  ?bad=N (plans that cannot be read) ?gzip=1 (gzip, if accepted)
GET /fault        the fault that all requests suffer
PUT /fault/NAME   sets it

${FAULT_NAMES.map((name) => `${name.padEnd(12)} ${FAULTS[name]}`).join("\n")}
`;

function xml(body: BodyInit, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    headers: { "content-type": "application/xml; charset=utf-8", ...headers },
  });
}

function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(message.trimEnd() + "\n", { status, headers });
}

/** Deno.serve logs the errors of bodies; this one is wanted, so its first line is enough. */
function connectionReset(): Error {
  return Object.assign(new Error("connection reset, as the fault cut=reset wants"), { stack: "" });
}

function unavailable(): Response {
  return new Response(null, { status: 503 });
}

/** The answer to HEAD is the answer to GET without its body. */
async function forMethod(
  request: Request,
  answer: Response | Promise<Response>,
): Promise<Response> {
  const response = await answer;
  if (request.method !== "HEAD") return response;
  await response.body?.cancel();
  return new Response(null, response);
}

function accepts(request: Request, coding: string): boolean {
  const offers = (request.headers.get("accept-encoding") ?? "").toLowerCase().split(",");
  return offers.some((offer) => {
    const [name, weight] = offer.split(";").map((part) => part.trim());
    return name === coding && !/^q=0(\.0*)?$/.test(weight ?? "");
  });
}

/** If-None-Match decides where it is given, else If-Modified-Since, in whole seconds. */
function isUnchanged(request: Request, tag: string, modified: number): boolean {
  const tags = request.headers.get("if-none-match");
  if (tags !== null) {
    return tags.split(",").some((known) => ["*", tag].includes(known.trim().replace(/^W\//, "")));
  }
  return modified <= Date.parse(request.headers.get("if-modified-since") ?? "");
}

function parameter(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  return value === null ? undefined : /^\d+$/.test(value) ? Number(value) : NaN;
}

function whole(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new RangeError(`${name} is ${value}: give a whole number from 0 to ${max}`);
}

function between(name: string, value: number, max: number): number {
  if (value >= 0 && value <= max) return value;
  throw new RangeError(`${name} is ${value}: give a number from 0 to ${max}`);
}

function oneOf<T extends string>(name: string, value: string, list: readonly T[]): T {
  if (list.includes(value as T)) return value as T;
  throw new RangeError(`${name} is "${value}": give one of ${list.join(", ")}`);
}
