/**
 * The feed: a season as XML, in either vocabulary, streamed.
 *
 * @module
 */

import type { BasePlan } from "./base_plan.ts";
import { CHUNK_CHARACTERS_MIN } from "./limits.ts";
import type { Season } from "./season.ts";

/** The vocabulary of the feed: elements named after plans, or, in the older one, after events. */
export type Vocabulary = "plan" | "event";

/** Every {@linkcode Vocabulary}. */
export const VOCABULARIES: readonly Vocabulary[] = ["plan", "event"];

/** The feed up to its first base plan. */
export function feedHead(vocabulary: Vocabulary): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${vocabulary}List version="1.0">\n<output>\n`;
}

/** The feed after its last base plan. */
export function feedTail(vocabulary: Vocabulary): string {
  return `</output>\n</${vocabulary}List>\n`;
}

/**
 * Renders a season, one piece of text for the head, one for each base plan, one for the tail.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const season = { basePlanCount: 0, *basePlans() {} };
 * assertEquals([...renderFeed(season, "event")].at(-1), "</output>\n</eventList>\n");
 * ```
 *
 * @param season What is on sale.
 * @param vocabulary The names of its elements.
 */
export function* renderFeed(season: Season, vocabulary: Vocabulary): Generator<string> {
  yield feedHead(vocabulary);
  for (const basePlan of season.basePlans()) yield renderBasePlan(basePlan, vocabulary);
  yield feedTail(vocabulary);
}

/**
 * Turns pieces of text into a stream of bytes, made as it is read, in chunks of about 64 kB. If
 * making a piece throws, the stream errors, after everything made before was handed out.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(await new Response(encodeFeed(["<a>", "é", "</a>"])).text(), "<a>é</a>");
 * ```
 *
 * @param pieces The text.
 * @returns The text in UTF-8.
 */
export function encodeFeed(pieces: Iterable<string>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = pieces[Symbol.iterator]();
  const encoder = new TextEncoder();
  let failure: { reason: unknown } | undefined;
  return new ReadableStream({
    pull(controller) {
      if (failure) return controller.error(failure.reason);
      let text = "";
      let done: boolean | undefined = false;
      try {
        while (!done && text.length < CHUNK_CHARACTERS_MIN) {
          const piece = iterator.next();
          done = piece.done;
          if (!done) text += piece.value;
        }
      } catch (reason) {
        failure = { reason };
      }
      if (text) controller.enqueue(encoder.encode(text));
      if (done) controller.close();
      else if (failure && !text) controller.error(failure.reason);
    },
  }, { highWaterMark: 0 });
}

function renderBasePlan(basePlan: BasePlan, vocabulary: Vocabulary): string {
  const { id, sellMode, title, organizerCompanyId, plans } = basePlan;
  let text = `<base_${vocabulary} base_${vocabulary}_id="${id}" sell_mode="${sellMode}" title="${
    escape(title)
  }"${organizerCompanyId === undefined ? "" : ` organizer_company_id="${organizerCompanyId}"`}>\n`;
  for (const { id, start, end, sellFrom, sellTo, soldOut, zones } of plans) {
    text += ` <${vocabulary}${id === undefined ? "" : ` ${vocabulary}_id="${id}"`}` +
      ` ${vocabulary}_start_date="${start}" ${vocabulary}_end_date="${end}"` +
      ` sell_from="${sellFrom}" sell_to="${sellTo}" sold_out="${soldOut}">\n`;
    for (const { id, capacity, price, name, numbered } of zones) {
      text += `  <zone zone_id="${id}" capacity="${capacity}" price="${price}"` +
        ` name="${escape(name)}" numbered="${numbered}"/>\n`;
    }
    text += ` </${vocabulary}>\n`;
  }
  return text + `</base_${vocabulary}>\n`;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escape(text: string): string {
  // The test is several times as quick as the replacement, and few texts need it.
  return /[&<>"]/.test(text) ? text.replace(/[&<>"]/g, (character) => ENTITIES[character]) : text;
}
