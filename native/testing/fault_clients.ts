/**
 * Clients that misbehave on purpose: HTTP by hand over a connection that can be left in any state.
 *
 * @module
 */

/** An answer as it came. */
export interface FaultAnswer {
  status: number;
  /** Status line and header fields. */
  head: string;
  /** Without the chunks' framing. */
  body: Uint8Array<ArrayBuffer>;
}

/** How a client goes: with FIN, or with the RST that a close with unread bytes gives. */
export type Leaving = "close" | "reset";

/** The longest that a client waits for bytes, in milliseconds. */
const READ_MS_MAX = 30_000;
/** Bytes that one read takes. */
const READ_BYTES = 65_536;
/** Loopback addresses that clients go to in turn, each with ephemeral ports of its own. */
const ADDRESSES = 8;
/** A head that is longer is no answer of ours. */
const HEAD_BYTES_MAX = 16_384;

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");
let opened = 0;

/** One connection. */
export class FaultClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #isOpen = true;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects to a port of this host, which has to be listened to on all its addresses. */
  static async open(port: number): Promise<FaultClient> {
    const hostname = `127.0.0.${1 + opened++ % ADDRESSES}`;
    return new FaultClient(await Deno.connect({ hostname, port }));
  }

  /** Connects so many times at once; those that could connect are closed when one could not. */
  static async openMany(port: number, count: number): Promise<FaultClient[]> {
    const results = await Promise.allSettled(
      Array.from({ length: count }, () => FaultClient.open(port)),
    );
    const failed = results.find((result) => result.status === "rejected");
    const clients = results.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
    if (failed === undefined) return clients;
    for (const client of clients) client[Symbol.dispose]();
    throw failed.reason;
  }

  /** Sends text or bytes as they are. */
  async send(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? encoder.encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /** Sends a request and reads its answer. */
  async request(path: string): Promise<FaultAnswer> {
    await this.send(get(path));
    return await this.answer();
  }

  /**
   * Reads some bytes of what comes, at most so many.
   *
   * @returns `null` at the end or a reset
   * @throws {Error} If nothing came in half a minute
   */
  async read(length = READ_BYTES): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#buffer.length > 0) return this.#take(length);
    const chunk = new Uint8Array(Math.min(length, READ_BYTES));
    const read = await withinLimit(this.#connection.read(chunk).catch(() => null), READ_MS_MAX);
    return read === null ? null : chunk.subarray(0, read);
  }

  /**
   * Reads what comes until the server closes.
   *
   * @param pieceBytes What one read takes, and what a client that waits has in memory
   */
  async rest(pieceBytes = READ_BYTES): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      const piece = await this.read(pieceBytes);
      if (piece === null) break;
      pieces.push(piece);
    }
    return await new Blob(pieces).bytes();
  }

  /**
   * Reads one answer.
   *
   * @param method That of the request: the answer to HEAD has no body
   * @throws {CutOff} If the connection ends before the answer does
   */
  async answer(method = "GET"): Promise<FaultAnswer> {
    const head = await this.head();
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const length = head.match(/\r\ncontent-length: *(\d+)/i)?.[1];
    if (method === "HEAD") {
      // Nothing follows.
    } else if (length !== undefined) {
      await this.#exactly(Number(length), pieces);
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      for (;;) {
        const line = await this.#line("\r\n", HEAD_BYTES_MAX);
        const size = parseInt(line, 16);
        if (!(size >= 0)) throw new Error(`no chunk begins with ${JSON.stringify(line)}`);
        if (size > 0) await this.#exactly(size, pieces);
        if (await this.#line("\r\n", 2) !== "") {
          throw new Error("a chunk is not as long as it says");
        }
        if (size === 0) break;
      }
    } else {
      pieces.push(await this.rest());
    }
    const body = await new Blob(pieces).bytes();
    return { status: Number(head.slice(9, 12)), head, body };
  }

  /**
   * Reads an answer's head and leaves its body unread.
   *
   * @throws {CutOff} If the connection ends before
   */
  head(): Promise<string> {
    return this.#line("\r\n\r\n", HEAD_BYTES_MAX, false);
  }

  /**
   * Leaves without a word.
   *
   * @param leaving `reset` sends RST: of an answer that is due, or came, one byte is read and the others are not
   */
  async leave(leaving: Leaving): Promise<void> {
    if (leaving === "reset" && this.#buffer.length === 0) await this.read(1);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#connection.close();
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #exactly(length: number, pieces: Uint8Array<ArrayBuffer>[]): Promise<void> {
    for (let missing = length; missing > 0;) {
      const piece = await this.read(missing);
      if (piece === null) throw new CutOff(`${missing} of ${length} bytes are missing`, true);
      pieces.push(piece);
      missing -= piece.length;
    }
  }

  /** What stands before an end, which is read too. */
  async #line(end: string, bytesMax: number, hasBegun = true): Promise<string> {
    for (;;) {
      const text = latin1.decode(this.#buffer.subarray(0, bytesMax + end.length));
      const index = text.indexOf(end);
      if (index >= 0) {
        this.#take(index + end.length);
        return text.slice(0, index);
      }
      if (text.length >= bytesMax + end.length) throw new Error(`${text.length} bytes and no end`);
      const chunk = new Uint8Array(READ_BYTES);
      const reading = this.#connection.read(chunk).catch(() => null);
      const read = await withinLimit(reading, READ_MS_MAX);
      if (read === null) {
        throw new CutOff(
          `the server hung up after ${JSON.stringify(text)}`,
          hasBegun || text.length > 0,
        );
      }
      const buffer = new Uint8Array(this.#buffer.length + read);
      buffer.set(this.#buffer);
      buffer.set(chunk.subarray(0, read), this.#buffer.length);
      this.#buffer = buffer;
    }
  }
}

/** A connection that ended before its answer did. */
export class CutOff extends Error {
  override name = "CutOff";
  /** Whether any of the answer had come. */
  readonly hasBegun: boolean;

  /** @param hasBegun Whether any of the answer had come */
  constructor(message: string, hasBegun: boolean) {
    super(message);
    this.hasBegun = hasBegun;
  }
}

/** A GET as text. */
export function get(path: string, headers: Readonly<Record<string, string>> = {}): string {
  return head("GET", path, headers);
}

/** The head of a POST with so many bytes of body, which are the caller's to send. */
export function postHead(path: string, length: number): string {
  return head("POST", path, { "content-length": String(length) });
}

function head(method: string, path: string, headers: Readonly<Record<string, string>>): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${path} HTTP/1.1\r\nHost: faults.test\r\n${fields}\r\n`;
}

/** Does something once for each number below a count, so many at a time. */
export async function eachOf(
  count: number,
  concurrency: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(count, concurrency) }, lane));
}

/**
 * Waits until something holds.
 *
 * @param what Says how things stand, for the error
 * @throws {Error} If it does not within the limit
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: () => string,
  limitMs = 15_000,
): Promise<void> {
  for (const end = performance.now() + limitMs; !await holds();) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what()}`);
    await pause(10);
  }
}

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** What a promise gives; it is refused if that takes longer than a limit. */
export async function withinLimit<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`took over ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
