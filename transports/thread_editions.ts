import { Edition } from "../catalogue/edition.ts";
import type { Memory, MemorySource } from "../catalogue/mod.ts";
import type { ReleasedMemory } from "../native/mod.ts";
import type { EditionMessage, EditionReleased } from "./edition_shares.ts";

/** An edition that this thread answers from, or still sends from. */
export class ThreadEdition implements ReleasedMemory {
  inFlight = 0;
  readonly edition: Edition;
  readonly number: number;
  readonly #onReleased: () => void;
  #isCurrent = true;

  /** @param onReleased Called once, when it is neither current nor in flight */
  constructor(edition: Edition, number: number, onReleased: () => void) {
    this.edition = edition;
    this.number = number;
    this.#onReleased = onReleased;
  }

  /** Another one is current now. */
  retire(): void {
    this.#isCurrent = false;
    if (this.inFlight === 0) this.#onReleased();
  }

  released(): void {
    if (!this.#isCurrent) this.#onReleased();
  }
}

/** The editions of one listener thread: opened from what the main thread shares, let go when no answer needs them. */
export class ThreadEditions {
  /** What answers are made from; `null` until the catalogue is loaded. */
  current: ThreadEdition | null = null;
  readonly #source: MemorySource;
  readonly #tell: (released: EditionReleased) => void;
  readonly #cutOff: (memory: ReleasedMemory) => void;
  readonly #kept = new Map<number, ThreadEdition>();
  /** Memory that was opened, by where it lies; editions share it. */
  #memories = new Map<string, Memory>();

  constructor(
    source: MemorySource,
    tell: (released: EditionReleased) => void,
    cutOff: (memory: ReleasedMemory) => void,
  ) {
    this.#source = source;
    this.#tell = tell;
    this.#cutOff = cutOff;
  }

  /** Obeys the main thread. */
  take(message: EditionMessage): void {
    if (message.kind === "revoke") {
      const kept = this.#kept.get(message.number);
      if (kept !== undefined) this.#cutOff(kept);
      return;
    }
    const { number, edition: { descriptor, etag, memories } } = message;
    const opened = new Map<string, Memory>();
    const byId = new Map<number, Memory>();
    for (const { id, handle } of memories) {
      const key = JSON.stringify(handle);
      const memory = this.#memories.get(key) ?? this.#source.open(handle);
      opened.set(key, memory);
      byId.set(id, memory);
    }
    // Views of memory that this edition does not have go; older ones keep their own.
    this.#memories = opened;
    const edition = new Edition(descriptor, etag, (id) => byId.get(id)!);
    const before = this.current;
    this.current = new ThreadEdition(edition, number, () => {
      this.#kept.delete(number);
      this.#tell({ kind: "released", number });
    });
    this.#kept.set(number, this.current);
    before?.retire();
  }
}
