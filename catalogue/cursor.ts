import type { LocalDateTime } from "../domain/mod.ts";

/** The place of an event in the order of search results, and the version that the page before was taken from. */
export interface Cursor {
  version: number;
  start: LocalDateTime;
  /** The effective end: the event's end, or its start where it has none. */
  end: LocalDateTime;
  id: string;
}

const CURSOR = /^(\d{1,15})\.(-?\d{1,13})\.(-?\d{1,13})\.([0-9a-f-]{36})$/;

/**
 * Writes a cursor for a client to hand back. The next page holds what comes after that place, whatever happened
 * since, so an event that did not change is never skipped and never repeated.
 *
 * @example
 * ```ts
 * import { decodeCursor, encodeCursor } from "./cursor.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const cursor = { version: 3, start: 0, end: 60, id: "2ed6657d-e927-568b-95e1-2665a8aea6a2" };
 * assertEquals(decodeCursor(encodeCursor(cursor)), cursor);
 * ```
 */
export function encodeCursor({ version, start, end, id }: Cursor): string {
  return btoa(`${version}.${start}.${end}.${id}`).replaceAll("+", "-").replaceAll("/", "_")
    .replaceAll("=", "");
}

/**
 * Reads what {@linkcode encodeCursor} wrote.
 *
 * @returns `null` for anything else
 */
export function decodeCursor(text: string): Cursor | null {
  if (text.length > 200 || !/^[A-Za-z0-9_-]+$/.test(text)) return null;
  let plain: string;
  try {
    plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return null;
  }
  const match = CURSOR.exec(plain);
  if (match === null) return null;
  return {
    version: Number(match[1]),
    start: Number(match[2]),
    end: Number(match[3]),
    id: match[4],
  };
}
