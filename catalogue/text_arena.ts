import { ARENA_BLOCK_BYTES, ARENA_WASTE_BYTES_MIN } from "./limits.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Where a text is encoded before it is copied to its place; grows to the longest. */
let scratch = new Uint8Array(65_536);

/**
 * Texts by key, as UTF-8 in large blocks outside the JavaScript heap: the garbage collector has nothing to trace in
 * them and keeps no room to spare for them. A text that is replaced leaves a hole; when holes outweigh what is alive,
 * everything is moved together.
 */
export class TextArena {
  readonly #rows = new Map<string, number>();
  readonly #freeRows: number[] = [];
  #rowCount = 0;
  #blocks: Uint8Array<ArrayBuffer>[] = [];
  /** Where the next text goes, as a position in the blocks laid end to end. */
  #end = 0;
  #live = 0;
  #positions = new Float64Array(1_024);
  #lengths = new Uint32Array(1_024);

  /** How many texts there are. */
  get size(): number {
    return this.#rows.size;
  }

  /** Bytes of the texts and of what finds them. */
  get byteLength(): number {
    return this.#blocks.length * ARENA_BLOCK_BYTES + this.#positions.byteLength +
      this.#lengths.byteLength + this.#rows.size * 100;
  }

  /** The text of a key, or `undefined`. */
  get(key: string): string | undefined {
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    const bytes = new Uint8Array(this.#lengths[row]);
    this.#copy(this.#positions[row], bytes);
    return decoder.decode(bytes);
  }

  /**
   * Takes a text that no key has yet.
   *
   * @returns Its row, for {@linkcode TextArena.assign}; a row that is not assigned must be freed
   */
  add(text: string): number {
    if (scratch.length < text.length * 3) scratch = new Uint8Array(text.length * 3);
    const bytes = scratch.subarray(0, encoder.encodeInto(text, scratch).written);
    const row = this.#freeRows.pop() ?? this.#rowCount++;
    if (row === this.#lengths.length) this.#grow();
    this.#positions[row] = this.#end;
    this.#lengths[row] = bytes.length;
    this.#live += bytes.length;
    this.#append(bytes);
    return row;
  }

  /** Makes a row the text of a key, and the row that was it before free. */
  assign(key: string, row: number): void {
    const old = this.#rows.get(key);
    if (old !== undefined) this.free(old);
    this.#rows.set(key, row);
  }

  /** Removes a key and its text. */
  delete(key: string): void {
    const row = this.#rows.get(key);
    if (row === undefined) return;
    this.#rows.delete(key);
    this.free(row);
  }

  /** The keys of all texts. */
  keys(): Iterable<string> {
    return this.#rows.keys();
  }

  /** Gives back a row that no key has. */
  free(row: number): void {
    this.#live -= this.#lengths[row];
    this.#lengths[row] = 0;
    this.#freeRows.push(row);
    const waste = this.#end - this.#live;
    if (waste > ARENA_WASTE_BYTES_MIN && waste > this.#live) this.#compact();
  }

  #append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const offset = this.#end % ARENA_BLOCK_BYTES;
      if (offset === 0) this.#blocks.push(new Uint8Array(ARENA_BLOCK_BYTES));
      const part = bytes.subarray(done, done + ARENA_BLOCK_BYTES - offset);
      this.#blocks[this.#blocks.length - 1].set(part, offset);
      this.#end += part.length;
      done += part.length;
    }
  }

  #copy(position: number, target: Uint8Array): void {
    for (let done = 0; done < target.length;) {
      const offset = (position + done) % ARENA_BLOCK_BYTES;
      const block = this.#blocks[Math.floor((position + done) / ARENA_BLOCK_BYTES)];
      const part = block.subarray(offset, offset + target.length - done);
      target.set(part, done);
      done += part.length;
    }
  }

  #compact(): void {
    const old = new TextArena();
    old.#blocks = this.#blocks;
    this.#blocks = [];
    this.#end = 0;
    for (let row = 0; row < this.#rowCount; row++) {
      const bytes = new Uint8Array(this.#lengths[row]);
      old.#copy(this.#positions[row], bytes);
      this.#positions[row] = this.#end;
      this.#append(bytes);
    }
  }

  #grow(): void {
    const positions = new Float64Array(this.#positions.length * 2);
    positions.set(this.#positions);
    this.#positions = positions;
    const lengths = new Uint32Array(this.#lengths.length * 2);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }
}
