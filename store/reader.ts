import type { Instant } from "../domain/mod.ts";
import { keys, type LogHeader, type VersionEntry } from "./keys.ts";
import { retrying, StoreError } from "./kv.ts";
import { READ_RESTARTS_MAX } from "./limits.ts";
import { LineBlocks } from "./line_blocks.ts";
import { linesOfChunk } from "./log_chunks.ts";
import type { CatalogueChange } from "./port.ts";
import { decodeValue } from "./value_codec.ts";

/** The chunks of one version, or `null` when its log was trimmed. */
export async function readVersionLog(
  kv: Deno.Kv,
  version: number,
): Promise<{ header: LogHeader; chunks: Uint8Array[] } | null> {
  const { value: header } = await retrying(
    "reading a log header",
    () => kv.get<LogHeader>(keys.log(version)),
  );
  if (header === null) return null;
  const chunks = await retrying("reading a log", async () => {
    const values: Uint8Array[] = [];
    // The end keeps out what a crashed attempt at this version may have left behind the last chunk.
    const range = { start: keys.chunk(version, 0), end: keys.chunk(version, header.chunks) };
    for await (const { value } of kv.list<Uint8Array>(range, { batchSize: 100 })) {
      values.push(value);
    }
    return values;
  });
  return chunks.length === header.chunks ? { header, chunks } : null;
}

/** Every stored event, encoded. Not a snapshot: the caller replays the log over it. */
export async function* listEvents(kv: Deno.Kv): AsyncGenerator<string> {
  for await (
    const { value } of kv.list<Uint8Array>({ prefix: keys.events }, { batchSize: 1_000 })
  ) {
    yield decodeValue(value);
  }
}

/** How a reader waits and reports. */
export interface FollowOptions {
  /** How often the version key is read, in milliseconds; a watch that works is quicker. */
  intervalMs: number;
  /** Called when the store cannot be read; it is tried again after a pause of a second. */
  onError: (error: unknown) => void;
}

/** The version and the sightings, read together. */
interface Head {
  version: number;
  sightings: Record<string, Instant>;
}

async function readHead(kv: Deno.Kv): Promise<Head> {
  const [version, sightings] = await retrying(
    "reading the version",
    () => kv.getMany<[VersionEntry, Record<string, Instant>]>([keys.version, keys.sightings]),
  );
  return { version: version.value?.version ?? 0, sightings: sightings.value ?? {} };
}

/**
 * Reads everything there is. The list is no snapshot, so what it saw of versions in the making is put right by
 * replaying the log over it: from `applied` as it stood before the list, to the version as it stands after it.
 */
async function readEverything(kv: Deno.Kv): Promise<CatalogueChange> {
  for (let restart = 0; restart < READ_RESTARTS_MAX; restart++) {
    const applied = await retrying("reading applied", () => kv.get<number>(keys.applied));
    const listed = await retrying("listing events", async () => {
      const lines = new LineBlocks();
      for await (const text of listEvents(kv)) lines.add(text);
      return lines;
    });
    const head = await readHead(kv);
    const change = await readChanges(kv, applied.value ?? 0, head);
    if (change === null) continue;
    const events = new Concatenation(listed, change.events);
    return { ...change, events, isComplete: true };
  }
  throw new StoreError(
    "store_failed",
    `the store moved on ${READ_RESTARTS_MAX} times while it was read: poll less often`,
  );
}

/** What changed after `version` up to the head, or `null` when its log was trimmed. */
async function readChanges(
  kv: Deno.Kv,
  version: number,
  head: Head,
): Promise<CatalogueChange | null> {
  const chunks: Uint8Array[] = [];
  for (let next = version + 1; next <= head.version; next++) {
    const log = await readVersionLog(kv, next);
    if (log === null) return null;
    chunks.push(...log.chunks);
  }
  return { ...head, events: new ChunkLines(chunks), isComplete: false };
}

/** The lines of log chunks, inflated as they are read. */
class ChunkLines implements Iterable<string> {
  readonly #chunks: readonly Uint8Array[];

  constructor(chunks: readonly Uint8Array[]) {
    this.#chunks = chunks;
  }

  *[Symbol.iterator](): Generator<string> {
    for (const chunk of this.#chunks) yield* linesOfChunk(chunk);
  }
}

/** One after the other. */
class Concatenation implements Iterable<string> {
  readonly #parts: readonly Iterable<string>[];

  constructor(...parts: Iterable<string>[]) {
    this.#parts = parts;
  }

  *[Symbol.iterator](): Generator<string> {
    for (const part of this.#parts) yield* part;
  }
}

/** Follows a store, see `FollowableStore`. */
export async function* follow(
  kv: Deno.Kv,
  signal: AbortSignal,
  options: FollowOptions,
): AsyncGenerator<CatalogueChange> {
  const moved = new VersionWatch(kv, signal);
  try {
    let last: Head | null = null;
    while (!signal.aborted) {
      try {
        const change: CatalogueChange | null = last === null
          ? await readEverything(kv)
          : await readChanges(kv, last.version, await readHead(kv));
        if (change === null) {
          last = null;
          continue;
        }
        const isNews = last === null || change.version !== last.version ||
          JSON.stringify(change.sightings) !== JSON.stringify(last.sightings);
        last = change;
        if (isNews) yield change;
      } catch (error) {
        if (signal.aborted) return;
        options.onError(error);
        await moved.wait(1_000);
      }
      await moved.wait(options.intervalMs);
    }
  } finally {
    moved.close();
  }
}

/** Wakes a reader when the version key moves. Within one process a watch does; across processes the interval does. */
class VersionWatch {
  #hasMoved = false;
  #wake: () => void = () => {};
  readonly #signal: AbortSignal;
  readonly #watcher: ReadableStreamDefaultReader<unknown>;

  constructor(kv: Deno.Kv, signal: AbortSignal) {
    this.#signal = signal;
    this.#watcher = kv.watch([keys.version, keys.sightings]).getReader();
    signal.addEventListener("abort", this.close);
    this.#run().catch(() => {
      // A watch that breaks leaves the interval; a store that is gone is reported by the reads.
    });
  }

  /** Ends the watch, and the wait under way. */
  readonly close = () => {
    this.#signal.removeEventListener("abort", this.close);
    this.#watcher.cancel().catch(() => {});
    this.#wake();
  };

  async #run(): Promise<void> {
    while (!(await this.#watcher.read()).done) {
      this.#hasMoved = true;
      this.#wake();
    }
  }

  /** Resolves when the key has moved since the last wait, or after `limitMs`. */
  async wait(limitMs: number): Promise<void> {
    if (!this.#hasMoved && !this.#signal.aborted) {
      let timer: ReturnType<typeof setTimeout>;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, limitMs);
      });
      clearTimeout(timer!);
    }
    this.#hasMoved = false;
  }
}
