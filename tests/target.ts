/**
 * What a suite is run against: a service, wherever it runs, that polls a feed which the test sets.
 *
 * @module
 */
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { FeedServer } from "./feed_server.ts";
import { Service, WAIT_MS_MAX } from "./service.ts";

/** The addresses of a service and the feed that it polls. */
export interface Target extends AsyncDisposable {
  /** The base of the public routes, without a slash at its end. */
  readonly url: string;
  /** The base of the admin routes. */
  readonly adminUrl: string;
  /** The only provider of the service. */
  readonly feed: FeedServer;
  /** What admin POSTs need, where the service has ADMIN_TOKEN. */
  readonly adminToken: string | null;
  /** The service's PROVIDER_MAX_BYTES, where it is small enough to be tried. */
  readonly feedBytesMax: number | null;
}

/** One poll as POST /poll and GET /polls tell it. */
export interface Poll {
  provider: string;
  outcome: string;
  attempts: number;
  bytes: number;
  plans: number;
  added: number;
  changed: number;
  unlisted: number;
  rejected: number;
  duplicates: number;
  version: number;
  error: { code: string; message: string } | null;
}

/**
 * A service to test: a new one, or the one that MARQUEE_URL names. That one must be freshly started on an empty
 * store with POLL_INTERVAL=24h, PROVIDER_URL=http://127.0.0.1:$MARQUEE_FEED_PORT/feed (as seen from it) and nothing
 * listening there yet; MARQUEE_ADMIN_URL and, if it has one, MARQUEE_ADMIN_TOKEN name its admin port.
 */
export async function openTarget(settings: Record<string, string> = {}): Promise<Target> {
  const url = Deno.env.get("MARQUEE_URL");
  if (url !== undefined) {
    const port = Number(Deno.env.get("MARQUEE_FEED_PORT"));
    const adminUrl = Deno.env.get("MARQUEE_ADMIN_URL");
    if (!(port > 0) || adminUrl === undefined) {
      throw new Error("with MARQUEE_URL give MARQUEE_ADMIN_URL and MARQUEE_FEED_PORT as well");
    }
    const feed = new FeedServer(port);
    return await pollingNothing({
      url: url.replace(/\/$/, ""),
      adminUrl: adminUrl.replace(/\/$/, ""),
      feed,
      adminToken: Deno.env.get("MARQUEE_ADMIN_TOKEN") ?? null,
      feedBytesMax: null,
      [Symbol.asyncDispose]: () => feed[Symbol.asyncDispose](),
    });
  }
  const feed = new FeedServer();
  const feedBytesMax = 4_000_000;
  const service = await Service.start({
    settings: {
      PROVIDER_URL: feed.url,
      PROVIDER_TIMEOUT: "5s",
      PROVIDER_MAX_BYTES: String(feedBytesMax),
      ...settings,
    },
  });
  return await pollingNothing({
    url: service.url,
    adminUrl: service.adminUrl!,
    feed,
    adminToken: settings.ADMIN_TOKEN ?? null,
    feedBytesMax,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await feed[Symbol.asyncDispose]();
    },
  });
}

/** Waits for the poll with which a service starts, so that the next one begins after whatever a test sets. */
async function pollingNothing(target: Target): Promise<Target> {
  await pollOnce(target);
  return target;
}

/** Sends an admin POST. */
export function adminPost(
  { adminUrl, adminToken }: Pick<Target, "adminUrl" | "adminToken">,
  path: string,
): Promise<Response> {
  const headers: HeadersInit = adminToken === null ? {} : { authorization: `Bearer ${adminToken}` };
  return fetch(adminUrl + path, { method: "POST", headers });
}

/**
 * Polls now; searches must show at once what came of it. A poll that is under way already is joined, so
 * what the feed says must have been set before the last poll ended.
 */
export async function pollOnce(
  target: Pick<Target, "url" | "adminUrl" | "adminToken">,
): Promise<Poll> {
  const response = await adminPost(target, "/poll");
  const { data } = await response.json();
  assertEquals(response.status, 200);
  assertEquals(data.polls.length, 1, JSON.stringify(data));
  const [poll] = data.polls as Poll[];
  assertGreaterOrEqual(await versionOf(target.url), poll.version, "the answer came too early");
  return poll;
}

/** The version that searches are answered from; -1 while there is none. */
export async function versionOf(url: string): Promise<number> {
  const response = await fetch(`${url}/search?limit=1`);
  await response.body?.cancel();
  return response.status === 200 ? Number(response.headers.get("x-catalogue-version")) : -1;
}

/** An event as searches show it. */
export interface FoundEvent {
  id: string;
  title: string;
  start_date: string;
  start_time: string;
  end_date: string | null;
  end_time: string | null;
  min_price: number | null;
  max_price: number | null;
}

/** The events that a search finds. */
export async function searchFor(url: string, query = ""): Promise<FoundEvent[]> {
  const response = await fetch(`${url}/search?${query}`);
  const body = await response.json();
  assertEquals(response.status, 200, JSON.stringify(body));
  assertEquals(body.error, null);
  return body.data.events;
}

/** The id of an event, worked out here from its definition: UUIDv5 of `base_plan_id:plan_id`. */
export async function idOf(basePlanId: string, planId: string): Promise<string> {
  const namespace = "a1c7f1f0-5d0e-4b52-9a39-6f2c1d9e7b34".replaceAll("-", "");
  const name = new TextEncoder().encode(`${basePlanId}:${planId}`);
  const bytes = new Uint8Array(16 + name.length);
  for (let i = 0; i < 16; i++) bytes[i] = parseInt(namespace.slice(i * 2, i * 2 + 2), 16);
  bytes.set(name, 16);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).subarray(0, 16);
  hash[6] = (hash[6] & 0x0f) | 0x50;
  hash[8] = (hash[8] & 0x3f) | 0x80;
  const hex = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Resolves when a condition holds, which must be within {@linkcode WAIT_MS_MAX}. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  for (const end = performance.now() + WAIT_MS_MAX; !await condition();) {
    if (performance.now() > end) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
