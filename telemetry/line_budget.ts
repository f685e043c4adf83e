/**
 * How many lines of one kind the log takes in a second. What strangers can cause must not fill a disk.
 *
 * @example
 * ```ts
 * import { LineBudget } from "./line_budget.ts";
 * import { assertEquals } from "@std/assert";
 *
 * let nowMs = 0;
 * const told: number[] = [];
 * const lines = new LineBudget(2, (dropped) => told.push(dropped), () => nowMs);
 * assertEquals([lines.take(), lines.take(), lines.take()], [true, true, false]);
 * nowMs = 1_000;
 * assertEquals([lines.take(), told], [true, [1]]);
 * ```
 */
export class LineBudget {
  readonly #perSecond: number;
  readonly #onDropped: (dropped: number) => void;
  readonly #now: () => number;
  #secondEnds = -Infinity;
  #taken = 0;

  /**
   * @param onDropped Told, with the next line that is taken, how many were not
   * @param now Milliseconds of a clock that does not go back
   */
  constructor(
    perSecond: number,
    onDropped: (dropped: number) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#perSecond = perSecond;
    this.#onDropped = onDropped;
    this.#now = now;
  }

  /** Whether one more line may be written. */
  take(): boolean {
    const now = this.#now();
    if (now >= this.#secondEnds) {
      const dropped = this.#taken - this.#perSecond;
      this.#secondEnds = now + 1_000;
      this.#taken = 0;
      if (dropped > 0) this.#onDropped(dropped);
    }
    return ++this.#taken <= this.#perSecond;
  }
}
