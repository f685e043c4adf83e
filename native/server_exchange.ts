import { STATUS_CODES } from "node:http";
import {
  CommandKind,
  type ExchangeRequest,
  SEND_CLOSE,
  SEND_INTERIM,
  SEND_LAST,
} from "./exchange.ts";
import { httpDate } from "./fast_route.ts";
import { BODY_DISCARDED_BYTES_MAX } from "./limits.ts";

/** What the handler of `serve` learns beside the request. */
export interface ServeInfo {
  /** Who asks, where the transport knows it. */
  remoteAddr: Deno.NetAddr;
}

/** Answers requests, as the handler of Deno.serve does. */
export type ServeHandler = (request: Request, info: ServeInfo) => Response | Promise<Response>;

/** The way from an exchange to the thread that holds its connection. */
export interface ExchangeLink {
  /** Passes a command on. Memory that it names must stay where it is until the thread says that it was sent. */
  command(
    kind: number,
    connection: number,
    number: number,
    memory: Uint8Array<ArrayBuffer> | number,
    flags: number,
  ): void;
  /** The handler, or the stream of its answer, failed. */
  onError(error: unknown): void;
  /** Host and port for requests that name none. */
  readonly host: string;
  /** Whether the listener is stopping, so that connections end with their answer. */
  isStopping(): boolean;
}

const encoder = new TextEncoder();
const LINE_END = encoder.encode("\r\n");
const LAST_CHUNK = encoder.encode("0\r\n\r\n");
const NO_BYTES = new Uint8Array(0);
/** Fields of an answer that are the connection's, not the handler's. */
const OWN_FIELDS = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade"]);
/** A length that a number holds exactly. */
const CONTENT_LENGTH = /^\d{1,15}$/;
/** Methods that the constructor of Request refuses, and those that it writes in upper case. */
const ODD_METHODS = /^(connect|trace|track|delete|get|head|options|post|put)$/i;

/**
 * A request as it came: Request would write its URL and some methods differently, and a handler should see on every
 * transport what Deno.serve shows it.
 */
class ReceivedRequest extends Request {
  readonly #url: string;
  readonly #method: string;

  constructor(url: string, method: string, init: RequestInit) {
    super(URL.canParse(url) ? url : "http://invalid.invalid/", {
      ...init,
      method: ODD_METHODS.test(method) && !/^[A-Z]+$/.test(method) ||
          /^(CONNECT|TRACE|TRACK)$/.test(method)
        ? init.body === undefined ? "GET" : "POST"
        : method,
    });
    this.#url = url;
    this.#method = method;
  }

  override get url(): string {
    return this.#url;
  }

  override get method(): string {
    return this.#method;
  }
}

/** One request on its way through the handler of `serve`, and its answer on the way back. */
export class ServerExchange {
  readonly #request: ExchangeRequest;
  readonly #link: ExchangeLink;
  readonly #aborted = new AbortController();
  /** Bytes of the body that the handler has not read. */
  readonly #received: Uint8Array<ArrayBuffer>[] = [];
  #hasReceivedAll = false;
  /** Bytes of the body that were not told of yet, where it is known. */
  #bodyLeft: number;
  /** The handler has begun to read the body. */
  #isReading = false;
  #isExpecting: boolean;
  #body: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;
  #bodyWanted: (() => void) | null = null;
  /** What is being sent; held, because the kernel reads it. */
  #held: Uint8Array<ArrayBuffer> | null = null;
  #onSent: ((isSent: boolean) => void) | null = null;
  #sending: Promise<boolean> = Promise.resolve(true);
  /** The answer has begun. */
  #isAnswering = false;
  #isGone = false;
  /** The head said that the connection ends. */
  #saidClose = false;
  /** The last part of the answer was handed over. */
  #isLast = false;

  constructor(request: ExchangeRequest, link: ExchangeLink) {
    this.#request = request;
    this.#link = link;
    this.#isExpecting = request.expectsContinue;
    this.#bodyLeft = request.contentLength;
  }

  /** Has the request answered. */
  async answer(handler: ServeHandler, info: ServeInfo): Promise<void> {
    let response: Response;
    try {
      response = await handler(this.#makeRequest(), info);
      if (!(response instanceof Response)) throw new TypeError("the handler gave no Response");
      if (response.bodyUsed || response.body?.locked) {
        throw new TypeError("the body of the Response was used already");
      }
      const length = response.headers.get("content-length");
      if (length !== null && !CONTENT_LENGTH.test(length)) {
        await response.body?.cancel();
        throw new TypeError(`the Content-Length ${JSON.stringify(length)} is no length`);
      }
    } catch (error) {
      if (!this.#isGone) this.#link.onError(error);
      response = new Response("Internal Server Error", { status: 500 });
    }
    try {
      await this.#send(response);
    } catch (error) {
      if (this.#isGone) return;
      this.#link.onError(error);
      this.#command(CommandKind.ABORT, 0, 0);
    }
  }

  /** Bytes of the request's body came. */
  received(bytes: Uint8Array<ArrayBuffer>): void {
    this.#received.push(bytes);
    this.#bodyLeft -= bytes.length;
    this.#isExpecting = false;
    this.#bodyWanted?.();
  }

  /** The request's body is complete. */
  receivedAll(): void {
    this.#hasReceivedAll = true;
    this.#isExpecting = false;
    this.#bodyWanted?.();
  }

  /**
   * What was being sent was sent.
   *
   * @returns Whether that was the last of it
   */
  sent(): boolean {
    this.#settle(true);
    return this.#isLast;
  }

  /** The client is gone, or the thread is. */
  gone(): void {
    this.#isGone = true;
    this.#settle(false);
    const reason = new DOMException("The client closed the connection", "AbortError");
    this.#aborted.abort(reason);
    this.#bodyWanted?.();
    try {
      if (!this.#hasReceivedAll) this.#body?.error(reason);
    } catch {
      // It was read to its end, or cancelled.
    }
  }

  #settle(isSent: boolean): void {
    this.#held = null;
    const onSent = this.#onSent;
    this.#onSent = null;
    onSent?.(isSent);
  }

  #makeRequest(): Request {
    const { method, target, fields, hasBody } = this.#request;
    // A request of HTTP/1.0 may do without.
    const host = fields.find(([name]) => name.toLowerCase() === "host")?.[1] || this.#link.host;
    const url = target.startsWith("/")
      ? `http://${host}${target}`
      : target === "*"
      ? `http://${host}/*`
      : target;
    const hasReadableBody = hasBody && method !== "GET" && method !== "HEAD";
    const init: RequestInit & { duplex?: string } = {
      headers: headersOf(fields),
      signal: this.#aborted.signal,
      body: hasReadableBody ? this.#bodyStream() : undefined,
    };
    if (hasReadableBody) init.duplex = "half";
    return new ReceivedRequest(url, method, init);
  }

  #bodyStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#body = controller;
      },
      pull: async (controller) => {
        this.#isReading = true;
        if (this.#isExpecting && !this.#isAnswering) {
          this.#isExpecting = false;
          await this.#sendBytes(encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"), SEND_INTERIM);
        }
        while (this.#received.length === 0 && !this.#hasReceivedAll && !this.#isGone) {
          await new Promise<void>((resolve) => this.#bodyWanted = resolve);
          this.#bodyWanted = null;
        }
        const bytes = this.#received.shift();
        if (bytes !== undefined) {
          controller.enqueue(bytes);
          this.#command(CommandKind.CREDIT, bytes.length, 0);
        } else if (this.#hasReceivedAll) controller.close();
      },
    }, { highWaterMark: 0 });
  }

  async #send(response: Response): Promise<void> {
    const { method } = this.#request;
    const { status, body } = response;
    const isBodyless = method === "HEAD" || status === 204 || status === 304 || status < 200;
    const given = response.headers.get("content-length");
    if (body === null || (isBodyless && (method !== "HEAD" || given !== null))) {
      await body?.cancel();
      // RFC 9110 section 8.6: HEAD and 304 say how long the answer would be, any other how long it is.
      const length = method === "HEAD" || status === 304 ? given : "0";
      const hasLength = status !== 204 && status >= 200;
      await this.#sendLast(this.#head(response, hasLength ? length : null, false), response);
      return;
    }
    const reader = body.getReader();
    const cancel = () => void reader.cancel(this.#aborted.signal.reason).catch(() => {});
    // A handler may answer when its client has left already.
    if (this.#isGone) cancel();
    else this.#aborted.signal.addEventListener("abort", cancel);
    const first = await reader.read();
    if (first.done) {
      await this.#sendLast(this.#head(response, "0", false), response);
      return;
    }
    assertBytes(first.value);
    const second = reader.read();
    second.catch(() => {});
    // A body that is there as a whole ends at once; one that does not is a stream.
    const next = given === null ? await withinTurn(second) : undefined;
    if (next?.done === true) {
      const head = this.#head(response, String(first.value.length), false);
      if (method === "HEAD") {
        await this.#sendLast(head, response);
        return;
      }
      await this.#sendLast(joined(head, first.value), response);
      return;
    }
    if (method === "HEAD") {
      await reader.cancel();
      await this.#sendLast(this.#head(response, null, false), response);
      return;
    }
    await this.#stream(response, given, first.value, second, reader);
  }

  async #stream(
    response: Response,
    length: string | null,
    first: Uint8Array,
    second: Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>,
    reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  ): Promise<void> {
    const isChunked = length === null && this.#request.minorVersion === 1;
    // Who reads the body while it answers may well read all of it.
    const leavesBody = !this.#isReading && this.#leavesBody();
    let left = length === null ? Infinity : Number(length);
    const frame = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
      left -= bytes.length;
      if (left < 0) {
        throw new TypeError(`the body has more than the ${length} bytes of its Content-Length`);
      }
      return isChunked
        ? joined(encoder.encode(`${bytes.length.toString(16)}\r\n`), bytes, LINE_END)
        : joined(bytes);
    };
    let part = joined(
      this.#head(response, length, isChunked, leavesBody),
      first.length === 0 ? NO_BYTES : frame(first),
    );
    let pending = second;
    for (;;) {
      if (!await this.#sendBytes(part, 0)) return;
      const { value, done } = await pending;
      if (done) break;
      pending = reader.read();
      pending.catch(() => {});
      assertBytes(value);
      part = value.length === 0 ? NO_BYTES : frame(value);
    }
    if (left > 0 && left !== Infinity) {
      throw new TypeError(`the body has ${left} bytes less than its Content-Length`);
    }
    const isClosing = length === null && !isChunked || this.#endsConnection(response);
    await this.#sendBytes(
      isChunked ? LAST_CHUNK : NO_BYTES,
      SEND_LAST | (isClosing ? SEND_CLOSE : 0),
    );
  }

  #head(
    response: Response,
    length: string | null,
    isChunked: boolean,
    leavesBody = this.#leavesBody(),
  ): Uint8Array<ArrayBuffer> {
    const { status, statusText, headers } = response;
    const { minorVersion, keepsAlive } = this.#request;
    let text = `HTTP/1.1 ${status} ${statusText || (STATUS_CODES[status] ?? "")}\r\n`;
    for (const [name, value] of headers) {
      if (OWN_FIELDS.has(name) || name === "content-length") continue;
      text += `${name}: ${value}\r\n`;
    }
    if (!headers.has("date")) text += `date: ${httpDate(Date.now())}\r\n`;
    this.#saidClose = leavesBody || this.#endsConnection(response);
    if (this.#saidClose) text += "connection: close\r\n";
    else if (minorVersion === 0 && keepsAlive && (length !== null)) {
      text += "connection: keep-alive\r\n";
    }
    if (length !== null) text += `content-length: ${length}\r\n`;
    else if (isChunked) text += "transfer-encoding: chunked\r\n";
    return latin1(`${text}\r\n`);
  }

  /** Whether the connection ends with this answer. */
  #endsConnection(response: Response): boolean {
    return this.#saidClose || !this.#request.keepsAlive || this.#link.isStopping() ||
      /\bclose\b/i.test(response.headers.get("connection") ?? "");
  }

  /** Whether the thread ends the connection rather than reading the rest of the body. */
  #leavesBody(): boolean {
    return this.#isExpecting || this.#bodyLeft > BODY_DISCARDED_BYTES_MAX;
  }

  async #sendLast(bytes: Uint8Array<ArrayBuffer>, response: Response): Promise<void> {
    await this.#sendBytes(bytes, SEND_LAST | (this.#endsConnection(response) ? SEND_CLOSE : 0));
  }

  /** @returns False when the client is gone */
  async #sendBytes(bytes: Uint8Array<ArrayBuffer>, flags: number): Promise<boolean> {
    if ((flags & SEND_INTERIM) === 0) this.#isAnswering = true;
    // One after the other: 100 Continue may be on its way.
    while (this.#onSent !== null) await this.#sending;
    if (this.#isGone) return false;
    this.#sending = new Promise((resolve) => {
      this.#held = bytes;
      this.#onSent = resolve;
      this.#isLast = (flags & SEND_LAST) !== 0;
      this.#command(CommandKind.SEND, bytes, flags);
    });
    return await this.#sending;
  }

  #command(kind: number, memory: Uint8Array<ArrayBuffer> | number, flags: number): void {
    const { connection, number } = this.#request;
    this.#link.command(kind, connection, number, memory, flags);
  }
}

/** Header fields for a handler: cookies that came apart are one list again (RFC 6265 section 4.2). */
function headersOf(fields: readonly [name: string, value: string][]): Headers {
  const cookies = fields.filter(([name]) => name.toLowerCase() === "cookie");
  if (cookies.length < 2) return new Headers(fields as [string, string][]);
  const others = fields.filter(([name]) => name.toLowerCase() !== "cookie");
  return new Headers([...others, ["cookie", cookies.map(([, value]) => value).join("; ")]]);
}

/** A stream can hold anything. */
function assertBytes(value: unknown): void {
  if (!(value instanceof Uint8Array)) throw new TypeError("a body consists of Uint8Arrays");
}

/** What a promise gives within this turn of the event loop, else `undefined`. */
async function withinTurn<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout>;
  const turn = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), 0);
  });
  try {
    return await Promise.race([promise, turn]);
  } finally {
    clearTimeout(timer!);
  }
}

/** A copy in memory of its own, outside the JavaScript heap, so that it has an address. */
function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(new ArrayBuffer(length));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function latin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(text.length));
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
