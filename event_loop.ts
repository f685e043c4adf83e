/** How long work may hold the event loop before others get a turn, in milliseconds. */
const TURN_MS = 8;

/**
 * Lets long work share the event loop: requests are answered between its turns. Awaiting a promise that is already
 * resolved does not do that.
 *
 * @example
 * ```ts
 * import { Turns } from "./event_loop.ts";
 *
 * const turns = new Turns();
 * for (let i = 0; i < 100; i++) {
 *   // Some work, and then:
 *   await turns.share();
 * }
 * ```
 */
export class Turns {
  #since = performance.now();
  readonly #turnMs: number;

  /** @param turnMs How long a turn is; `Infinity` where nobody else needs the event loop */
  constructor(turnMs: number = TURN_MS) {
    this.#turnMs = turnMs;
  }

  /** Gives the others a turn, if this work has had the event loop for long enough. */
  async share(): Promise<void> {
    if (performance.now() - this.#since < this.#turnMs) return;
    await new Promise((resolve) => setTimeout(resolve));
    this.#since = performance.now();
  }
}
