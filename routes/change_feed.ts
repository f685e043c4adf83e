import { STREAM_CHANGES_KEPT, STREAM_QUEUE_MAX } from "./limits.ts";

/** One change of the catalogue, as /events/stream tells it. */
export interface CatalogueNews {
  version: number;
  added: number;
  changed: number;
}

/** Gets news until it is dropped. */
export interface Subscriber {
  /** News in the order of versions. Ends when the feed closes, or when the subscriber fell too far behind. */
  readonly news: ReadableStream<CatalogueNews>;
}

/**
 * Hands each change of the catalogue to everybody who listens. The last ones are kept, so that a client that was away
 * for a moment misses nothing; a client that reads too slowly is dropped and may resume.
 */
export class ChangeFeed {
  readonly #kept: CatalogueNews[];
  readonly #controllers = new Set<ReadableStreamDefaultController<CatalogueNews>>();

  /** @param past Changes of before, oldest first, for clients that resume after a restart; the last ones are kept */
  constructor(past: readonly CatalogueNews[] = []) {
    this.#kept = past.slice(-STREAM_CHANGES_KEPT);
  }

  /** How many listen. */
  get subscribers(): number {
    return this.#controllers.size;
  }

  /** Tells everybody. */
  publish(news: CatalogueNews): void {
    this.#kept.push(news);
    if (this.#kept.length > STREAM_CHANGES_KEPT) this.#kept.shift();
    for (const controller of this.#controllers) {
      if ((controller.desiredSize ?? 0) <= 0) {
        this.#controllers.delete(controller);
        controller.error(new Error("the client reads too slowly"));
      } else {
        controller.enqueue(news);
      }
    }
  }

  /**
   * Listens from now on, or from after a version.
   *
   * @param afterVersion The last version that the client knows; `null` for news only
   */
  subscribe(afterVersion: number | null): Subscriber {
    let own: ReadableStreamDefaultController<CatalogueNews>;
    const missed = afterVersion === null
      ? []
      : this.#kept.filter(({ version }) => version > afterVersion);
    return {
      news: new ReadableStream<CatalogueNews>({
        start: (controller) => {
          own = controller;
          this.#controllers.add(controller);
          for (const news of missed) controller.enqueue(news);
        },
        cancel: () => {
          this.#controllers.delete(own);
        },
      }, { highWaterMark: STREAM_QUEUE_MAX + missed.length }),
    };
  }

  /** Ends every stream. */
  close(): void {
    for (const controller of this.#controllers) controller.close();
    this.#controllers.clear();
  }
}
