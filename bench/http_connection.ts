/** An answer as it was on the wire. */
export interface RawAnswer {
  status: number;
  /** Status line and header fields. */
  head: string;
  /** Still coded as Content-Encoding says. Valid until the next request on the connection. */
  body: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");
/** What room is made for at first; more is made when an answer is longer. */
const BUFFER_BYTES = 65_536;
/** A head that is longer is no answer of ours. */
const HEAD_BYTES_MAX = 4_096;

/**
 * A connection to a server on this host that asks one thing after the other. It shows what came, as it came: fetch
 * would decompress it, and costs a client more than an answer costs the server.
 */
export class HttpConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  #buffer = new Uint8Array(BUFFER_BYTES);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    connection.setNoDelay();
  }

  /** Connects to a port of 127.0.0.1. */
  static async open(port: number): Promise<HttpConnection> {
    return new HttpConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /**
   * Sends one GET.
   *
   * @param request What {@linkcode getRequest} made
   * @throws {Error} If the connection ends, or the answer has no Content-Length
   */
  async send(request: Uint8Array): Promise<RawAnswer> {
    for (let sent = 0; sent < request.length;) {
      sent += await this.#connection.write(request.subarray(sent));
    }
    let length = 0, bodyStart = 0, end = Infinity, head = "";
    while (length < end) {
      const read = await this.#connection.read(this.#buffer.subarray(length));
      if (read === null) throw new Error(`the server hung up after ${length} bytes of an answer`);
      length += read;
      if (bodyStart > 0) continue;
      const text = latin1.decode(this.#buffer.subarray(0, Math.min(length, HEAD_BYTES_MAX)));
      const headEnd = text.indexOf("\r\n\r\n");
      if (headEnd < 0) {
        if (length >= HEAD_BYTES_MAX) throw new Error(`no head in ${length} bytes of an answer`);
        continue;
      }
      head = text.slice(0, headEnd);
      const bodyLength = head.match(/\r\ncontent-length: *(\d+)/i)?.[1];
      if (bodyLength === undefined) throw new Error(`no Content-Length in:\n${head}`);
      bodyStart = headEnd + 4;
      end = bodyStart + Number(bodyLength);
      if (end > this.#buffer.length) {
        const larger = new Uint8Array(end);
        larger.set(this.#buffer.subarray(0, length));
        this.#buffer = larger;
      }
    }
    return {
      status: Number(head.slice(9, 12)),
      head,
      body: this.#buffer.subarray(bodyStart, end),
    };
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** A GET as bytes, for any number of requests. */
export function getRequest(path: string, headers: Readonly<Record<string, string>> = {}) {
  const fields = Object.entries({ host: "127.0.0.1", ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return encoder.encode(`GET ${path} HTTP/1.1\r\n${fields}\r\n`);
}
