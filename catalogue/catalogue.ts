import {
  decodeEvent,
  type Event,
  type EventSummary,
  type Instant,
  type SellModePolicy,
  summarizeEvent,
} from "../domain/mod.ts";
import { Turns } from "../event_loop.ts";
import { buildEdition, EMPTY_COLUMNS } from "./builder.ts";
import type { Edition } from "./edition.ts";
import { BUILD_STEP_EVENTS } from "./limits.ts";
import { TextArena } from "./text_arena.ts";

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
 * const answer = catalogue.edition!.search({ range: UNBOUNDED, limit: null, after: null });
 * assertEquals(new TextDecoder().decode(answer.joined()!), '{"data":{"events":[]},"error":null}');
 * ```
 */
export class Catalogue {
  /** The current edition; `null` until the first one is published. */
  edition: Edition | null = null;
  /** When each provider's feed was last read. */
  sightings: Readonly<Record<string, Instant>> = {};
  readonly #policy: SellModePolicy;
  readonly #etagPrefix: string;
  readonly #events = new TextArena();

  /** @param options `storeId` keeps ETags of different stores apart */
  constructor(options: { storeId: string; policy: SellModePolicy }) {
    this.#policy = options.policy;
    this.#etagPrefix = `${options.storeId}-${options.policy === "ever" ? "e" : "l"}`;
  }

  /** All events, the hidden ones included. */
  get size(): number {
    return this.#events.size;
  }

  /** Bytes of the current edition and of the events behind it. */
  get byteLength(): number {
    return (this.edition?.byteLength ?? 0) + this.#events.byteLength;
  }

  /** An event by its id, visible or not; `null` when there is none. */
  event(id: string): Event | null {
    const text = this.#events.get(id);
    return text === undefined ? null : decodeEvent(text);
  }

  /**
   * Takes a step and swaps the edition. Requests get a turn while it is built, and see the last edition until the new
   * one is whole. Steps must be published one after the other.
   */
  async publish(step: CatalogueStep): Promise<void> {
    this.sightings = step.sightings;
    if (this.edition?.version === step.version && !step.isComplete) return;
    const summaries = new Map<string, EventSummary | null>();
    const rows = new Map<string, number>();
    const turns = new Turns();
    let done = 0;
    for (const text of step.events) {
      const event = decodeEvent(text);
      summaries.set(event.id, summarizeEvent(event, this.#policy));
      const superseded = rows.get(event.id);
      if (superseded !== undefined) this.#events.free(superseded);
      rows.set(event.id, this.#events.add(text));
      if (++done % BUILD_STEP_EVENTS === 0) await turns.share();
    }
    const visible = [...summaries.values()].filter((summary) => summary !== null);
    const previous = step.isComplete ? null : this.edition;
    this.edition = buildEdition(
      step.version,
      `"${this.#etagPrefix}${step.version}"`,
      previous?.columns ?? EMPTY_COLUMNS,
      summaries,
      visible,
    );
    // In one go with the swap, so that an event is never seen newer than its edition.
    if (step.isComplete) {
      for (const id of [...this.#events.keys()]) if (!rows.has(id)) this.#events.delete(id);
    }
    for (const [id, row] of rows) this.#events.assign(id, row);
  }
}
