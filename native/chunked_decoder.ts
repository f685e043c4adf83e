import { CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX } from "./limits.ts";
import { isTokenByte } from "./request_parser.ts";

/** A chunked body that cannot be one. */
export class ChunkedError extends Error {
  override name = "ChunkedError";
  /** The status that its request is refused with. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const LF = 10, CR = 13, COLON = 58, SEMICOLON = 59, TAB = 9, SPACE = 32;
/** What the next byte is part of. */
type State =
  | "size"
  | "size space"
  | "extension"
  | "size line feed"
  | "data"
  | "data return"
  | "data line feed"
  | "trailer start"
  | "trailer"
  | "trailer line feed"
  | "end line feed"
  | "done";

/**
 * Takes a chunked body apart (RFC 9112 section 7.1), over any split of its bytes. Extensions and trailers are read and
 * dropped.
 *
 * @example
 * ```ts
 * import { ChunkedDecoder } from "./chunked_decoder.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const decoder = new ChunkedDecoder();
 * const bytes = new TextEncoder().encode("3;a=b\r\nabc\r\n0\r\n\r\nGET");
 * const parts: string[] = [];
 * const end = decoder.decode(bytes, 0, bytes.length, (part) => parts.push(new TextDecoder().decode(part)));
 * assertEquals([parts, decoder.isDone, end], [["abc"], true, bytes.length - 3]);
 * ```
 */
export class ChunkedDecoder {
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  #trailerBytes = 0;
  /** The name of the trailer field that is being read has ended. */
  #hasTrailerName = false;

  /** Whether the body is complete. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * Goes on with the next bytes.
   *
   * @param onData Called with parts of the body: views on `bytes`, valid during the call
   * @returns Where the body, or what is there of it, ends
   * @throws {ChunkedError} If it is no chunked body
   */
  decode(
    bytes: Uint8Array,
    from: number,
    to: number,
    onData: (part: Uint8Array) => void,
  ): number {
    let i = from;
    while (i < to && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(to, i + this.#size);
        onData(bytes.subarray(i, end));
        this.#size -= end - i;
        i = end;
        if (this.#size === 0) this.#state = "data return";
        continue;
      }
      this.#takeByte(bytes[i++]);
    }
    return i;
  }

  #takeByte(byte: number): void {
    switch (this.#state) {
      case "size":
        this.#takeSize(byte);
        return;
      case "size space":
        // "Bad whitespace", to be accepted before an extension (RFC 9112 section 7.1.1).
        if (byte === SEMICOLON) this.#state = "extension";
        else if (byte === CR) this.#state = "size line feed";
        else if (byte !== SPACE && byte !== TAB || ++this.#lineBytes > CHUNK_LINE_BYTES_MAX) {
          throw new ChunkedError(400, "the size of a chunk is no hexadecimal number");
        }
        return;
      case "extension":
        if (++this.#lineBytes > CHUNK_LINE_BYTES_MAX) {
          throw new ChunkedError(400, `the line of a chunk has over ${CHUNK_LINE_BYTES_MAX} bytes`);
        }
        if (byte === CR) this.#state = "size line feed";
        else if (!isText(byte)) throw new ChunkedError(400, "a chunk extension is no text");
        return;
      case "size line feed":
        expect(byte, LF, "the line of a chunk ends with CR and LF");
        this.#state = this.#size === 0 ? "trailer start" : "data";
        return;
      case "data return":
        expect(byte, CR, "a chunk is longer than its size");
        this.#state = "data line feed";
        return;
      case "data line feed":
        expect(byte, LF, "a chunk is longer than its size");
        this.#state = "size";
        this.#digits = this.#lineBytes = 0;
        return;
      case "trailer start":
        this.#hasTrailerName = false;
        if (byte === CR) this.#state = "end line feed";
        else if (byte === COLON) throw new ChunkedError(400, "a trailer has no name");
        else this.#takeTrailer(byte);
        return;
      case "trailer":
        this.#takeTrailer(byte);
        return;
      case "trailer line feed":
        expect(byte, LF, "a trailer ends with CR and LF");
        this.#state = "trailer start";
        return;
      case "end line feed":
        expect(byte, LF, "a chunked body ends with CR and LF");
        this.#state = "done";
    }
  }

  #takeSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      // 13 digits are 2^52, beyond any limit on bodies, and exact.
      if (++this.#digits > 13) throw new ChunkedError(400, "the size of a chunk is beyond reason");
      this.#size = this.#size * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw new ChunkedError(400, "a chunk begins with its size");
    if (byte === CR) this.#state = "size line feed";
    else if (byte === SEMICOLON) this.#state = "extension";
    else if (byte === SPACE || byte === TAB) this.#state = "size space";
    else throw new ChunkedError(400, "the size of a chunk is no hexadecimal number");
  }

  #takeTrailer(byte: number): void {
    if (++this.#trailerBytes > TRAILER_BYTES_MAX) {
      throw new ChunkedError(431, `trailers have over ${TRAILER_BYTES_MAX} bytes`);
    }
    this.#state = "trailer";
    if (this.#hasTrailerName) {
      if (byte === CR) this.#state = "trailer line feed";
      else if (!isText(byte)) throw new ChunkedError(400, "a trailer is no text");
    } else if (byte === COLON) this.#hasTrailerName = true;
    else if (!isTokenByte(byte)) throw new ChunkedError(400, "a trailer has a name and a colon");
  }
}

function expect(byte: number, wanted: number, message: string): void {
  if (byte !== wanted) throw new ChunkedError(400, message);
}

function isText(byte: number): boolean {
  return byte >= SPACE && byte !== 0x7f || byte === TAB;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
