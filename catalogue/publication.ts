import type { Builder, BuiltEdition } from "./builder.ts";
import { type EditionDescriptor, memoriesOf } from "./edition_descriptor.ts";
import { Edition } from "./edition.ts";
import { EDITIONS_PINNED_MAX } from "./limits.ts";
import type { Memory, MemorySource } from "./memory.ts";

/** Memory that editions share, and how many do. */
interface SharedMemoryUse {
  memory: Memory;
  editions: number;
}

/** Opens the memory that one builder announces, counts which editions use it, and lets the builder have it again. */
export class BuiltMemory {
  readonly #source: MemorySource;
  readonly #uses = new Map<number, SharedMemoryUse>();
  /** `null` when the builder is gone. */
  #builder: Builder | null;

  /** @param source Opens what the builder allocated */
  constructor(source: MemorySource, builder: Builder) {
    this.#source = source;
    this.#builder = builder;
  }

  /** Bytes of all of it. */
  get byteLength(): number {
    let sum = 0;
    for (const { memory } of this.#uses.values()) sum += memory.bytes.length;
    return sum;
  }

  /** Makes an edition of what the builder announced; it uses its memory until {@linkcode BuiltMemory.release}. */
  edition({ descriptor, fresh, useless }: BuiltEdition, etag: string): Edition {
    for (const { id, handle } of fresh) {
      this.#uses.set(id, { memory: this.#source.open(handle), editions: 0 });
    }
    for (const id of useless) this.#free(id);
    for (const id of memoriesOf(descriptor)) this.#uses.get(id)!.editions++;
    return new Edition(descriptor, etag, (id) => this.#uses.get(id)!.memory);
  }

  /** Gives what no other edition uses back to the builder. */
  release(descriptor: EditionDescriptor): void {
    const unused = memoriesOf(descriptor).filter((id) => --this.#uses.get(id)!.editions === 0);
    if (this.#builder !== null) this.#builder.recycle(unused);
    else unused.forEach((id) => this.#free(id));
  }

  /** Frees what no edition uses, now and from now on: the builder is gone. */
  abandon(): void {
    this.#builder = null;
    for (const [id, { editions }] of this.#uses) if (editions === 0) this.#free(id);
  }

  #free(id: number): void {
    this.#uses.get(id)!.memory.free();
    this.#uses.delete(id);
  }
}

interface PublishedEdition {
  edition: Edition;
  descriptor: EditionDescriptor;
  memory: BuiltMemory;
}

/**
 * The current edition, and those before it that are pinned because answers from them are being sent. An edition's
 * memory goes back to the builder as soon as it is neither.
 */
export class Publication {
  #current: PublishedEdition | null = null;
  /** Editions that are not current any more but pinned, oldest first. */
  readonly #retired: PublishedEdition[] = [];

  /** The current edition; `null` until the first one is published. */
  get edition(): Edition | null {
    return this.#current?.edition ?? null;
  }

  /** How many editions are kept only because they are pinned. */
  get pinned(): number {
    return this.#retired.length;
  }

  /** Bytes of the memory of all editions that are kept. */
  get byteLength(): number {
    const memories = new Set([this.#current, ...this.#retired].map((one) => one?.memory));
    let sum = 0;
    for (const memory of memories) sum += memory?.byteLength ?? 0;
    return sum;
  }

  /** Makes an edition the current one. */
  publish(memory: BuiltMemory, built: BuiltEdition, etag: string): void {
    const { descriptor } = built;
    const before = this.#current;
    this.#current = { edition: memory.edition(built, etag), descriptor, memory };
    if (before === null) return;
    if (!before.edition.isPinned) {
      before.memory.release(before.descriptor);
      return;
    }
    this.#retired.push(before);
    before.edition.onUnpinned(() => this.#release(before));
    // A copy, because what is revoked may be released at once.
    for (const { edition } of this.#retired.slice(0, -EDITIONS_PINNED_MAX)) edition.revoke();
  }

  #release(retired: PublishedEdition): void {
    const place = this.#retired.indexOf(retired);
    if (place < 0) return;
    this.#retired.splice(place, 1);
    retired.memory.release(retired.descriptor);
  }
}
