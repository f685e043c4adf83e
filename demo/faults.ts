/**
 * The ways in which the provider can fail: their names, and the bodies that they send.
 *
 * @module
 */

import type { Vocabulary } from "./feed.ts";
import { LATENCY_MS_MAX, LATENCY_MS_MIN, WAIT_MS_MAX } from "./limits.ts";
import { draw, mix } from "./random.ts";

/** The name of a fault, or `none`. */
export type FaultName =
  | "none"
  | "unavailable"
  | "latency"
  | "hang"
  | "cut"
  | "malformed"
  | "html"
  | "doctype"
  | "gzip-bomb"
  | "empty"
  | "drip"
  | "flaky";

/** Each fault with what a client sees of it. */
export const FAULTS: Readonly<Record<FaultName, string>> = {
  none: "the feed, at once",
  unavailable: "503 with an empty body",
  latency: "the feed, after 0.2 to 4.2 s",
  hang: "200 and headers, then nothing for 120 s",
  cut: "the feed breaks off in the middle, with a clean end of the body (?cut=reset: without)",
  malformed: "an end tag in the middle that does not match",
  html: "200 with a maintenance page",
  doctype: "a DOCTYPE whose entities expand a billion times",
  "gzip-bomb": "1 MB of gzip that inflates to more than 1 GiB",
  empty: "a feed that lists nothing",
  drip: "a few bytes a second, for 120 s",
  flaky: "as the live endpoint: 64 % as latency, 36 % as unavailable, all after 0.2 to 4.2 s",
};

/** The names of all faults, `none` first. */
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** Of a hundred requests, so many succeed while the fault is `flaky`. */
const FLAKY_SUCCESSES_PERCENT = 64;
const DRIP_BYTES = 2;
const DRIP_INTERVAL_MS = 500;

/**
 * How long a request waits under the faults `latency` and `flaky`, and whether `flaky` lets it
 * succeed: the same for the same request of the same seed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * let successes = 0;
 * for (let request = 1; request <= 1_000; request++) successes += Number(fortune(1, request).isUp);
 * assertEquals(Math.round(successes / 100), 6);
 * ```
 *
 * @param seed The season's seed.
 * @param request The number of the request.
 */
export function fortune(seed: number, request: number): { delayMs: number; isUp: boolean } {
  const hash = mix(seed, request);
  return {
    delayMs: LATENCY_MS_MIN + draw(hash, 1, LATENCY_MS_MAX - LATENCY_MS_MIN + 1),
    isUp: draw(hash, 2, 100) < FLAKY_SUCCESSES_PERCENT,
  };
}

/**
 * The pieces of a feed up to the middle of one of them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals([...cutShort(["<list>", "<item/>", "</list>"], 1)].join(""), "<list><i");
 * ```
 *
 * @param pieces The pieces of the feed.
 * @param at Which piece to break off in.
 * @param failure Thrown where the pieces end, if given.
 */
export function* cutShort(
  pieces: Iterable<string>,
  at: number,
  failure?: Error,
): Generator<string> {
  for (const piece of pieces) {
    if (at-- > 0) yield piece;
    else {
      yield piece.slice(0, Math.floor(piece.length / 2) - 1);
      if (failure) throw failure;
      return;
    }
  }
}

/**
 * The pieces of a feed with one end tag that matches nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals([...mismatch(["<list>", "<a></a>", "</list>"], 1)][1], "<a></un-a>");
 * ```
 *
 * @param pieces The pieces of the feed.
 * @param at Which piece to spoil; it must hold an end tag.
 */
export function* mismatch(pieces: Iterable<string>, at: number): Generator<string> {
  for (const piece of pieces) yield at-- === 0 ? piece.replace("</", "</un-") : piece;
}

/** A body that sends nothing until it is cancelled, the signal aborts, or 120 s have passed. */
export function hangingBody(signal: AbortSignal): ReadableStream<Uint8Array<ArrayBuffer>> {
  return slowBody(signal, async (wait, controller) => {
    await wait(WAIT_MS_MAX);
    controller.close();
  });
}

/** A body that sends a few bytes of a text every second, for 120 s at most. */
export function drippingBody(
  text: Iterable<string>,
  signal: AbortSignal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytesMax = DRIP_BYTES * WAIT_MS_MAX / DRIP_INTERVAL_MS;
  let start = "";
  for (const piece of text) if ((start += piece).length >= bytesMax) break;
  const bytes = new TextEncoder().encode(start).subarray(0, bytesMax);
  let sent = 0;
  return slowBody(signal, async (wait, controller) => {
    controller.enqueue(bytes.slice(sent, sent += DRIP_BYTES));
    await wait(DRIP_INTERVAL_MS);
    if (sent >= bytes.length || signal.aborted) controller.close();
  });
}

/** Waits for a time in milliseconds, or until the signal aborts. Never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** The page that some front server puts in place of the feed. */
export const MAINTENANCE_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Scheduled maintenance</title></head>
<body><h1>Back soon</h1><p>The box office is closed for maintenance.<br>Please try again later.</body>
</html>
`;

/** A feed whose one title is an entity that expands to 3 GB. */
export function billionLaughs(vocabulary: Vocabulary): string {
  const entities = ['<!ENTITY lol0 "lol">'];
  for (let level = 1; level <= 9; level++) {
    entities.push(`<!ENTITY lol${level} "${`&lol${level - 1};`.repeat(10)}">`);
  }
  const base = `base_${vocabulary}`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ${vocabulary}List [
${entities.join("\n")}
]>
<${vocabulary}List version="1.0">
<output><${base} ${base}_id="1" sell_mode="online" title="&lol9;"></${base}></output>
</${vocabulary}List>
`;
}

type Wait = (ms: number) => Promise<void>;

/** A body made by a function that may wait; cancelling it, as when the client leaves, ends the wait. */
function slowBody(
  signal: AbortSignal,
  pull: (wait: Wait, controller: ReadableStreamDefaultController) => Promise<void>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const cancelled = new AbortController();
  const ended = AbortSignal.any([signal, cancelled.signal]);
  return new ReadableStream({
    pull: (controller) => pull((ms) => pause(ms, ended), controller),
    cancel: () => cancelled.abort(),
  }, { highWaterMark: 0 });
}
