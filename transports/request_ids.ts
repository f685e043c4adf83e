import type { FastAnswer, FastRequest } from "../native/mod.ts";

const NAME = "x-request-id: ";
const DIGITS = 12;
const ZERO = 48, NINE = 57;
const ID_BYTES_MAX = 128;
/** The characters of a sane id, as in the app. */
const SANE = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  if (/[\w.:+\/=@-]/.test(String.fromCharCode(byte)) && byte < 128) SANE[byte] = 1;
}

/** Writes X-Request-ID: the client's own where it is sane, else one that no other request has. Nothing is allocated. */
export class RequestIds {
  /** A whole header line; the number at its end counts in place. */
  readonly #line: Uint8Array;
  readonly #last: number;

  constructor() {
    const prefix = crypto.randomUUID().slice(0, 13).replace("-", "");
    this.#line = new TextEncoder().encode(`${NAME}${prefix}-${"0".repeat(DIGITS)}\r\n`);
    this.#last = this.#line.length - 3;
  }

  /**
   * Writes the field to the head of an answer.
   *
   * @param request `null` where none could be read
   */
  write(request: FastRequest | null, answer: FastAnswer): void {
    const at = request?.fieldIndex("x-request-id") ?? -1;
    if (request !== null && at >= 0) {
      const start = request.fields[at + 2], end = request.fields[at + 3];
      if (isSane(request.bytes, start, end)) {
        answer.writeText(NAME);
        answer.writeBytes(request.bytes, start, end);
        answer.writeText("\r\n");
        return;
      }
    }
    this.#count();
    answer.writeBytes(this.#line, 0, this.#line.length);
  }

  /** The id that was last written, for the same request. */
  last(request: FastRequest): string {
    const at = request.fieldIndex("x-request-id");
    if (at >= 0 && isSane(request.bytes, request.fields[at + 2], request.fields[at + 3])) {
      return request.text(request.fields[at + 2], request.fields[at + 3]);
    }
    return new TextDecoder().decode(this.#line.subarray(NAME.length, this.#last + 1));
  }

  #count(): void {
    const line = this.#line;
    let at = this.#last;
    while (line[at] === NINE) line[at--] = ZERO;
    line[at]++;
  }
}

function isSane(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end || end - start > ID_BYTES_MAX) return false;
  for (let i = start; i < end; i++) if (SANE[bytes[i]] === 0) return false;
  return true;
}
