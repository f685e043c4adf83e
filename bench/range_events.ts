/**
 * The workload of the range benches: events over six years and searches for one day each, drawn from a fixed seed, so
 * that every run, and every process of a run, has the same.
 *
 * @module
 */
import { draw, mix } from "../demo/random.ts";
import {
  compareEvents,
  encodeEvent,
  type Event,
  formatDateTime,
  parseDateRange,
  search,
  summarizeEvent,
  toSearchResult,
} from "../domain/mod.ts";

/** How many events the benches are about; 100,000 of them lie in six years. */
export const EVENTS = 100_000;
/** How many events a quick run has. They lie as close together, so that its answers are as long. */
export const EVENTS_QUICK = 10_000;

const SEED = 7;
const MINUTE = 60;
const DAY = 86_400;
/** 2021-01-01T00:00:00. */
const FIRST_START = 1_609_459_200;
const MINUTES_PER_EVENT = 6 * 365 * 24 * 60 / EVENTS;
const DURATIONS_MINUTES = [60, 90, 120, 120, 180, 240];

/** How {@linkcode changedLines} changes events: editions go through these sets one after the other, round and round. */
export const CHANGE_SETS = 10;

/**
 * One event of the workload. Of 100, five take three days, one has no end and one no price; the titles of two hold
 * what JSON writers treat differently. No event ends before it starts.
 *
 * @param number From 0 to `count - 1`
 * @param count How many events there are; they are spread over a time in proportion
 * @param isChanged Whether it is the event as it is after a change: another price, and one in ten an hour later
 */
export function rangeEvent(number: number, count: number, isChanged = false): Event {
  const hash = mix(SEED, number);
  const isMoved = isChanged && draw(hash, 0, 10) === 0;
  const start = FIRST_START + draw(hash, 1, Math.round(count * MINUTES_PER_EVENT)) * MINUTE +
    (isMoved ? 60 * MINUTE : 0);
  const duration = draw(hash, 2, 20) === 0
    ? 3 * DAY
    : DURATIONS_MINUTES[draw(hash, 3, DURATIONS_MINUTES.length)] * MINUTE;
  const cents = 500 + draw(hash, 4, 8_500) + (isChanged ? 100 : 0);
  const awkward = draw(hash, 5, 50) === 0 ? ': Rock & Soul <live>, "été" 🎭' : "";
  return {
    id: uuid(hash),
    provider: "bench",
    plan: {
      basePlanId: String(number),
      planId: "1",
      title: `Event number ${number} in concert${awkward}`,
      sellMode: "online",
      organizerCompanyId: null,
      start,
      end: draw(hash, 6, 100) === 0 ? null : start + duration,
      sellFrom: null,
      sellTo: null,
      soldOut: false,
      zones: draw(hash, 7, 100) === 0 ? [] : [cents, cents + 2_000].map((price, zone) => ({
        id: String(zone),
        capacity: 100,
        price: price / 100,
        name: "Stalls",
        numbered: true,
      })),
    },
    lastOnlinePlan: null,
    isHistory: false,
    firstSeen: 0,
    lastSeen: null,
    changes: [],
    changesDropped: 0,
  };
}

/** All events of the workload, in no order. */
export function rangeEvents(count: number): Event[] {
  return Array.from({ length: count }, (_, number) => rangeEvent(number, count));
}

/**
 * What an edition with 1 % of the events changed is published from: an event changes once in ten editions, and back in
 * the ten after these, so that every edition is different from the last.
 *
 * @param edition 1 for the first one after the events as {@linkcode rangeEvents} gives them
 */
export function changedEvents(edition: number, count: number): Event[] {
  const set = (edition - 1) % CHANGE_SETS;
  const isChanged = Math.floor((edition - 1) / CHANGE_SETS) % 2 === 0;
  const events: Event[] = [];
  for (let number = set; number < count; number += 100) {
    events.push(rangeEvent(number, count, isChanged));
  }
  return events;
}

/** Events as the store hands them to the catalogue. */
export function toLines(events: readonly Event[]): string[] {
  return events.map(encodeEvent);
}

/** Events as results of a search for everything: a JSON array, in the order of answers. */
export function toResultsJson(events: readonly Event[]): string {
  return JSON.stringify(visible(events).sort(compareEvents).map(toSearchResult));
}

/** Searches for one day each, by any minute at which an event may start. */
export function rangePaths(requests: number, count: number): string[] {
  return Array.from({ length: requests }, (_, number) => {
    const minute = draw(mix(SEED + 1, number), 1, Math.round(count * MINUTES_PER_EVENT));
    const start = FIRST_START + minute * MINUTE;
    return `/search?starts_at=${formatDateTime(start)}Z&ends_at=${formatDateTime(start + DAY)}Z`;
  });
}

/** The bodies that searches must be answered with, by the definition of a search in domain/. */
export function expectedAnswers(events: readonly Event[], paths: readonly string[]): string[] {
  const summaries = visible(events);
  return paths.map((path) => {
    const { searchParams } = new URL(path, "http://localhost");
    const range = parseDateRange(searchParams.get("starts_at"), searchParams.get("ends_at"));
    const found = search(summaries, range).map(toSearchResult);
    return JSON.stringify({ data: { events: found }, error: null });
  });
}

function visible(events: readonly Event[]) {
  return events.map((event) => summarizeEvent(event, "latest")).filter((event) => event !== null);
}

/** A name-based UUID in form, drawn like the rest. */
function uuid(hash: number): string {
  const hex = [10, 11, 12, 13].map((field) => mix(hash, field).toString(16).padStart(8, "0")).join(
    "",
  );
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${
    hex.slice(20)
  }`;
}
