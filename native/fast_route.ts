/**
 * A route that is answered inside the listener thread: by a synchronous function, from memory whose address is known.
 * Whatever it does not answer goes to the handler of `serve`.
 */
export interface FastRoute {
  /** The path, exactly. */
  readonly path: string;
  /** What is answered: GET and HEAD without a body, unless said otherwise, or POST. */
  readonly method?: "GET" | "POST";
  /**
   * Bytes of a POST's body, up to {@linkcode FAST_BODY_BYTES_MAX}, which is also what it is unless said otherwise. The
   * route is asked when all of it is there. The handler gets what is longer, what comes in chunks, and a body that
   * waits for 100 Continue.
   */
  readonly bodyBytesMax?: number;
  /**
   * Answers a request. It must not wait for anything, and should take microseconds: the thread serves nobody else
   * meanwhile.
   *
   * @param request Valid during the call
   * @param answer Valid during the call: first {@linkcode FastAnswer.begin}, then fields, then
   * {@linkcode FastAnswer.endHead}, then the body
   * @returns False, before anything was begun, if the handler of `serve` should answer
   */
  answer(request: FastRequest, answer: FastAnswer): boolean;
}

/** A request, as positions in its bytes. */
export interface FastRequest {
  /** Holds the head, and the body of a POST; the listener's again when the call is over. */
  readonly bytes: Uint8Array;
  readonly isHead: boolean;
  readonly targetStart: number;
  /** Where the path ends. */
  readonly pathEnd: number;
  /** Where the query begins, behind "?"; where there is none, `targetEnd`. */
  readonly queryStart: number;
  readonly targetEnd: number;
  /** Where the body begins and ends: the same where there is none. A gate may only read it as far as it has come. */
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** Four positions a field: where its name begins and ends, where its value begins and ends. */
  readonly fields: Int32Array;
  /**
   * The place in {@linkcode FastRequest.fields} of a header field, or -1.
   *
   * @param name In lower case
   */
  fieldIndex(name: string): number;
  /** Bytes as text, each a character. */
  text(start: number, end: number): string;
  /**
   * The values of all fields of a name, joined by ", " as RFC 9110 section 5.3 has it; empty where there is none.
   *
   * @param name In lower case
   */
  fieldText(name: string): string;
}

/** An answer while it is put together. */
export interface FastAnswer {
  /** Copies the beginning of a head: status, Date, and the fields of the template. */
  begin(template: HeadTemplate): void;
  /** Writes ASCII text: header fields with their CR LF, or a body. */
  writeText(text: string): void;
  /** Copies bytes, of the head or of the body. */
  writeBytes(bytes: Uint8Array, from: number, to: number): void;
  /** Ends the head; exactly as many bytes of body must follow. */
  endHead(contentLength: number): void;
  /**
   * Adds bytes of the body that the kernel sends from where they lie. They must stay there until `onSent` is called.
   */
  addMemory(address: number, byteLength: number): void;
  /**
   * Has the memory counted as in use until the answer was sent, or will not be. Answers to pipelined requests are sent
   * together: they can use one such memory.
   */
  onSent(release: ReleasedMemory): void;
}

/** Memory that answers are sent from, with a count of those that do. */
export interface ReleasedMemory {
  /** Answers in flight that use it. The listener counts up at {@linkcode FastAnswer.onSent}, and down when it was sent. */
  inFlight: number;
  /** Called when the count comes to zero. */
  released(): void;
}

const encoder = new TextEncoder();
const DATE_LENGTH = 29;

/**
 * The beginning of heads that only differ in their Date: made once, copied for each answer.
 *
 * @example
 * ```ts
 * import { HeadTemplate } from "./fast_route.ts";
 *
 * const json = new HeadTemplate(200, "OK", { "content-type": "application/json" });
 * ```
 */
export class HeadTemplate {
  readonly status: number;
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** The same as words, as long as the last of them reaches. */
  readonly words: Uint32Array;
  readonly byteLength: number;
  readonly #dateOffset: number;
  #second = -1;

  /**
   * @param reason The words beside the status
   * @param fields Header fields by name; Date, Content-Length and Connection are the listener's
   */
  constructor(status: number, reason: string, fields: Readonly<Record<string, string>>) {
    this.status = status;
    const start = `HTTP/1.1 ${status} ${reason}\r\ndate: `;
    const rest = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const text = encoder.encode(`${start}${" ".repeat(DATE_LENGTH)}\r\n${rest}`);
    this.#dateOffset = start.length;
    this.byteLength = text.length;
    this.words = new Uint32Array(Math.ceil(text.length / 4));
    this.bytes = new Uint8Array(this.words.buffer);
    this.bytes.set(text);
  }

  /** Brings its Date up to a second. */
  setDate(second: number, date: Uint8Array): void {
    if (this.#second === second) return;
    this.#second = second;
    this.bytes.set(date, this.#dateOffset);
  }
}

/** A Date as HTTP has it (RFC 9110 section 5.6.7). */
export function httpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString();
}
