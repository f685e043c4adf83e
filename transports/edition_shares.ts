import type { Edition, SharedEdition } from "../catalogue/mod.ts";

/** What listener threads are told of editions. */
export type EditionMessage =
  | { kind: "edition"; number: number; edition: SharedEdition }
  | { kind: "revoke"; number: number };

/** What a listener thread tells: it does not use an edition any more. */
export interface EditionReleased {
  kind: "released";
  number: number;
}

/**
 * Tells listener threads of editions, and keeps the memory of each for as long as one of them uses it: an edition is
 * pinned once for every thread, until that thread says that it has let it go, or has died. What a thread that hangs was using
 * stays for good: it may wake up and read on.
 */
export class EditionShares {
  readonly #post: (thread: number, message: EditionMessage) => void;
  /** By thread, then by number of the share: ends its pin. */
  readonly #pins: Map<number, () => void>[];
  /** By thread: whether it runs, and is told of editions. */
  readonly #isRunning: boolean[];
  #current: Edition | null = null;
  #lastNumber = 0;

  /** @param post Gives a message to a thread */
  constructor(threads: number, post: (thread: number, message: EditionMessage) => void) {
    this.#post = post;
    this.#pins = Array.from({ length: threads }, () => new Map());
    this.#isRunning = Array(threads).fill(false);
  }

  /** Makes an edition the one that all threads answer from. */
  publish(edition: Edition): void {
    this.#current = edition;
    this.#pins.forEach((_, thread) => this.#share(thread, edition));
  }

  /** A thread has started, for the first time or in the place of one that ended. */
  started(thread: number): void {
    this.#isRunning[thread] = true;
    if (this.#current !== null) this.#share(thread, this.#current);
  }

  /** A thread has died and uses nothing any more, or hangs and may go on to use what it was told of. */
  ended(thread: number, isHung: boolean): void {
    this.#isRunning[thread] = false;
    if (!isHung) { for (const unpin of this.#pins[thread].values()) unpin(); }
    this.#pins[thread].clear();
  }

  /** A thread has let an edition go. */
  released(thread: number, { number }: EditionReleased): void {
    this.#pins[thread].get(number)?.();
    this.#pins[thread].delete(number);
  }

  #share(thread: number, edition: Edition): void {
    if (!this.#isRunning[thread]) return;
    const number = ++this.#lastNumber;
    const unpin = edition.pin(() => this.#post(thread, { kind: "revoke", number }));
    this.#pins[thread].set(number, unpin);
    this.#post(thread, { kind: "edition", number, edition: edition.share() });
  }
}
