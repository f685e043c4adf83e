import { ChunkedDecoder, ChunkedError } from "../native/chunked_decoder.ts";
import { HEAD_BYTES_MAX } from "./limits.ts";

const TAB = 9, LF = 10, CR = 13, SPACE = 32, COLON = 58, ZERO = 48, NINE = 57, DELETE = 127;
const VERSION = latin1("HTTP/1.");
const CONTENT_LENGTH = latin1("content-length");
const TRANSFER_ENCODING = latin1("transfer-encoding");
const CONNECTION = latin1("connection");
const CHUNKED = latin1("chunked");
const CLOSE = latin1("close");
const KEEP_ALIVE = latin1("keep-alive");
/** Digits of a Content-Length: more are beyond what a number holds exactly. */
const LENGTH_DIGITS_MAX = 15;

// What of an answer comes next.
const HEAD = 0, LENGTH = 1, CHUNKS = 2, UNTIL_CLOSE = 3;
// What parsing a head may give instead of its end.
const INCOMPLETE = -1, MALFORMED = -2;

/** What a parser tells. */
export interface ResponseEvents {
  /** Whether a request is unanswered: bytes that come when none is belong to nothing. */
  isAnswerDue(connection: number): boolean;
  /** A part of a body, if bodies are wanted. Valid during the call. */
  body(connection: number, bytes: Uint8Array, from: number, to: number): void;
  /**
   * An answer has come whole.
   *
   * @param bodyBytes Its body's length, transfer coding taken off
   * @param isKept Whether the connection can be used again
   * @returns Whether to go on with what is behind it
   */
  answered(connection: number, status: number, bodyBytes: number, isKept: boolean): boolean;
}

/** How a parser is made. */
export interface ResponseParserOptions {
  /** Connections, numbered from 0. */
  connections: number;
  /** Answers to HEAD have no bodies. */
  isHead: boolean;
  /** Whether {@linkcode ResponseEvents.body} is called. */
  areBodiesWanted: boolean;
  events: ResponseEvents;
}

/**
 * Reads answers of HTTP/1.1 and 1.0 (RFC 9112) on any number of connections, over any split of their bytes. An answer
 * whose head comes whole is parsed where it lies, at about a nanosecond a byte; only a head that comes in pieces is
 * copied.
 */
export class ResponseParser {
  readonly #isHead: boolean;
  readonly #areBodiesWanted: boolean;
  readonly #events: ResponseEvents;
  // Of each connection.
  readonly #modes: Uint8Array;
  readonly #statuses: Uint16Array;
  readonly #kept: Uint8Array;
  /** Bytes of the body that are missing. */
  readonly #missing: Float64Array;
  /** Bytes of the body that have come. */
  readonly #bodyBytes: Float64Array;
  readonly #heads: (Uint8Array | null)[];
  readonly #decoders: (ChunkedDecoder | null)[];
  // Of the head that was parsed last.
  #status = 0;
  #length = -1;
  #isChunked = false;
  #isKept = true;
  #problem = "";

  constructor({ connections, isHead, areBodiesWanted, events }: ResponseParserOptions) {
    this.#isHead = isHead;
    this.#areBodiesWanted = areBodiesWanted;
    this.#events = events;
    this.#modes = new Uint8Array(connections);
    this.#statuses = new Uint16Array(connections);
    this.#kept = new Uint8Array(connections);
    this.#missing = new Float64Array(connections);
    this.#bodyBytes = new Float64Array(connections);
    this.#heads = new Array(connections).fill(null);
    this.#decoders = new Array(connections).fill(null);
  }

  /** Forgets what a connection was in the middle of. */
  reset(connection: number): void {
    this.#modes[connection] = HEAD;
    this.#heads[connection] = null;
    this.#decoders[connection] = null;
  }

  /**
   * Takes bytes of a connection.
   *
   * @returns `null`, or in words why they are no answer; the connection is of no use then
   */
  take(connection: number, bytes: Uint8Array, from: number, to: number): string | null {
    while (from < to) {
      const mode = this.#modes[connection];
      if (mode === HEAD) {
        if (!this.#events.isAnswerDue(connection)) {
          return `${to - from} bytes came that belong to no answer`;
        }
        const end = this.#heads[connection] === null
          ? this.#parseHead(bytes, from, to)
          : this.#resumeHead(connection, bytes, from, to);
        if (end === MALFORMED) return this.#problem;
        if (end === INCOMPLETE) return this.#keepHead(connection, bytes, from, to);
        from = end;
        if (!this.#beginBody(connection)) return null;
      } else if (mode === LENGTH) {
        const end = Math.min(to, from + this.#missing[connection]);
        this.#takeBody(connection, bytes, from, end);
        this.#missing[connection] -= end - from;
        from = end;
        if (this.#missing[connection] === 0 && !this.#endBody(connection)) return null;
      } else if (mode === CHUNKS) {
        const decoder = this.#decoders[connection]!;
        try {
          from = decoder.decode(bytes, from, to, (part) => {
            this.#takeBody(connection, part, 0, part.length);
          });
        } catch (error) {
          if (error instanceof ChunkedError) return error.message;
          throw error;
        }
        if (decoder.isDone && !this.#endBody(connection)) return null;
      } else {
        this.#takeBody(connection, bytes, from, to);
        from = to;
      }
    }
    return null;
  }

  /**
   * Takes the end of a connection. A body that lasts until then is whole.
   *
   * @returns Whether an answer was broken off
   */
  end(connection: number): boolean {
    if (this.#modes[connection] === UNTIL_CLOSE) {
      this.#endBody(connection);
      return false;
    }
    return this.#modes[connection] !== HEAD || this.#heads[connection] !== null;
  }

  /** @returns Whether to go on */
  #beginBody(connection: number): boolean {
    const status = this.#status;
    // Interim answers are followed by the final one.
    if (status < 200) return true;
    this.#statuses[connection] = status;
    this.#kept[connection] = this.#isKept ? 1 : 0;
    this.#bodyBytes[connection] = 0;
    if (this.#isHead || status === 204 || status === 304 || this.#length === 0) {
      return this.#endBody(connection);
    }
    if (this.#isChunked) {
      this.#modes[connection] = CHUNKS;
      this.#decoders[connection] = new ChunkedDecoder();
    } else if (this.#length > 0) {
      this.#modes[connection] = LENGTH;
      this.#missing[connection] = this.#length;
    } else {
      this.#modes[connection] = UNTIL_CLOSE;
      this.#kept[connection] = 0;
    }
    return true;
  }

  #takeBody(connection: number, bytes: Uint8Array, from: number, to: number): void {
    this.#bodyBytes[connection] += to - from;
    if (this.#areBodiesWanted) this.#events.body(connection, bytes, from, to);
  }

  /** @returns Whether to go on */
  #endBody(connection: number): boolean {
    this.#modes[connection] = HEAD;
    this.#decoders[connection] = null;
    return this.#events.answered(
      connection,
      this.#statuses[connection],
      this.#bodyBytes[connection],
      this.#kept[connection] === 1,
    );
  }

  #keepHead(connection: number, bytes: Uint8Array, from: number, to: number): null {
    this.#heads[connection] ??= bytes.slice(from, to);
    return null;
  }

  /** Goes on with a head of which a part is kept; where it ends in `bytes`. */
  #resumeHead(connection: number, bytes: Uint8Array, from: number, to: number): number {
    const before = this.#heads[connection]!;
    const length = Math.min(to - from, HEAD_BYTES_MAX + 1 - before.length);
    const head = new Uint8Array(before.length + length);
    head.set(before);
    head.set(bytes.subarray(from, from + length), before.length);
    const end = this.#parseHead(head, 0, head.length);
    if (end === MALFORMED) return MALFORMED;
    if (end === INCOMPLETE) {
      if (head.length > HEAD_BYTES_MAX) {
        return this.#refuse(`a head has over ${HEAD_BYTES_MAX} bytes`);
      }
      this.#heads[connection] = head;
      return INCOMPLETE;
    }
    this.#heads[connection] = null;
    return from + end - before.length;
  }

  #parseHead(bytes: Uint8Array, from: number, to: number): number {
    const known = Math.min(VERSION.length, to - from);
    for (let i = 0; i < known; i++) {
      if (bytes[from + i] !== VERSION[i]) {
        return this.#refuse("an answer begins with HTTP/1.", bytes, from, to);
      }
    }
    // HTTP/1.1 200, and what ends the status.
    if (to - from < 13) return INCOMPLETE;
    const minor = bytes[from + 7] - ZERO;
    const hundreds = bytes[from + 9] - ZERO, tens = bytes[from + 10] - ZERO;
    const ones = bytes[from + 11] - ZERO, behind = bytes[from + 12];
    if (
      minor !== 0 && minor !== 1 || bytes[from + 8] !== SPACE || hundreds < 1 || hundreds > 5 ||
      tens < 0 || tens > 9 || ones < 0 || ones > 9 || behind !== SPACE && behind !== CR
    ) return this.#refuse("a status line has a version and a status", bytes, from, to);
    this.#status = hundreds * 100 + tens * 10 + ones;
    if (this.#status === 101) return this.#refuse("101 was not asked for", bytes, from, to);
    this.#length = -1;
    this.#isChunked = false;
    this.#isKept = minor === 1;
    let i = from + 12;
    for (;;) {
      // To the end of the line.
      while (i < to && (bytes[i] >= SPACE && bytes[i] !== DELETE || bytes[i] === TAB)) i++;
      if (i < to && bytes[i] !== CR) return this.#refuse("a line is no text", bytes, from, to);
      if (i + 2 >= to) {
        // The end of the head is two bytes more at least.
        return i + 1 < to && bytes[i + 1] !== LF
          ? this.#refuse("a line ends with CR and LF", bytes, from, to)
          : INCOMPLETE;
      }
      if (bytes[i + 1] !== LF) return this.#refuse("a line ends with CR and LF", bytes, from, to);
      i += 2;
      if (bytes[i] === CR) {
        if (i + 1 >= to) return INCOMPLETE;
        if (bytes[i + 1] !== LF) return this.#refuse("a head ends with CR and LF", bytes, from, to);
        return i + 2;
      }
      const name = i;
      while (i < to && bytes[i] > SPACE && bytes[i] < DELETE && bytes[i] !== COLON) i++;
      if (i === to) return INCOMPLETE;
      if (bytes[i] !== COLON || i === name) {
        return this.#refuse("a field has a name and a colon", bytes, from, to);
      }
      const length = i - name;
      if (length === 14 || length === 10 || length === 17) {
        const problem = this.#takeField(bytes, name, length, i + 1, to);
        if (problem !== null) return this.#refuse(problem, bytes, from, to);
      }
    }
  }

  /** Takes one of the three fields that matter; what is wrong with it. A value that has not come whole is looked at again. */
  #takeField(
    bytes: Uint8Array,
    name: number,
    length: number,
    from: number,
    to: number,
  ): string | null {
    if (length === 14) {
      if (!equals(bytes, name, name + 14, CONTENT_LENGTH)) return null;
      if (this.#length >= 0) return "there are two Content-Length";
      if (this.#isChunked) return "there are Content-Length and Transfer-Encoding";
      let i = from, value = 0;
      while (i < to && (bytes[i] === SPACE || bytes[i] === TAB)) i++;
      const first = i;
      for (; i < to && bytes[i] >= ZERO && bytes[i] <= NINE; i++) {
        value = value * 10 + bytes[i] - ZERO;
      }
      if (i === to) return null;
      if (i === first || i - first > LENGTH_DIGITS_MAX) return "Content-Length is no number";
      while (i < to && (bytes[i] === SPACE || bytes[i] === TAB)) i++;
      if (i < to && bytes[i] !== CR) return "Content-Length is no number";
      this.#length = value;
      return null;
    }
    const isConnection = length === 10 && equals(bytes, name, name + 10, CONNECTION);
    if (!isConnection && !(length === 17 && equals(bytes, name, name + 17, TRANSFER_ENCODING))) {
      return null;
    }
    while (from < to && (bytes[from] === SPACE || bytes[from] === TAB)) from++;
    let end = from;
    while (end < to && bytes[end] !== CR) end++;
    if (end === to) return null;
    while (end > from && (bytes[end - 1] === SPACE || bytes[end - 1] === TAB)) end--;
    if (isConnection) {
      if (equals(bytes, from, end, KEEP_ALIVE)) this.#isKept = true;
      else if (equals(bytes, from, end, CLOSE)) this.#isKept = false;
      else if (/(^|,)[ \t]*close[ \t]*(,|$)/i.test(text(bytes, from, end))) this.#isKept = false;
      return null;
    }
    if (this.#isChunked || !equals(bytes, from, end, CHUNKED)) {
      return "Transfer-Encoding is not chunked";
    }
    if (this.#length >= 0) return "there are Content-Length and Transfer-Encoding";
    this.#isChunked = true;
    return null;
  }

  #refuse(problem: string, bytes?: Uint8Array, from = 0, to = 0): number {
    const shown = bytes === undefined
      ? ""
      : `: ${JSON.stringify(text(bytes, from, Math.min(to, from + 80)))}`;
    this.#problem = problem + shown;
    return MALFORMED;
  }
}

/** Whether bytes are a lower-case word, in any case. */
function equals(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    const byte = bytes[from + i];
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== word[i]) return false;
  }
  return true;
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
