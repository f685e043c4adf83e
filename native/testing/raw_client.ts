/**
 * HTTP/1.1 by hand for tests of a server: bytes are sent as they are and in pieces, answers are taken apart strictly,
 * and each way that a connection can end is told from the others.
 *
 * @module
 */

/** An answer as it came. */
export interface RawAnswer {
  /** Statuses of the interim answers before it. */
  interim: number[];
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minorVersion: number;
  status: number;
  reason: string;
  /** Names in lower case. */
  fields: [name: string, value: string][];
  /** Without the chunks' framing. */
  body: Uint8Array<ArrayBuffer>;
  framing: "none" | "length" | "chunked" | "close";
}

/** How the server ended a connection, or that it did not. */
export type Ending = "closed" | "reset" | "open";

/** How a client goes: with FIN, or with the RST that a close with unread bytes gives. */
export type Leaving = "close" | "reset";

/** A connection that ended before an answer did. */
export class ConnectionEnded extends Error {
  override name = "ConnectionEnded";
  readonly isReset: boolean;
  /** Whether any of the answer had come. */
  readonly hasBegun: boolean;

  constructor(isReset: boolean, got: string) {
    const how = isReset ? "reset" : "closed";
    super(`the connection was ${how} before the answer ended: ${JSON.stringify(got)}`);
    this.isReset = isReset;
    this.hasBegun = got.length > 0;
  }
}

/** Bytes that are no answer. */
export class MalformedAnswer extends Error {
  override name = "MalformedAnswer";
}

/** Nothing came within the limit. */
export class TooLate extends Error {
  override name = "TooLate";
}

/** The longest that one connection waits for bytes, in milliseconds. */
const LIMIT_MS = 10_000;
/** Bytes that one read takes. */
const READ_BYTES = 65_536;
/** Bytes that wait at most; a server that sends more is wrong. */
const BUFFER_BYTES_MAX = 64 * 1_048_576;
/** A head that is longer is none of ours. */
const HEAD_BYTES_MAX = 131_072;
/** Bytes of a chunk's line. */
const CHUNK_LINE_BYTES_MAX = 64;
/** Characters of what came that errors show. */
const SHOWN_MAX = 300;

/** How long after its head the first byte of a body may come, in milliseconds, when nothing else tells if there is one. */
const BODY_DELAY_MS = 100;
/** For {@linkcode RawClient.answer}, when the request was not one that can be understood. */
export const UNKNOWN_METHOD = "?";

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/;
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

/** Bytes, one for each character, which must be below 256. */
export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Bytes as text, each a character; what TextDecoder calls latin1 is windows-1252. */
export function latin1Text(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8_192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8_192));
  }
  return text;
}

/** The values of a field, in order. */
export function fieldValues(answer: RawAnswer, name: string): string[] {
  return answer.fields.filter(([other]) => other === name).map(([, value]) => value);
}

/** One connection, read in the background. */
export class RawClient implements AsyncDisposable {
  readonly #connection: Deno.TcpConn;
  readonly #reading: Promise<void>;
  readonly #limitMs: number;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(READ_BYTES);
  #start = 0;
  #end = 0;
  #ending: Ending = "open";
  #isOpen = true;
  #isPaused = false;
  #onChange: (() => void) | null = null;
  #onResume: (() => void) | null = null;

  private constructor(connection: Deno.TcpConn, limitMs: number, isPaused: boolean) {
    this.#connection = connection;
    this.#limitMs = limitMs;
    this.#isPaused = isPaused;
    this.#reading = this.#readAll();
  }

  /**
   * Connects to a port of this host.
   *
   * @param limitMs The longest that it waits for bytes each time
   * @param isPaused Does not read before it is asked for something
   */
  static async open(port: number, limitMs = LIMIT_MS, isPaused = false): Promise<RawClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    // Pieces are to arrive as pieces.
    connection.setNoDelay(true);
    return new RawClient(connection, limitMs, isPaused);
  }

  /** Whether bytes are there that no one has taken. */
  get hasBytes(): boolean {
    return this.#end > this.#start;
  }

  /**
   * Sends bytes.
   *
   * @returns False if the server does not take them any more
   */
  async write(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let rest = bytes; rest.length > 0;) {
        rest = rest.subarray(await this.#connection.write(rest));
      }
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Sends bytes in pieces.
   *
   * @param cuts Where the pieces end, in order
   * @param between Awaited between two pieces
   * @returns False if the server does not take them any more
   */
  async writePieces(
    bytes: Uint8Array,
    cuts: readonly number[],
    between: () => Promise<void> | void = () => {},
  ): Promise<boolean> {
    let start = 0;
    for (const cut of [...cuts, bytes.length]) {
      if (!await this.write(bytes.subarray(start, cut))) return false;
      if (cut < bytes.length) await between();
      start = cut;
    }
    return true;
  }

  /** Tells the server that nothing more will be sent. */
  async endWriting(): Promise<void> {
    await this.#connection.closeWrite().catch(() => {});
  }

  /**
   * Reads one answer, with the interim answers before it.
   *
   * @param method That of the request: the answer to HEAD has no body. With {@linkcode UNKNOWN_METHOD} it has one if
   * what follows is not the next answer; for bodies that never begin like one
   * @throws {ConnectionEnded} If the connection ends before
   * @throws {MalformedAnswer} If what comes is none
   * @throws {TooLate} If nothing came within the limit
   */
  async answer(method = "GET"): Promise<RawAnswer> {
    const interim: number[] = [];
    for (;;) {
      const { minorVersion, status, reason, fields } = await this.#head();
      if (status < 200) {
        interim.push(status);
        continue;
      }
      let framing = framingOf(method, status, fields);
      if (method === UNKNOWN_METHOD && framing !== "none" && !await this.#hasBody()) {
        framing = "none";
      }
      const body = await this.#body(framing, fields);
      return { interim, minorVersion, status, reason, fields, body, framing };
    }
  }

  /** Reads the next interim answer's status, or that of the final one, whose head is then taken. */
  async status(): Promise<number> {
    return (await this.#head()).status;
  }

  /**
   * Waits until the server ends the connection.
   *
   * @param limitMs How long; the client's limit if left out
   * @returns `open` if it did not
   * @throws {MalformedAnswer} If bytes come that belong to no answer
   */
  async ending(limitMs = this.#limitMs): Promise<Ending> {
    this.#resume();
    for (const until = performance.now() + limitMs;;) {
      if (this.hasBytes) {
        throw new MalformedAnswer(`bytes came behind the last answer: ${this.#shown()}`);
      }
      if (this.#ending !== "open") return this.#ending;
      if (!await this.#changed(until - performance.now())) return "open";
    }
  }

  /** Whether bytes, or the end, come within a time. */
  async comesWithin(limitMs: number): Promise<boolean> {
    this.#resume();
    for (const until = performance.now() + limitMs;;) {
      if (this.hasBytes || this.#ending !== "open") return true;
      if (!await this.#changed(until - performance.now())) return false;
    }
  }

  /**
   * Leaves without a word.
   *
   * @param leaving For `reset` the client must have been opened paused, and an answer be due: one byte of it is read
   */
  async leave(leaving: Leaving): Promise<void> {
    if (leaving === "reset" && this.#isPaused) {
      const connection = this.#connection;
      const timer = setTimeout(() => this.#close(), this.#limitMs);
      await connection.read(new Uint8Array(1)).catch(() => null);
      clearTimeout(timer);
    }
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    this.#resume();
    await this.#reading;
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#connection.close();
  }

  #resume(): void {
    this.#isPaused = false;
    this.#onResume?.();
    this.#onResume = null;
  }

  async #readAll(): Promise<void> {
    if (this.#isPaused) await new Promise<void>((resolve) => this.#onResume = resolve);
    try {
      for (;;) {
        this.#makeRoom();
        const length = await this.#connection.read(this.#buffer.subarray(this.#end));
        if (length === null) {
          this.#ending = "closed";
          break;
        }
        this.#end += length;
        this.#tell();
      }
    } catch {
      this.#ending = "reset";
    }
    this.#tell();
  }

  #makeRoom(): void {
    if (this.#buffer.length - this.#end >= READ_BYTES / 2) return;
    const used = this.#buffer.subarray(this.#start, this.#end);
    if (used.length > BUFFER_BYTES_MAX) throw new Error("the server does not stop sending");
    if (used.length + READ_BYTES <= this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      const larger = new Uint8Array(2 * used.length + READ_BYTES);
      larger.set(used);
      this.#buffer = larger;
    }
    this.#start = 0;
    this.#end = used.length;
  }

  #tell(): void {
    const onChange = this.#onChange;
    this.#onChange = null;
    onChange?.();
  }

  /** Waits until something came or ended; false when it took too long. */
  async #changed(limitMs: number): Promise<boolean> {
    if (limitMs <= 0) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), limitMs);
    this.#onChange = () => resolve(true);
    const hasChanged = await promise;
    clearTimeout(timer);
    return hasChanged;
  }

  async #more(): Promise<void> {
    this.#resume();
    if (this.#ending !== "open") throw new ConnectionEnded(this.#ending === "reset", this.#text());
    const before = this.#end - this.#start;
    if (await this.#changed(this.#limitMs)) return;
    if (this.#end - this.#start > before || this.#ending !== "open") return;
    throw new TooLate(`nothing came within ${this.#limitMs} ms behind ${this.#shown()}`);
  }

  async #head(): Promise<Pick<RawAnswer, "minorVersion" | "status" | "reason" | "fields">> {
    const text = await this.#upTo("\r\n\r\n", HEAD_BYTES_MAX);
    const [statusLine, ...lines] = text.split("\r\n");
    const match = statusLine.match(STATUS_LINE);
    if (match === null) throw new MalformedAnswer(`no status line: ${JSON.stringify(statusLine)}`);
    const fields = lines.map((line): [string, string] => {
      const field = line.match(FIELD);
      if (field === null) throw new MalformedAnswer(`no field: ${JSON.stringify(line)}`);
      return [field[1].toLowerCase(), field[2]];
    });
    return { minorVersion: Number(match[1]), status: Number(match[2]), reason: match[3], fields };
  }

  async #body(
    framing: RawAnswer["framing"],
    fields: RawAnswer["fields"],
  ): Promise<Uint8Array<ArrayBuffer>> {
    switch (framing) {
      case "none":
        return new Uint8Array(0);
      case "length":
        return await this.#exactly(Number(fields.find(([name]) => name === "content-length")![1]));
      case "chunked":
        return await this.#chunks();
      case "close":
        try {
          for (;;) await this.#more();
        } catch (error) {
          if (!(error instanceof ConnectionEnded) || error.isReset) throw error;
          return this.#take(this.#end - this.#start);
        }
    }
  }

  /** Whether what follows a head is not the head of the next answer, or nothing. */
  async #hasBody(): Promise<boolean> {
    return await this.comesWithin(BODY_DELAY_MS) && this.hasBytes &&
      this.#buffer[this.#start] !== "H".charCodeAt(0);
  }

  async #chunks(): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      const line = await this.#upTo("\r\n", CHUNK_LINE_BYTES_MAX);
      if (!/^[0-9a-f]{1,8}$/i.test(line)) {
        throw new MalformedAnswer(`no chunk begins with ${JSON.stringify(line)}`);
      }
      const size = parseInt(line, 16);
      if (size > 0) pieces.push(await this.#exactly(size));
      const end = latin1Text(await this.#exactly(2));
      if (end !== "\r\n") throw new MalformedAnswer(`a chunk ends with ${JSON.stringify(end)}`);
      if (size === 0) return await new Blob(pieces).bytes();
    }
  }

  /** What stands before an end, which is taken too. */
  async #upTo(end: string, bytesMax: number): Promise<string> {
    const [first, second] = [end.charCodeAt(0), end.charCodeAt(1)];
    for (let from = this.#start;;) {
      // Where the bytes lie may change while more come.
      const offset = from - this.#start;
      for (let i = from; i + end.length <= this.#end; i++) {
        if (this.#buffer[i] !== first || this.#buffer[i + 1] !== second) continue;
        if (end.length === 4 && (this.#buffer[i + 2] !== first || this.#buffer[i + 3] !== second)) {
          continue;
        }
        const text = latin1Text(this.#buffer.subarray(this.#start, i));
        this.#start = i + end.length;
        return text;
      }
      if (this.#end - this.#start > bytesMax) {
        throw new MalformedAnswer(`over ${bytesMax} bytes without an end: ${this.#shown()}`);
      }
      const looked = Math.max(offset, this.#end - this.#start - end.length);
      await this.#more();
      from = this.#start + Math.max(0, looked);
    }
  }

  async #exactly(length: number): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#end - this.#start < length) await this.#more();
    return this.#take(length);
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(this.#start, this.#start += length);
  }

  #text(): string {
    return latin1Text(
      this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + SHOWN_MAX)),
    );
  }

  #shown(): string {
    return JSON.stringify(this.#text());
  }
}

/** How the end of a body is known (RFC 9112 section 6.3). */
function framingOf(
  method: string,
  status: number,
  fields: RawAnswer["fields"],
): RawAnswer["framing"] {
  const lengths = fields.filter(([name]) => name === "content-length").map(([, value]) => value);
  const codings = fields.filter(([name]) => name === "transfer-encoding").map(([, value]) => value);
  if (lengths.length > 1 || lengths.some((length) => !/^\d{1,15}$/.test(length))) {
    throw new MalformedAnswer(`Content-Length is ${JSON.stringify(lengths)}`);
  }
  if (codings.length > 1 || codings.some((coding) => coding.toLowerCase() !== "chunked")) {
    throw new MalformedAnswer(`Transfer-Encoding is ${JSON.stringify(codings)}`);
  }
  if (lengths.length > 0 && codings.length > 0) {
    throw new MalformedAnswer("an answer has Content-Length and Transfer-Encoding");
  }
  if (method === "HEAD" || status === 204 || status === 304) return "none";
  if (codings.length > 0) return "chunked";
  return lengths.length > 0 ? "length" : "close";
}
