import { compareEvents, effectiveEnd, type EventSummary, toSearchResult } from "../domain/mod.ts";
import { Edition, type EditionColumns } from "./edition.ts";

const encoder = new TextEncoder();
/** What room is made for at first; more is made when fragments are longer. */
const FRAGMENT_BYTES_TYPICAL = 256;

/** An edition without events. */
export const EMPTY_COLUMNS: EditionColumns = {
  ids: [],
  starts: new Float64Array(0),
  ends: new Float64Array(0),
  offsets: new Float64Array(1),
  bytes: new Uint8Array(0),
};

/**
 * Builds the next edition beside the last one: fragments of unchanged events are copied in runs, only changed events
 * are rendered.
 *
 * @param previous The columns of the last edition; untouched
 * @param changed By id: the events whose place or fragment in `previous` no longer counts
 * @param visible The changed events that are visible now; sorted in place
 */
export function buildEdition(
  version: number,
  etag: string,
  previous: EditionColumns,
  changed: ReadonlyMap<string, unknown>,
  visible: EventSummary[],
): Edition {
  visible.sort(compareEvents);
  const sizeMax = previous.ids.length + visible.length;
  const ids: string[] = [];
  const starts = new Float64Array(sizeMax);
  const ends = new Float64Array(sizeMax);
  const offsets = new Float64Array(sizeMax + 1);
  let bytes = new Uint8Array(previous.bytes.length + visible.length * FRAGMENT_BYTES_TYPICAL);

  let length = 0, next = 0;
  const place = { start: 0, end: 0, id: "" };
  const add = (id: string, start: number, end: number, fragment: number) => {
    starts[ids.length] = start;
    ends[ids.length] = end;
    length += fragment;
    offsets[ids.push(id)] = length;
  };
  const reserve = (room: number) => {
    if (length + room <= bytes.length) return;
    bytes = new Uint8Array(bytes.buffer.transfer(Math.ceil((length + room) * 1.1)));
  };
  const addVisible = () => {
    const event = visible[next++];
    const fragment = JSON.stringify(toSearchResult(event)) + ",";
    reserve(fragment.length * 3);
    const { written } = encoder.encodeInto(fragment, bytes.subarray(length));
    add(event.id, event.start, effectiveEnd(event), written);
  };
  for (let i = 0; i < previous.ids.length;) {
    // A run: old events up to the next one that changed, or that a changed one comes before.
    const from = i;
    const runStart = length;
    for (; i < previous.ids.length; i++) {
      place.id = previous.ids[i];
      if (changed.has(place.id)) break;
      place.start = previous.starts[i];
      place.end = previous.ends[i];
      if (next < visible.length && compareEvents(visible[next], place) < 0) break;
      add(place.id, place.start, place.end, previous.offsets[i + 1] - previous.offsets[i]);
    }
    reserve(0);
    bytes.set(previous.bytes.subarray(previous.offsets[from], previous.offsets[i]), runStart);
    if (i < previous.ids.length) {
      if (changed.has(previous.ids[i])) i++;
      else addVisible();
    }
  }
  while (next < visible.length) addVisible();
  return new Edition(version, etag, {
    ids,
    starts: starts.slice(0, ids.length),
    ends: ends.slice(0, ids.length),
    offsets: offsets.slice(0, ids.length + 1),
    bytes: new Uint8Array(bytes.buffer.transfer(length)),
  });
}
