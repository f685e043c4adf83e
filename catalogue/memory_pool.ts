import { MEMORY_REST_MAX } from "./limits.ts";
import type { Memory, MemoryHandle, MemorySource } from "./memory.ts";

/** Memory that a pool names by a number, so that other threads can be told of it. */
export interface NumberedMemory {
  readonly id: number;
  readonly memory: Memory;
}

interface RestingMemory extends NumberedMemory {
  /** Announcements since it came back. */
  rest: number;
}

const ALLOCATION_BYTES = 65_536;

/**
 * The memory that a builder makes editions in. What comes back from one edition is used for another, so that a change
 * of version neither maps nor unmaps memory: to unmap 25 MB takes the thread that does it 7 ms, and whoever writes to
 * new memory first pays for every page. Memory that was announced belongs to whoever got the announcement.
 */
export class MemoryPool {
  readonly #source: MemorySource;
  #lastId = 0;
  /** Allocated since the last announcement, and not taken from what came back. */
  #fresh: NumberedMemory[] = [];
  readonly #announced = new Map<number, Memory>();
  #resting: RestingMemory[] = [];

  /** @param source Where memory comes from */
  constructor(source: MemorySource) {
    this.#source = source;
  }

  /**
   * Gives memory of at least some bytes; what it holds is left over from before.
   *
   * @param slack How much more than that is allocated where none of what came back is large enough
   */
  allocate(byteLength: number, slack = 1): NumberedMemory {
    let found = -1, bytesFound = Infinity;
    this.#resting.forEach(({ memory: { bytes } }, i) => {
      if (bytes.length < byteLength || bytes.length >= bytesFound) return;
      // Something small should not occupy something large for long.
      if (bytes.length > 2 * byteLength + ALLOCATION_BYTES) return;
      found = i;
      bytesFound = bytes.length;
    });
    if (found >= 0) return this.#resting.splice(found, 1)[0];
    const roomy = Math.ceil(byteLength * slack / ALLOCATION_BYTES) * ALLOCATION_BYTES;
    const fresh = { id: ++this.#lastId, memory: this.#source.allocate(roomy) };
    this.#fresh.push(fresh);
    return fresh;
  }

  /**
   * Hands memory over with an edition.
   *
   * @param used The memory of the edition, by id
   */
  announce(
    used: readonly number[],
  ): { fresh: { id: number; handle: MemoryHandle }[]; useless: number[] } {
    const isUsed = new Set(used);
    const fresh: { id: number; handle: MemoryHandle }[] = [];
    for (const { id, memory } of this.#fresh) {
      if (isUsed.has(id)) {
        this.#announced.set(id, memory);
        fresh.push({ id, handle: memory.handle });
      } else {
        // It came and went within one step: nobody else knows it.
        memory.free();
      }
    }
    this.#fresh = [];
    const useless = this.#resting.filter((one) => ++one.rest > MEMORY_REST_MAX).map(({ id }) => id);
    this.#resting = this.#resting.filter(({ rest }) => rest <= MEMORY_REST_MAX);
    for (const id of useless) this.#announced.delete(id);
    return { fresh, useless };
  }

  /** Takes announced memory back. */
  recycle(ids: readonly number[]): void {
    for (const id of ids) {
      this.#resting.push({ id, memory: this.#announced.get(id)!, rest: 0 });
    }
  }
}
