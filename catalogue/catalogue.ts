import type { Event, Instant, SellModePolicy } from "../domain/mod.ts";
import { Turns } from "../event_loop.ts";
import { type Builder, EditionBuilder } from "./builder.ts";
import type { Edition } from "./edition.ts";
import { GatherList } from "./gather_list.ts";
import { LINES_BYTES } from "./limits.ts";
import { type MemorySource, sharedMemorySource } from "./memory.ts";
import { BuiltMemory, Publication } from "./publication.ts";

/** A step of the catalogue, as the store gives it. */
export interface CatalogueStep {
  version: number;
  /** True when `events` is everything there is. */
  isComplete: boolean;
  /** Encoded events; where an id occurs twice the last one counts. */
  events: Iterable<string>;
  /** Provider name to the instant at which its feed was last read. */
  sightings: Readonly<Record<string, Instant>>;
}

/** What a step changed. */
export interface CatalogueDifference {
  /** Events that were not there before. */
  added: number;
  /** Events that are different now. */
  changed: number;
}

/** How a catalogue is made. */
export interface CatalogueOptions {
  /** Keeps the ETags of different stores apart. */
  storeId: string;
  policy: SellModePolicy;
  /** Where memory comes from; SharedArrayBuffers unless said otherwise. */
  source?: MemorySource;
  /** Called when an edition became the current one. */
  onPublish?: (edition: Edition) => void;
  /** Starts what builds editions; they are built in this thread, a little at a time, unless said otherwise. */
  startBuilder?: () => Builder;
}

const encoder = new TextEncoder();
/** How long the memory of a builder that failed or was closed is kept. */
const ABANDON_MS = 60_000;
const NOTHING: CatalogueDifference = { added: 0, changed: 0 };

/**
 * The read model: everything that requests need, in memory, one immutable {@linkcode Edition} a version.
 *
 * @example
 * ```ts
 * import { Catalogue } from "./catalogue.ts";
 * import { UNBOUNDED } from "../domain/mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const catalogue = new Catalogue({ storeId: "5f0c2a91", policy: "latest" });
 * await catalogue.publish({ version: 1, isComplete: true, events: [], sightings: {} });
 * const answer = catalogue.gatherList();
 * catalogue.edition!.search({ range: UNBOUNDED, limit: null, after: null }, answer);
 * assertEquals(new TextDecoder().decode(answer.joined()), '{"data":{"events":[]},"error":null}');
 * ```
 */
export class Catalogue {
  /** When each provider's feed was last read. */
  sightings: Readonly<Record<string, Instant>> = {};
  readonly #etagPrefix: string;
  readonly #source: MemorySource;
  readonly #startBuilder: () => Builder;
  readonly #publication = new Publication();
  readonly #onPublish: (edition: Edition) => void;
  /** The builder and the memory that it announced; `null` after it failed. */
  #building: { builder: Builder; memory: BuiltMemory } | null = null;
  #compressing: Promise<void> = Promise.resolve();
  /** Resolves with the next edition. */
  #published = Promise.withResolvers<void>();
  /** Why there is no builder. */
  #failure: unknown = null;

  constructor(options: CatalogueOptions) {
    const { storeId, policy, source = sharedMemorySource, startBuilder, onPublish } = options;
    this.#onPublish = onPublish ?? (() => {});
    this.#etagPrefix = `${storeId}-${policy === "ever" ? "e" : "l"}`;
    this.#source = source;
    this.#startBuilder = startBuilder ?? (() => new EditionBuilder({ policy, source }));
  }

  /** The current edition; `null` until the first one is published. */
  get edition(): Edition | null {
    return this.#publication.edition;
  }

  /** All events, the hidden ones included. */
  get size(): number {
    return this.edition?.events ?? 0;
  }

  /** Bytes of all editions that are kept, and of the events behind them. */
  get byteLength(): number {
    return this.#publication.byteLength;
  }

  /** Requests to the builder that wait until it is done with the one before. */
  get queueDepth(): number {
    return this.#building?.builder.queueDepth ?? 0;
  }

  /** How many editions are kept only because answers from them are being sent. */
  get pinned(): number {
    return this.#publication.pinned;
  }

  /** An event by its id, visible or not; `null` when there is none. */
  event(id: string): Event | null {
    return this.edition?.event(id) ?? null;
  }

  /** A list for answers, the caller's to use again and to free. */
  gatherList(): GatherList {
    return new GatherList(this.#source);
  }

  /**
   * Takes a step and swaps the edition. Requests see the last edition until the new one is whole. Its blocks are
   * compressed after that, see {@linkcode Catalogue.settled}. Steps must be published one after the other.
   *
   * @returns What the step changed
   * @throws {Error} If the builder failed: the edition stays, and the next step must be a complete one
   */
  async publish(step: CatalogueStep): Promise<CatalogueDifference> {
    this.sightings = step.sightings;
    if (this.edition?.version === step.version && !step.isComplete) return NOTHING;
    await this.#compressing;
    if (this.#building === null && !step.isComplete && this.edition !== null) {
      throw new Error(
        "an edition could not be built: everything there is must be published again",
        {
          cause: this.#failure,
        },
      );
    }
    this.#building ??= this.#startBuilding();
    const { builder, memory } = this.#building;
    try {
      await take(step.events, builder);
      const built = await builder.build(step);
      this.#publication.publish(memory, built, `"${this.#etagPrefix}${step.version}"`);
      this.#onPublish(this.edition!);
      this.#published.resolve();
      this.#published = Promise.withResolvers();
      this.#compressing = this.#compress();
      return { added: built.added, changed: built.changed };
    } catch (error) {
      this.#stopBuilding(error);
      throw error;
    }
  }

  /** Resolves when searches are answered from this version or a later one. */
  async reaches(version: number): Promise<void> {
    while ((this.edition?.version ?? -1) < version) await this.#published.promise;
  }

  /** Resolves when the blocks of the current edition are compressed; until then gzip answers are not smaller. */
  settled(): Promise<void> {
    return this.#compressing;
  }

  /** Ends the builder. The edition stays. */
  close(): void {
    this.#stopBuilding(new Error("the catalogue was closed"));
  }

  async #compress(): Promise<void> {
    if (this.#building === null) return;
    const { builder, memory } = this.#building;
    try {
      const built = await builder.compress();
      if (built === null) return;
      this.#publication.publish(memory, built, this.edition!.etag);
      this.#onPublish(this.edition!);
    } catch (error) {
      // The next step finds out that there is no builder, and says why.
      this.#stopBuilding(error);
    }
  }

  #startBuilding(): { builder: Builder; memory: BuiltMemory } {
    const builder = this.#startBuilder();
    return { builder, memory: new BuiltMemory(this.#source, builder) };
  }

  #stopBuilding(failure: unknown): void {
    this.#failure = failure;
    const building = this.#building;
    this.#building = null;
    if (building === null) return;
    building.builder.close();
    // A thread that is told to end may go on for as long as it takes to build an edition, and write where it was.
    Deno.unrefTimer(setTimeout(() => building.memory.abandon(), ABANDON_MS) as unknown as number);
  }
}

/** Hands lines to a builder, a bounded number of bytes at a time. */
async function take(lines: Iterable<string>, builder: Builder): Promise<void> {
  const turns = new Turns();
  let block = new Uint8Array(LINES_BYTES);
  let length = 0;
  for (const line of lines) {
    const room = line.length * 3 + 1;
    if (length + room > block.length) {
      if (length > 0) await builder.take(block.subarray(0, length));
      await turns.share();
      block = new Uint8Array(Math.max(LINES_BYTES, room));
      length = 0;
    }
    length += encoder.encodeInto(line, block.subarray(length)).written;
    block[length++] = 10;
  }
  if (length > 0) await builder.take(block.subarray(0, length));
}
