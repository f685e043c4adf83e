import { type AddressInfo, createServer } from "node:net";

/** A connection of a client, as a {@linkcode RawServer} hands it to its script. */
export interface RawConnection {
  /** From 0, in the order in which they came. */
  readonly number: number;
  /** Requests that came on it so far, this one included. */
  readonly requests: number;
  /** The request's head. */
  readonly head: string;
  /** Sends text, each character a byte, and waits until the system has it. */
  send(text: string): Promise<void>;
  /** Closes it; nothing of the client's is unread. */
  close(): void;
}

/** Bytes of a request; more than the tests send. */
const REQUEST_BYTES_MAX = 65_536;

/** A server that does with each request what a script says, well-formed or not. */
export class RawServer implements Disposable {
  readonly port: number;
  /** Requests that came. */
  requests = 0;
  /** Connections that came. */
  connections = 0;
  /** Connections that neither side has closed. */
  open = 0;

  readonly #listener: Deno.TcpListener;
  readonly #script: (connection: RawConnection) => Promise<void> | void;
  readonly #sockets = new Set<Deno.TcpConn>();

  /**
   * @param script Called for each request
   * @param port 0 for a free one
   */
  constructor(script: (connection: RawConnection) => Promise<void> | void, port = 0) {
    this.#script = script;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.port = this.#listener.addr.port;
    this.#accept();
  }

  /** Where it listens. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const socket of this.#sockets) this.#close(socket);
  }

  #close(socket: Deno.TcpConn): void {
    if (this.#sockets.delete(socket)) socket.close();
  }

  async #accept(): Promise<void> {
    for await (const socket of this.#listener) {
      socket.setNoDelay();
      this.#sockets.add(socket);
      this.open++;
      this.#serve(socket, this.connections++).catch(() => {}).finally(() => {
        this.open--;
        this.#close(socket);
      });
    }
  }

  async #serve(socket: Deno.TcpConn, number: number): Promise<void> {
    const buffer = new Uint8Array(REQUEST_BYTES_MAX);
    let text = "", requests = 0;
    for (;;) {
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        this.requests++;
        await this.#script({
          number,
          requests: ++requests,
          head,
          async send(text) {
            let bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
            while (bytes.length > 0) bytes = bytes.subarray(await socket.write(bytes));
          },
          close: () => this.#close(socket),
        });
      }
      const length = await socket.read(buffer);
      if (length === null) return;
      text += String.fromCharCode(...buffer.subarray(0, length));
    }
  }
}

/** An answer with a Content-Length. */
export function answer(body: string, status = "200 OK", fields = ""): string {
  return `HTTP/1.1 ${status}\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/**
 * A server that resets every connection when something is asked on it.
 *
 * @returns Its port
 */
export async function resettingServer(): Promise<Disposable & { port: number }> {
  // Deno's own sockets cannot reset.
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => server.close() };
}

/** A port of this host where nobody listens. */
export function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/**
 * Waits until something holds.
 *
 * @throws {Error} If it does not within about ten seconds
 */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries === 1_000) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
