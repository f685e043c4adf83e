/**
 * HTTP by hand, for what fetch hides: the bytes of a request, the order of answers, what stands in the headers.
 *
 * @module
 */

/** An answer as it came. */
export interface RawResponse {
  statusLine: string;
  status: number;
  headers: Headers;
  /** The names of the headers, in lower case, as often as they occur. */
  headerNames: string[];
  body: Uint8Array<ArrayBuffer>;
  /** The body as text. */
  text: string;
}

/** The longest that a connection waits for bytes, in milliseconds. */
const READ_MS_MAX = 10_000;

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** One connection. */
export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  #buffer = new Uint8Array(0);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects to the host and port of a URL. */
  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const address = { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || "80") };
    return new RawConnection(await Deno.connect(address));
  }

  /** Sends text or bytes as they are. */
  async send(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? encoder.encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /** Sends a request with a Host and reads its answer. */
  async request(
    method: string,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<RawResponse> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await this.send(`${method} ${path} HTTP/1.1\r\nHost: marquee.test\r\n${lines}\r\n`);
    return await this.response(method);
  }

  /**
   * Reads one answer.
   *
   * @param method That of the request: the answer to HEAD has no body
   */
  async response(method = "GET"): Promise<RawResponse> {
    let end: number;
    while ((end = latin1.decode(this.#buffer).indexOf("\r\n\r\n")) < 0) await this.#more("a head");
    const [statusLine, ...fields] = latin1.decode(this.#take(end + 4)).trimEnd().split("\r\n");
    const pairs = fields.map((field): [string, string] => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    });
    const headers = new Headers(pairs);
    const status = Number(statusLine.split(" ")[1]);
    const body = method === "HEAD" || status === 304 || status === 204
      ? new Uint8Array(0)
      : await this.#body(headers);
    const text = new TextDecoder().decode(body);
    return { statusLine, status, headers, headerNames: pairs.map(([name]) => name), body, text };
  }

  /** Whether the server has closed its side, after at most `limitMs`; bytes that still come do not count. */
  async isClosed(limitMs = READ_MS_MAX): Promise<boolean> {
    for (const end = performance.now() + limitMs;;) {
      const chunk = new Uint8Array(65_536);
      const length = await within(this.#read(chunk), Math.max(1, end - performance.now()));
      if (length === "late") return false;
      if (length === null) return true;
    }
  }

  /** Reads so many bytes of whatever comes. */
  async bytes(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    for (let done = 0;;) {
      const part = this.#take(Math.min(length - done, this.#buffer.length));
      bytes.set(part, done);
      if ((done += part.length) === length) return bytes;
      await this.#more(`${length} bytes`);
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed.
    }
  }

  async #body(headers: Headers): Promise<Uint8Array<ArrayBuffer>> {
    const length = headers.get("content-length");
    if (length !== null) return await this.bytes(Number(length));
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") {
      for (;;) {
        let end: number;
        while ((end = latin1.decode(this.#buffer).indexOf("\r\n")) < 0) await this.#more("a chunk");
        const size = parseInt(latin1.decode(this.#take(end + 2)), 16);
        const chunk = await this.bytes(size + 2);
        if (size === 0) break;
        pieces.push(chunk.subarray(0, size));
      }
    } else {
      for (;;) {
        pieces.push(this.#take(this.#buffer.length));
        if (!await this.#fill()) break;
      }
    }
    return await new Blob(pieces).bytes();
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    const taken = this.#buffer.slice(0, length);
    this.#buffer = this.#buffer.slice(length);
    return taken;
  }

  async #more(what: string): Promise<void> {
    if (!await this.#fill()) {
      const got = latin1.decode(this.#buffer.subarray(0, 200));
      throw new Error(`the connection ended before ${what}: ${JSON.stringify(got)}`);
    }
  }

  async #fill(): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    const length = await within(this.#read(chunk), READ_MS_MAX);
    if (length === "late") throw new Error(`nothing came within ${READ_MS_MAX} ms`);
    if (length === null) return false;
    const buffer = new Uint8Array(this.#buffer.length + length);
    buffer.set(this.#buffer);
    buffer.set(chunk.subarray(0, length), this.#buffer.length);
    this.#buffer = buffer;
    return true;
  }

  /** What came, or `null` at the end or a reset. */
  async #read(chunk: Uint8Array): Promise<number | null> {
    try {
      return await this.#connection.read(chunk);
    } catch {
      return null;
    }
  }
}

/** One request on a connection of its own. */
export async function rawRequest(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<RawResponse> {
  using connection = await RawConnection.open(url);
  return await connection.request(method, path, { connection: "close", ...headers });
}

async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | "late"> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer!);
  }
}
