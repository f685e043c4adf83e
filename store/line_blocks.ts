import { LINE_BLOCK_BYTES } from "./limits.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NEWLINE = 10;

/**
 * Lines of text on their way from one place to another, as UTF-8 in blocks outside the JavaScript heap: a poll of a
 * million plans waits here without a million strings to trace. Lines hold no line break.
 */
export class LineBlocks implements Iterable<string> {
  readonly #blocks: Uint8Array<ArrayBuffer>[] = [];
  #block = new Uint8Array(0);
  #used = 0;
  /** How many lines there are. */
  count = 0;

  /** Adds a line. */
  add(line: string): void {
    // Encoded in place: a small array for each of a million lines would be the larger part of the memory.
    const bytesMax = line.length * 3 + 1;
    if (this.#used + bytesMax > this.#block.length) this.#next(bytesMax);
    this.#used += encoder.encodeInto(line, this.#block.subarray(this.#used)).written;
    this.#block[this.#used++] = NEWLINE;
    this.count++;
  }

  /** Adds a line that is UTF-8 already. */
  addBytes(line: Uint8Array): void {
    if (this.#used + line.length + 1 > this.#block.length) this.#next(line.length + 1);
    this.#block.set(line, this.#used);
    this.#used += line.length;
    this.#block[this.#used++] = NEWLINE;
    this.count++;
  }

  /** The lines in the order in which they were added. */
  *[Symbol.iterator](): Generator<string> {
    for (const block of this.#blocks) yield* linesOf(block);
    yield* linesOf(this.#block.subarray(0, this.#used));
  }

  /** Iterates over the lines, and gives each block's memory back as it is read, not when a collector gets to it. */
  *drain(): Generator<string> {
    this.#next(0);
    this.count = 0;
    for (let block = this.#blocks.shift(); block !== undefined; block = this.#blocks.shift()) {
      const lines = [...linesOf(block)];
      block.buffer.transfer(0);
      yield* lines;
    }
  }

  #next(bytes: number): void {
    if (this.#used > 0) this.#blocks.push(this.#block.subarray(0, this.#used));
    this.#block = new Uint8Array(bytes === 0 ? 0 : Math.max(bytes, LINE_BLOCK_BYTES));
    this.#used = 0;
  }
}

function* linesOf(block: Uint8Array): Generator<string> {
  if (block.length === 0) return;
  yield* decoder.decode(block.subarray(0, -1)).split("\n");
}
