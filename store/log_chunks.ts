import { CHUNK_TEXT_MAX } from "./limits.ts";
import { decodeValue, deflateValue, inflateValue } from "./value_codec.ts";

const encoder = new TextEncoder();
const NEWLINE = 10;

/** Collects the lines of one version's log and cuts them into chunks that each fit a value. */
export class LogChunks {
  readonly chunks: Uint8Array<ArrayBuffer>[] = [];
  #lines: string[] = [];
  #length = 0;

  /** Adds a line; each line alone must fit a chunk (see `encodeValue`). */
  add(line: string): void {
    this.#lines.push(line);
    this.#length += line.length + 1;
    if (this.#length >= CHUNK_TEXT_MAX) this.finish();
  }

  /** Closes the chunk that is being filled. */
  finish(): void {
    if (this.#lines.length > 0) this.#close(this.#lines);
    this.#lines = [];
    this.#length = 0;
  }

  #close(lines: string[]): void {
    const chunk = deflateValue(encoder.encode(lines.join("\n")));
    if (chunk !== null) {
      this.chunks.push(chunk);
    } else {
      // Text that hardly deflates: half of it at a time.
      if (lines.length === 1) throw new Error("a line that does not fit a chunk was not set aside");
      const middle = lines.length >> 1;
      this.#close(lines.slice(0, middle));
      this.#close(lines.slice(middle));
    }
  }
}

/** The lines of a chunk. */
export function linesOfChunk(chunk: Uint8Array): string[] {
  return decodeValue(chunk).split("\n");
}

/** The same as UTF-8, as views on one buffer: for what goes from the log to the store without being read. */
export function* byteLinesOfChunk(chunk: Uint8Array): Generator<Uint8Array> {
  const bytes = inflateValue(chunk);
  for (let from = 0; from < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, from);
    const to = newline < 0 ? bytes.length : newline;
    yield bytes.subarray(from, to);
    from = to + 1;
  }
}
