import { FIELDS_MAX, HEAD_BYTES_MAX, METHOD_BYTES_MAX, TARGET_BYTES_MAX } from "./limits.ts";

/** What {@linkcode RequestParser.parse} returns when the head goes on behind the bytes that are there. */
export const INCOMPLETE = -1;

// Classes of bytes, as bits of a table. A lookup costs less than two comparisons.
const TOKEN = 1, VALUE = 2, TARGET = 4, HOST = 8, DIGIT = 16, ADDRESS = 32, HEX = 64;
const CLASS = new Uint8Array(256);
for (let byte = 0x21; byte < 0x7f; byte++) CLASS[byte] |= VALUE | TARGET;
// obs-text, space and tab are part of a field value (RFC 9110 section 5.5).
for (let byte = 0x80; byte < 0x100; byte++) CLASS[byte] |= VALUE;
CLASS[0x20] |= VALUE;
CLASS[0x09] |= VALUE;
const ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
// RFC 9110 section 5.6.2
for (const character of ALPHANUMERIC + "!#$%&'*+-.^_`|~") CLASS[character.charCodeAt(0)] |= TOKEN;
// uri-host [ ":" port ] (RFC 9110 section 7.2, RFC 3986 section 3.2.2)
for (const character of ALPHANUMERIC + "-._~!$&'()*+,;=") CLASS[character.charCodeAt(0)] |= HOST;
// Between the brackets of an address.
for (const character of ALPHANUMERIC + ":.") CLASS[character.charCodeAt(0)] |= ADDRESS;
// A fragment never leaves its client (RFC 9110 section 4.2.5).
CLASS[0x23] &= ~TARGET;
for (const character of "0123456789") CLASS[character.charCodeAt(0)] |= DIGIT;
for (const character of "0123456789ABCDEFabcdef") CLASS[character.charCodeAt(0)] |= HEX;

const TAB = 9, LF = 10, CR = 13, SPACE = 32, ASTERISK = 42, COMMA = 44, SLASH = 47, COLON = 58;
const LETTER_G = 71, LETTER_E = 69, LETTER_T = 84, LETTER_H = 72, LETTER_A = 65, LETTER_D = 68;
const LETTER_P = 80, LETTER_O = 79, LETTER_S = 83, DOT = 46, ZERO = 48, ONE = 49;
const PERCENT = 37, BRACKET = 91, CLOSING_BRACKET = 93;

/** Characters that are made of bytes in one call; more would not fit the stack. */
const CHARACTERS_MAX = 8_192;

/**
 * Reads the head of an HTTP/1.x request from bytes, in one pass and without allocating: what it found is in its
 * properties, as positions in the bytes, until it parses again. It follows RFC 9112 and is strict where leniency has let
 * requests be smuggled: no bare CR or LF, no obs-fold, no space before a colon, one Host, never both Content-Length and
 * Transfer-Encoding. One parser serves a thread. It costs about 1 ns a byte.
 *
 * @example
 * ```ts
 * import { RequestParser } from "./request_parser.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new RequestParser();
 * const bytes = new TextEncoder().encode("GET /a?b HTTP/1.1\r\nHost: example.com\r\n\r\n");
 * assertEquals(parser.parse(bytes, 0, bytes.length), bytes.length);
 * assertEquals(parser.text(parser.targetStart, parser.targetEnd), "/a?b");
 * assertEquals(parser.text(...parser.field("host")!), "example.com");
 * ```
 */
export class RequestParser {
  /** The bytes that the positions below lie in. */
  bytes: Uint8Array = new Uint8Array(0);
  methodStart = 0;
  methodEnd = 0;
  isGet = false;
  isHead = false;
  targetStart = 0;
  /** Where the query begins, behind "?"; `targetEnd` where there is none. */
  queryStart = 0;
  /** Where the path ends: at "?", or with the target. */
  pathEnd = 0;
  targetEnd = 0;
  /** Where the head ends and the body begins. */
  bodyStart = 0;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. A later HTTP/1.x is answered as 1.1. */
  minorVersion = 1;
  fieldCount = 0;
  /** Four positions a field: where its name begins and ends, where its value begins and ends. */
  readonly fields: Int32Array<ArrayBuffer> = new Int32Array(FIELDS_MAX * 4);
  /** Bytes of the body by Content-Length; -1 without one. */
  contentLength = -1;
  isChunked = false;
  /** Whether the connection can be used again after the answer, as far as the request says. */
  keepsAlive = true;
  expectsContinue = false;
  /** Why a request was refused: a code, and words for people. */
  refusalCode = "";
  refusalText = "";

  #hasHost = false;
  #hasTransferEncoding = false;
  #closes = false;

  /**
   * Parses one head.
   *
   * @param bytes Read until the next call
   * @param from Where the head begins
   * @param to Where the bytes end
   * @returns Where the head ends and the body begins; {@linkcode INCOMPLETE}; or, negative, the status of a refusal
   */
  parse(bytes: Uint8Array, from: number, to: number): number {
    this.bytes = bytes;
    this.isGet = this.isHead = false;
    let i = from;
    // An empty line before a request is ignored (RFC 9112 section 2.2).
    while (i < to && bytes[i] === CR) {
      if (i + 1 === to) return INCOMPLETE;
      if (bytes[i + 1] !== LF) return this.#refuse(400, "bad_request", "a CR without its LF");
      i += 2;
    }

    this.methodStart = i;
    while (i < to && (CLASS[bytes[i]] & TOKEN) !== 0) i++;
    const methodLength = i - this.methodStart;
    if (methodLength > METHOD_BYTES_MAX) {
      return this.#refuse(400, "bad_request", `a method has ${METHOD_BYTES_MAX} bytes at most`);
    }
    if (i === to) return INCOMPLETE;
    if (bytes[i] !== SPACE || methodLength === 0) {
      return this.#refuse(400, "bad_request", "a request begins with a method and one space");
    }
    this.methodEnd = i;
    this.#readMethod();

    this.targetStart = ++i;
    let query = 0;
    for (; i < to && (CLASS[bytes[i]] & TARGET) !== 0; i++) {
      if (query === 0 && bytes[i] === 63) query = i;
    }
    if (i - this.targetStart > TARGET_BYTES_MAX) {
      return this.#refuse(
        414,
        "uri_too_long",
        `path and query may have ${TARGET_BYTES_MAX} characters`,
      );
    }
    if (i === to) return INCOMPLETE;
    this.targetEnd = i;
    this.pathEnd = query === 0 ? i : query;
    this.queryStart = query === 0 ? i : query + 1;
    if (bytes[i] !== SPACE || i === this.targetStart) {
      return this.#refuse(400, "bad_request", "the target ends with one space and the version");
    }

    // "HTTP/1.1" CR LF
    const version = ++i;
    const problem = this.#versionProblem(version, to);
    if (problem !== 0) return problem;
    i = version + 8;
    if (i >= to) return INCOMPLETE;
    if (bytes[i] !== CR) return this.#refuse(400, "bad_request", "the version ends its line");
    if (i + 1 >= to) return INCOMPLETE;
    if (bytes[i + 1] !== LF) return this.#refuse(400, "bad_request", "a CR without its LF");
    i += 2;

    this.keepsAlive = this.minorVersion === 1;
    this.fieldCount = 0;
    this.contentLength = -1;
    this.isChunked = this.expectsContinue = false;
    this.#hasHost = this.#hasTransferEncoding = this.#closes = false;
    const limit = from + HEAD_BYTES_MAX;
    for (;;) {
      if (i > limit) return this.#headTooLarge();
      if (i >= to) return INCOMPLETE;
      const nameStart = i;
      while (i < to && (CLASS[bytes[i]] & TOKEN) !== 0) i++;
      if (i >= to) return i > limit ? this.#headTooLarge() : INCOMPLETE;
      const nameEnd = i;
      if (bytes[i] !== COLON || nameEnd === nameStart) {
        if (bytes[i] === CR && nameEnd === nameStart) {
          if (i + 1 >= to) return INCOMPLETE;
          if (bytes[i + 1] !== LF) return this.#refuse(400, "bad_request", "a CR without its LF");
          i += 2;
          break;
        }
        return this.#badName(nameStart, nameEnd);
      }
      i++;
      while (i < to && (bytes[i] === SPACE || bytes[i] === TAB)) i++;
      const valueStart = i;
      while (i < to && (CLASS[bytes[i]] & VALUE) !== 0) i++;
      if (i + 1 >= to) {
        if (i > limit) return this.#headTooLarge();
        if (i === to || bytes[i] === CR) return INCOMPLETE;
      }
      if (bytes[i] !== CR || bytes[i + 1] !== LF) {
        return this.#refuse(
          400,
          "bad_request",
          "a field has a control character, or ends without CR and LF",
        );
      }
      let valueEnd = i;
      while (
        valueEnd > valueStart && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)
      ) valueEnd--;
      i += 2;
      if (this.fieldCount === FIELDS_MAX) {
        return this.#refuse(431, "too_many_fields", `a head has ${FIELDS_MAX} fields at most`);
      }
      const at = this.fieldCount++ * 4;
      this.fields[at] = nameStart;
      this.fields[at + 1] = nameEnd;
      this.fields[at + 2] = valueStart;
      this.fields[at + 3] = valueEnd;
      const length = nameEnd - nameStart;
      // The five names that matter here, told apart by their length first.
      if (length === 4 || length === 6 || length === 10 || length === 14 || length === 17) {
        const refused = this.#readField(length, nameStart, valueStart, valueEnd);
        if (refused !== 0) return refused;
      }
    }
    if (i - from > HEAD_BYTES_MAX) return this.#headTooLarge();
    this.bodyStart = i;
    return this.#checked(i);
  }

  /** Where a body ends that has a Content-Length; `bodyStart` without one. */
  get bodyEnd(): number {
    return this.contentLength > 0 ? this.bodyStart + this.contentLength : this.bodyStart;
  }

  /** Whether the method is POST. */
  get isPost(): boolean {
    const { bytes, methodStart: at, methodEnd } = this;
    return methodEnd - at === 4 && bytes[at] === LETTER_P && bytes[at + 1] === LETTER_O &&
      bytes[at + 2] === LETTER_S && bytes[at + 3] === LETTER_T;
  }

  /**
   * Finds a header field.
   *
   * @param name In lower case
   * @returns Where its value begins and ends, or `null`; of several, the first
   */
  field(name: string): [start: number, end: number] | null {
    const at = this.fieldIndex(name);
    return at < 0 ? null : [this.fields[at + 2], this.fields[at + 3]];
  }

  /** The values of all fields of a name, joined by ", "; empty where there is none. */
  fieldText(name: string): string {
    let joined = "";
    for (let at = this.fieldIndex(name); at >= 0; at = this.fieldIndex(name, at + 4)) {
      const text = this.text(this.fields[at + 2], this.fields[at + 3]);
      joined = joined === "" ? text : `${joined}, ${text}`;
    }
    return joined;
  }

  /**
   * The place in {@linkcode RequestParser.fields} of a field, or -1; without allocating.
   *
   * @param from The place from which on it is looked for
   */
  fieldIndex(name: string, from = 0): number {
    const { fields, bytes } = this;
    const length = name.length;
    for (let at = from; at < this.fieldCount * 4; at += 4) {
      const start = fields[at];
      if (fields[at + 1] - start !== length) continue;
      let k = 0;
      // Names are tokens: of those only letters differ from their lower case, by this bit.
      while (k < length && lower(bytes[start + k]) === name.charCodeAt(k)) k++;
      if (k === length) return at;
    }
    return -1;
  }

  /** Bytes as text, each a character. */
  text(start: number, end: number): string {
    // Not by a decoder: what they call latin1 is windows-1252.
    if (end - start <= CHARACTERS_MAX) {
      return String.fromCharCode.apply(
        null,
        this.bytes.subarray(start, end) as unknown as number[],
      );
    }
    return this.text(start, start + CHARACTERS_MAX) + this.text(start + CHARACTERS_MAX, end);
  }

  /** All fields as text. */
  fieldList(): [name: string, value: string][] {
    const list: [string, string][] = [];
    for (let at = 0; at < this.fieldCount * 4; at += 4) {
      const { fields } = this;
      list.push([
        this.text(fields[at], fields[at + 1]),
        this.text(fields[at + 2], fields[at + 3]),
      ]);
    }
    return list;
  }

  #readMethod(): void {
    const { bytes, methodStart: at, methodEnd } = this;
    const length = methodEnd - at;
    this.isGet = length === 3 && bytes[at] === LETTER_G && bytes[at + 1] === LETTER_E &&
      bytes[at + 2] === LETTER_T;
    this.isHead = length === 4 && bytes[at] === LETTER_H && bytes[at + 1] === LETTER_E &&
      bytes[at + 2] === LETTER_A && bytes[at + 3] === LETTER_D;
  }

  /** The status of a refusal, or 0 as far as the version is there and can be answered. */
  #versionProblem(at: number, to: number): number {
    const { bytes } = this;
    const NAME = [LETTER_H, LETTER_T, LETTER_T, LETTER_P, SLASH];
    if (
      to - at >= 8 && bytes[at] === LETTER_H && bytes[at + 1] === LETTER_T &&
      bytes[at + 2] === LETTER_T && bytes[at + 3] === LETTER_P && bytes[at + 4] === SLASH &&
      bytes[at + 5] === ONE && bytes[at + 6] === DOT && (CLASS[bytes[at + 7]] & DIGIT) !== 0
    ) {
      this.minorVersion = bytes[at + 7] === ZERO ? 0 : 1;
      return 0;
    }
    for (let k = 0; k < 5 && at + k < to; k++) {
      if (bytes[at + k] !== NAME[k]) {
        return this.#refuse(400, "bad_request", "the version is written HTTP/1.1");
      }
    }
    const isDigit = (place: number) => (CLASS[bytes[place]] & DIGIT) !== 0;
    if (
      (to > at + 5 && !isDigit(at + 5)) || (to > at + 6 && bytes[at + 6] !== DOT) ||
      (to > at + 7 && !isDigit(at + 7))
    ) return this.#refuse(400, "bad_request", "the version is written HTTP/1.1");
    if (to < at + 8) return 0;
    return this.#refuse(505, "http_version_not_supported", "this is a server of HTTP/1.1");
  }

  #readField(length: number, name: number, start: number, end: number): number {
    const { bytes } = this;
    switch (length) {
      case 4:
        if (!isName(bytes, name, "host")) return 0;
        if (this.#hasHost) return this.#refuse(400, "bad_request", "Host is given twice");
        this.#hasHost = true;
        return isHost(bytes, start, end)
          ? 0
          : this.#refuse(400, "bad_request", "Host is no host and port");
      case 6:
        if (!isName(bytes, name, "expect")) return 0;
        if (!isText(bytes, start, end, "100-continue")) {
          return this.#refuse(417, "expectation_failed", "only 100-continue can be expected");
        }
        this.expectsContinue = this.minorVersion === 1;
        return 0;
      case 10:
        if (isName(bytes, name, "connection")) this.#readConnection(start, end);
        return 0;
      case 14:
        return isName(bytes, name, "content-length") ? this.#readContentLength(start, end) : 0;
      default:
        return isName(bytes, name, "transfer-encoding")
          ? this.#readTransferEncoding(start, end)
          : 0;
    }
  }

  /** RFC 9112 section 9.3 */
  #readConnection(start: number, end: number): void {
    const { bytes } = this;
    for (let at = start; at < end;) {
      while (at < end && (bytes[at] === SPACE || bytes[at] === TAB || bytes[at] === COMMA)) at++;
      const from = at;
      while (at < end && bytes[at] !== COMMA && bytes[at] !== SPACE && bytes[at] !== TAB) at++;
      if (isText(bytes, from, at, "close")) {
        this.keepsAlive = false;
        // Nothing else brings it back.
        this.#closes = true;
      } else if (!this.#closes && isText(bytes, from, at, "keep-alive")) this.keepsAlive = true;
    }
  }

  /** RFC 9112 section 6.3: a list, even of equal numbers, is refused. */
  #readContentLength(start: number, end: number): number {
    const { bytes } = this;
    if (this.contentLength >= 0) {
      return this.#refuse(400, "bad_request", "Content-Length is given twice");
    }
    let length = 0;
    for (let k = start; k < end; k++) {
      if ((CLASS[bytes[k]] & DIGIT) === 0) {
        return this.#refuse(400, "bad_request", "Content-Length is no number");
      }
      length = length * 10 + bytes[k] - ZERO;
      if (length > Number.MAX_SAFE_INTEGER) {
        return this.#refuse(400, "bad_request", "Content-Length is beyond reason");
      }
    }
    if (start === end) return this.#refuse(400, "bad_request", "Content-Length is no number");
    this.contentLength = length;
    return 0;
  }

  /** RFC 9112 section 6.1: only "chunked", once. */
  #readTransferEncoding(start: number, end: number): number {
    const { bytes } = this;
    if (this.#hasTransferEncoding) {
      return this.#refuse(400, "bad_request", "Transfer-Encoding is given twice");
    }
    this.#hasTransferEncoding = true;
    if (isText(bytes, start, end, "chunked")) {
      this.isChunked = true;
      return 0;
    }
    const codings = this.text(start, end).toLowerCase().split(",")
      .map((coding) => coding.replace(/^[ \t]+|[ \t]+$/g, ""));
    if (codings.indexOf("chunked") !== codings.length - 1 || codings.includes("")) {
      return this.#refuse(400, "bad_request", "Transfer-Encoding does not end with one chunked");
    }
    return this.#refuse(501, "not_implemented", "the only transfer coding here is chunked");
  }

  /** What can only be told from the whole head. */
  #checked(end: number): number {
    if (this.#hasTransferEncoding) {
      if (this.contentLength >= 0) {
        return this.#refuse(
          400,
          "bad_request",
          "a body has Content-Length or Transfer-Encoding, not both",
        );
      }
      if (this.minorVersion === 0) {
        return this.#refuse(400, "bad_request", "HTTP/1.0 has no Transfer-Encoding");
      }
    }
    if (!this.#hasHost && this.minorVersion === 1) {
      return this.#refuse(400, "bad_request", "a request has a Host");
    }
    const first = this.bytes[this.targetStart];
    const isOrigin = first === SLASH && (this.isGet || this.isHead || !this.#isConnect());
    if (!isOrigin && !this.#isOtherForm(first)) {
      return this.#refuse(400, "bad_request", "the target does not fit the method");
    }
    return end;
  }

  #isConnect(): boolean {
    return this.text(this.methodStart, this.methodEnd) === "CONNECT";
  }

  /** RFC 9112 sections 3.2.2 to 3.2.4 */
  #isOtherForm(first: number): boolean {
    const method = this.text(this.methodStart, this.methodEnd);
    const target = this.text(this.targetStart, this.targetEnd);
    if (first === ASTERISK) return method === "OPTIONS" && target === "*";
    if (method === "CONNECT") return /^[^/?#@]+:\d{1,5}$/.test(target);
    return /^https?:\/\/[^/?#@]+([/?]|$)/i.test(target);
  }

  #badName(start: number, end: number): number {
    const { bytes } = this;
    if (start === end && (bytes[start] === SPACE || bytes[start] === TAB)) {
      return this.#refuse(400, "bad_request", "a field goes on in a second line (obs-fold)");
    }
    if (bytes[end] === SPACE || bytes[end] === TAB) {
      return this.#refuse(400, "bad_request", "there is a space before a colon");
    }
    if (bytes[end] === LF) {
      return this.#refuse(400, "bad_request", "a line ends with CR and LF, not with LF alone");
    }
    return this.#refuse(400, "bad_request", "a field has a name, a colon and a value");
  }

  #headTooLarge(): number {
    return this.#refuse(431, "head_too_large", `a head may have ${HEAD_BYTES_MAX} bytes`);
  }

  #refuse(status: number, code: string, text: string): number {
    this.refusalCode = code;
    this.refusalText = text;
    return -status;
  }
}

/** Whether a byte may be part of the name of a field (RFC 9110 section 5.6.2). */
export function isTokenByte(byte: number): boolean {
  return (CLASS[byte] & TOKEN) !== 0;
}

/** An ASCII letter in lower case; other token characters but "^" and "_" stay what they are, and nobody asks for those. */
function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte | 32 : byte;
}

/** uri-host [ ":" port ], or nothing. */
function isHost(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start;
  if (bytes[i] === BRACKET && i < end) {
    i++;
    while (i < end && (CLASS[bytes[i]] & ADDRESS) !== 0) i++;
    if (i === end || bytes[i] !== CLOSING_BRACKET || i === start + 1) return false;
    i++;
  } else {
    for (; i < end; i++) {
      if ((CLASS[bytes[i]] & HOST) !== 0) continue;
      if (bytes[i] !== PERCENT) break;
      if (i + 2 >= end || (CLASS[bytes[i + 1]] & CLASS[bytes[i + 2]] & HEX) === 0) return false;
      i += 2;
    }
  }
  if (i === end) return true;
  if (bytes[i++] !== COLON) return false;
  while (i < end && (CLASS[bytes[i]] & DIGIT) !== 0) i++;
  return i === end;
}

function isName(bytes: Uint8Array, at: number, name: string): boolean {
  for (let k = 0; k < name.length; k++) {
    if (lower(bytes[at + k]) !== name.charCodeAt(k)) return false;
  }
  return true;
}

function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  return end - start === text.length && isName(bytes, start, text);
}
