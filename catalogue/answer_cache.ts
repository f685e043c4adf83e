import { ANSWER_CACHE_BYTES_MAX } from "./limits.ts";

/**
 * Answers by query string, within a budget of bytes. Two generations: what is used while the young one fills moves
 * into it, and when it is full the old one is dropped whole. One Map operation a hit, nothing to keep in order.
 */
export class AnswerCache<T extends { readonly cost: number }> {
  #young = new Map<string, T>();
  #old = new Map<string, T>();
  #youngBytes = 0;
  readonly #generationBytes: number;

  /** @param bytesMax The budget of both generations */
  constructor(bytesMax: number = ANSWER_CACHE_BYTES_MAX) {
    this.#generationBytes = bytesMax / 2;
  }

  /** The answer kept under a key, or `undefined`. */
  get(key: string): T | undefined {
    const found = this.#young.get(key);
    if (found !== undefined) return found;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  /** Keeps an answer, unless it alone would fill a generation. */
  set(key: string, value: T): void {
    const bytes = value.cost + key.length * 2;
    if (bytes > this.#generationBytes) return;
    if (this.#youngBytes + bytes > this.#generationBytes) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(key, value);
    this.#youngBytes += bytes;
  }
}
