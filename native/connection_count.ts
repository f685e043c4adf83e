/** Without a limit. */
export const UNLIMITED = 0x7fff_ffff;

const OPEN = 0, ADMITTED = 1, LIMIT = 2, WORDS = 3;

/**
 * The connections of all threads of a listener, counted in memory that they share: those that are open, those of them
 * that were let in, and how many may be.
 *
 * ```
 *  open ─┬─ admitted: up to the limit
 *        └─ being shed: refused, and not closed yet
 * ```
 */
export class ConnectionCount {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** Memory for a count, without a limit. */
  static allocate(): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(WORDS * 4);
    new Int32Array(buffer)[LIMIT] = UNLIMITED;
    return buffer;
  }

  /** Connections that are open, refused ones included. */
  get open(): number {
    return Atomics.load(this.#words, OPEN);
  }

  /** How many connections are let in. */
  get limit(): number {
    return Atomics.load(this.#words, LIMIT);
  }

  set limit(limit: number) {
    Atomics.store(this.#words, LIMIT, Math.min(limit, UNLIMITED));
  }

  /**
   * Counts a connection that was accepted.
   *
   * @returns Whether it is let in
   */
  enter(): boolean {
    Atomics.add(this.#words, OPEN, 1);
    if (Atomics.add(this.#words, ADMITTED, 1) < this.limit) return true;
    Atomics.sub(this.#words, ADMITTED, 1);
    return false;
  }

  /** Connections are gone: so many that were let in, so many that were refused. */
  leave(admitted: number, refused: number): void {
    Atomics.sub(this.#words, OPEN, admitted + refused);
    Atomics.sub(this.#words, ADMITTED, admitted);
  }
}
