import { ANSWER_CACHE_BYTES_MAX, ANSWER_OVERHEAD_BYTES, QUERIES_REMEMBERED_MAX } from "./limits.ts";

/**
 * Bodies of answers by query string, within a budget of bytes. Two generations: what is used while the young one fills
 * moves into it, and when it is full the old one is dropped whole. One Map operation a hit, nothing to keep in order.
 * A query that is asked once is not worth its room, so an answer is kept from the second time on.
 */
export class AnswerCache {
  #young = new Map<string, Uint8Array<ArrayBuffer>>();
  #old = new Map<string, Uint8Array<ArrayBuffer>>();
  #youngBytes = 0;
  /** Hashes of queries that were asked for, each at the place that it names; strings would have to be kept. */
  readonly #asked = new Uint32Array(QUERIES_REMEMBERED_MAX);
  readonly #generationBytes: number;

  /** @param bytesMax The budget of both generations */
  constructor(bytesMax: number = ANSWER_CACHE_BYTES_MAX) {
    this.#generationBytes = bytesMax / 2;
  }

  /** The body kept under a query, or `undefined`. */
  get(query: string): Uint8Array<ArrayBuffer> | undefined {
    const found = this.#young.get(query);
    if (found !== undefined) return found;
    const old = this.#old.get(query);
    if (old !== undefined) this.#keep(query, old);
    return old;
  }

  /** Offers a body that was not there. Whether it is kept, as a copy, is the cache's choice. */
  offer(query: string, body: Uint8Array<ArrayBuffer>): void {
    const hash = hashOf(query);
    const place = hash % QUERIES_REMEMBERED_MAX;
    if (this.#asked[place] === hash) this.#keep(query, body.slice());
    else this.#asked[place] = hash;
  }

  #keep(query: string, body: Uint8Array<ArrayBuffer>): void {
    const bytes = body.length + query.length * 2 + ANSWER_OVERHEAD_BYTES;
    // One that alone would fill a generation is not kept.
    if (bytes > this.#generationBytes) return;
    if (this.#youngBytes + bytes > this.#generationBytes) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(query, body);
    this.#youngBytes += bytes;
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}
