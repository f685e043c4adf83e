import { AnswerSlots } from "./answer_slots.ts";
import { ChunkedDecoder, ChunkedError } from "./chunked_decoder.ts";
import { MonotonicClock } from "./clock.ts";
import type { ConnectionCount } from "./connection_count.ts";
import { type Driver, type DriverEvents, LATER } from "./driver.ts";
import {
  type ExchangeRequest,
  SEND_CLOSE,
  SEND_INTERIM,
  SEND_LAST,
  type ThreadMessage,
} from "./exchange.ts";
import { ERRNO } from "./kernel_layout.ts";
import { errorText } from "./libc.ts";
import {
  type FastAnswer,
  type FastRequest,
  type FastRoute,
  HeadTemplate,
  httpDate,
  type ReleasedMemory,
} from "./fast_route.ts";
import type { Gate } from "./gate.ts";
import {
  BODY_DISCARDED_BYTES_MAX,
  BODY_WINDOW_BYTES,
  FAST_BODY_BYTES_MAX,
  HEAD_BYTES_MAX,
  INPUT_WAITING_BYTES_MAX,
  LINGER_BYTES_MAX,
  LINGER_MS,
  SHED_MS,
  TICK_MS,
} from "./limits.ts";
import { INCOMPLETE, RequestParser } from "./request_parser.ts";
import { readAddress } from "./sockets.ts";
import { COUNT, type ThreadStatistics } from "./statistics.ts";

/** Deadlines of connections, in milliseconds. */
export interface Timeouts {
  /** From the first byte of a request, or from the opening of the connection, to the end of the head. */
  headerTimeoutMs: number;
  /** Between two requests. */
  idleTimeoutMs: number;
  /** Without a byte of a body that is being read. */
  bodyTimeoutMs: number;
  /** Without a byte of an answer being taken. */
  writeTimeoutMs: number;
}

/** How a core is made. */
export interface CoreOptions extends Timeouts {
  /** Of all threads together; past it new ones wait in the kernel's backlog. */
  connectionsMax: number;
  /** Those of all threads. */
  connections: ConnectionCount;
  /** One word: not 0 when this thread was given up, and must not touch anything any more. */
  abandoned: Int32Array;
  bodyBytesMax: number;
  routes: readonly FastRoute[];
  gate: Gate | null;
  /** Adds fields to refusals, as `ThreadRoutes` has it. */
  refusalFields?: (request: FastRequest | null, answer: FastAnswer) => void;
  statistics: ThreadStatistics;
  /** Tells the main thread. */
  tell: (message: ThreadMessage) => void;
}

// What a connection is doing.
const FREE = 0;
/** Heads are read, or nothing has come yet. */
const READING = 1;
/** Answers of this thread are being sent. */
const SENDING = 2;
/** The main thread answers. */
const HANDLING = 3;
/** A last answer was sent; what still comes is dropped. */
const LINGERING = 4;
/** The driver was told to close it. */
const CLOSING = 5;
/** Past the connection limit: refused as soon as it asks for something. */
const SHEDDING = 6;

// Flags of a connection.
/** Ends when what is being sent was sent. */
const CLOSE_AFTER = 1;
/** Ends by way of lingering, because the client may still be sending. */
const LINGER_AFTER = 2;
/** Not read from, because too much waits. */
const PAUSED = 4;
/** The beginning of a head is there. */
const HEAD_BEGUN = 8;
/** The client has sent all that it will. */
const ENDED = 16;
/** Has had a request or an answer since the last look at idle ones. */
const USED = 32;
/** Past the connection limit. */
const SHED = 64;
/** The gate has let the next request through, which waits for the answers before it. */
const LET_THROUGH = 128;

const NOTHING = -1;

/** Input that waits for its turn. */
interface Waiting {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Bytes that were there when a head was last looked for and not found. */
  looked: number;
  /** Bytes that a head and its body, which a fast route waits for, have together; 0 where none does. */
  needed: number;
}

/** A request that the main thread answers. */
interface Exchange {
  /** Tells it apart from those before and after it on the same connection. */
  readonly number: number;
  readonly keepsAlive: boolean;
  readonly isHead: boolean;
  /** Takes the body apart; `null` with Content-Length. */
  readonly chunks: ChunkedDecoder | null;
  /** Bytes of the body that are still to come; with chunks, that may come at most. */
  remaining: number;
  isBodyDone: boolean;
  /** Bytes that may be told before the handler has read some. */
  window: number;
  /** The body is not the handler's any more: it has answered. */
  isDiscarding: boolean;
  /** Nothing was said to `Expect: 100-continue` yet. */
  isExpecting: boolean;
  /** What the main thread will be told when it is known who asks; then `null`. */
  held: [ExchangeRequest, ...ThreadMessage[]] | null;
  isSending: boolean;
  hasAnswered: boolean;
  flags: number;
  /** The body turned out wrong; what it is refused with has to wait for what is being sent. */
  refusal: [status: number, code: string, text: string] | null;
}

/** Milliseconds after which a body that does not come is asked for again. */
const REFRESH_MS = 1_000;
/** Milliseconds between two complaints. */
const COMPLAINT_MS = 10_000;
const WAITING_BYTES = 4_096;
const WAITING_SPARE_MAX = 256;
const CR = 13, LF = 10;

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  505: "HTTP Version Not Supported",
};

/** What connections past the limit get. */
const SHED_HEAD = new HeadTemplate(503, "Service Unavailable", {
  "content-type": "application/json",
  "cache-control": "no-store",
  "retry-after": "1",
});
const SHED_BODY = JSON.stringify({
  data: null,
  error: {
    code: "service_overloaded",
    message: "as many connections are open as are served well: try again in a second",
  },
});

/**
 * The life of connections: heads parsed, fast routes answered, everything else handed over, deadlines kept, one answer
 * in flight each. It knows no kernel; a {@linkcode Driver} moves the bytes.
 */
export class ConnectionCore implements DriverEvents {
  readonly #driver: Driver;
  readonly #options: CoreOptions;
  readonly #routes: readonly FastRoute[];
  readonly #gate: Gate | null;
  /** What the gate knows clients by. */
  readonly #clients: Int32Array;
  readonly #paths: Uint8Array[];
  /** Per route, bytes of the body of a POST; NOTHING where it answers GET. */
  readonly #bodyBytesMax: Int32Array;
  readonly #hasPosts: boolean;
  readonly #parser = new RequestParser();
  readonly #slots: AnswerSlots;
  readonly #statistics: ThreadStatistics;
  readonly #counts: Float64Array;

  readonly #states: Uint8Array;
  readonly #flags: Uint8Array;
  /** The slot that is being sent, or NOTHING. */
  readonly #sending: Int32Array;
  /** Bytes of it that were not sent yet. */
  readonly #unsent: Float64Array;
  /** When something must have happened, by the clock of `#now`. */
  readonly #deadlines: Float64Array;
  readonly #waiting: (Waiting | null)[] = [];
  readonly #exchanges: (Exchange | null)[] = [];
  /** One more than the highest number that a connection has had. */
  #highest = 0;
  /** Those that were let in, and those past the limit. */
  #active = 0;
  #shedding = 0;
  /** Spare bytes for input that waits. */
  readonly #spare: Uint8Array[] = [];

  readonly #clock = new MonotonicClock();
  #now = 0;
  #turnStart = 0;
  /** When what is handled in this turn can have become readable, at the earliest. */
  #readable = 0;
  #nextTick = 0;
  /** The connection whose requests are being read. */
  #reading = NOTHING;
  /** What `needed` of the input is that was used last. */
  #needed = 0;
  #nextComplaint = 0;
  #nextExchange = 0;
  #isDraining = false;
  #isDrained = false;
  #onWoken: () => void = () => {};

  /** @param makeDriver Makes the driver, given what it tells */
  constructor(options: CoreOptions, makeDriver: (events: DriverEvents) => Driver) {
    this.#options = options;
    this.#clock.read();
    this.#now = this.#turnStart = this.#clock.milliseconds[0];
    this.#nextTick = this.#now + TICK_MS;
    this.#routes = options.routes;
    this.#gate = options.gate;
    const encoder = new TextEncoder();
    this.#paths = options.routes.map(({ path }) => encoder.encode(path));
    this.#bodyBytesMax = Int32Array.from(
      options.routes,
      ({ method, bodyBytesMax = FAST_BODY_BYTES_MAX }) =>
        method === "POST"
          ? Math.min(bodyBytesMax, FAST_BODY_BYTES_MAX, options.bodyBytesMax)
          : NOTHING,
    );
    this.#hasPosts = options.routes.some(({ method }) => method === "POST");
    this.#statistics = options.statistics;
    this.#counts = options.statistics.counts;
    this.#driver = makeDriver(this);
    const count = this.#driver.generations.length;
    this.#slots = new AnswerSlots(count);
    this.#states = new Uint8Array(count);
    this.#flags = new Uint8Array(count);
    this.#sending = new Int32Array(count).fill(NOTHING);
    this.#unsent = new Float64Array(count);
    this.#clients = new Int32Array(options.gate?.identify === undefined ? 0 : count);
    this.#deadlines = new Float64Array(count).fill(Infinity);
    for (let i = 0; i < count; i++) {
      this.#waiting.push(null);
      this.#exchanges.push(null);
    }
  }

  /** Whether it was told to drain, and nothing is left. */
  get isDrained(): boolean {
    return this.#isDrained;
  }

  /** Begins to accept. */
  start(onWoken: () => void): void {
    this.#onWoken = onWoken;
    this.#driver.accept();
  }

  /** Waits for what happens next, and handles it. */
  turn(): void {
    // The kernel would go on with sends of memory that is the main thread's again.
    this.endIfAbandoned();
    this.#driver.turn();
    if (this.#statistics.hasAnswered) {
      this.#clock.read();
      this.#statistics.endTurn((this.#clock.milliseconds[0] - this.#readable) / 1_000);
    }
    this.#counts[COUNT.answersInFlight] = this.#slots.inUse;
    this.#counts[COUNT.buffersLent] = this.#driver.buffersLent;
  }

  /** When the wait of this turn was over, in milliseconds by CLOCK_MONOTONIC. */
  get turnStart(): number {
    return this.#turnStart;
  }

  /** Milliseconds since what is handled in this turn can have become readable, at the earliest. */
  turnMilliseconds(): number {
    this.#clock.read();
    return this.#clock.milliseconds[0] - this.#readable;
  }

  /** Stops accepting; answers that are in flight, and requests that are on their way, are still answered. */
  drain(): void {
    this.#isDraining = true;
    this.#driver.accept();
    // Idle connections get until the next tick but one: a request may just be on its way.
    for (let c = 0; c < this.#highest; c++) this.#flags[c] &= ~USED;
  }

  /** Cuts off the connections whose answers in flight use some memory. */
  cutOff(memory: ReleasedMemory): void {
    for (let connection = 0; connection < this.#highest; connection++) {
      const slot = this.#sending[connection];
      if (slot !== NOTHING && this.#slots.memoryOf(slot) === memory) this.#close(connection);
    }
  }

  /** Whether an exchange that the main thread means is still the one of the connection that has this number now. */
  isCurrent(connection: number, number: number): boolean {
    const exchange = this.#exchanges[connection];
    return exchange !== null && exchange !== undefined && exchange.number === number;
  }

  // What the main thread asks.

  /** Sends a part of the main thread's answer. */
  sendFor(connection: number, address: number, byteLength: number, flags: number): void {
    const exchange = this.#exchanges[connection]!;
    if (this.#states[connection] !== HANDLING) return;
    if (exchange.isSending) {
      // The main thread sends one after the other; who does not is not understood.
      this.#close(connection);
      return;
    }
    exchange.flags = flags;
    exchange.isSending = true;
    if ((flags & SEND_INTERIM) !== 0) exchange.isExpecting = false;
    else exchange.hasAnswered = true;
    if (byteLength === 0) {
      this.#sentFor(connection, exchange);
      return;
    }
    this.#begin(connection, this.#slots.single(address, byteLength));
  }

  /** Lets more of a body come. */
  credit(connection: number, byteLength: number): void {
    const exchange = this.#exchanges[connection]!;
    exchange.window += byteLength;
    if (exchange.window > 0) this.#resume(connection);
  }

  /** Cuts a connection off, because the main thread cannot answer. */
  abort(connection: number): void {
    this.#close(connection);
  }

  // What the driver tells.

  begun(): void {
    this.endIfAbandoned();
    this.#clock.read();
    const before = this.#turnStart;
    this.#now = this.#turnStart = this.#clock.milliseconds[0];
    // What came during the turn before has waited since then; else the kernel woke us for it.
    this.#readable = this.#driver.wasBusy ? before : this.#now;
    if (this.#now < this.#nextTick) return;
    this.#nextTick = this.#now + TICK_MS;
    this.#tick();
  }

  /**
   * Who hung for long may have been replaced meanwhile: memory and counters that it shares are others' then.
   *
   * @throws {Error} If so; the thread ends by it
   */
  endIfAbandoned(): void {
    if (Atomics.load(this.#options.abandoned, 0) === 0) return;
    throw new Error("the thread was given up while it hung");
  }

  opened(connection: number): void {
    this.endIfAbandoned();
    if (connection >= this.#highest) this.#highest = connection + 1;
    if (!this.#options.connections.enter()) {
      this.#states[connection] = SHEDDING;
      this.#flags[connection] = SHED;
      this.#deadlines[connection] = this.#now + SHED_MS;
      this.#counts[COUNT.connectionsShed]++;
      this.#counts[COUNT.connectionsShedding] = ++this.#shedding;
      this.#driver.receive(connection);
      return;
    }
    this.#states[connection] = READING;
    this.#flags[connection] = USED;
    this.#deadlines[connection] = this.#now + this.#options.headerTimeoutMs;
    this.#counts[COUNT.connectionsTotal]++;
    this.#counts[COUNT.connectionsActive] = ++this.#active;
    // A gate that tells clients apart is told first; then the connection is read from.
    if (this.#clients.length > 0) this.#driver.identify(connection);
    else this.#driver.receive(connection);
  }

  received(connection: number, bytes: Uint8Array, from: number, to: number): void {
    this.#counts[COUNT.bytesReceived] += to - from;
    const state = this.#states[connection];
    if ((state === READING || state === HANDLING) && this.#waiting[connection] === null) {
      const end = this.#use(connection, bytes, from, to);
      if (end < to) this.#keep(connection, bytes, end, to);
      this.#resume(connection);
      return;
    }
    if (state === LINGERING) {
      this.#unsent[connection] += to - from;
      if (this.#unsent[connection] > LINGER_BYTES_MAX) this.#close(connection);
      return;
    }
    if (state === FREE || state === CLOSING) return;
    if (state === SHEDDING) {
      this.#shed(connection);
      return;
    }
    this.#keep(connection, bytes, from, to);
    if (state !== SENDING) this.#readWaiting(connection);
  }

  ended(connection: number, isBroken: boolean): void {
    this.#flags[connection] |= ENDED;
    // Answers of this thread are on their way, and requests may wait; the client may have closed its half only.
    if (this.#states[connection] === SENDING && !isBroken) return;
    this.#close(connection);
  }

  hungUp(connection: number): void {
    // Nobody waits for the handler any more. What this thread answers itself is there in a moment, read or not.
    if (this.#states[connection] === HANDLING) this.#close(connection);
  }

  sent(connection: number, result: number): void {
    const slot = this.#sending[connection];
    if (slot === NOTHING) return;
    if (result < 0) {
      this.#sending[connection] = NOTHING;
      this.#slots.release(slot);
      if (this.#states[connection] === CLOSING) this.#left(connection);
      else this.#close(connection);
      return;
    }
    this.#counts[COUNT.bytesSent] += result;
    this.#unsent[connection] -= result;
    if (this.#states[connection] === CLOSING) {
      this.#sending[connection] = NOTHING;
      this.#slots.release(slot);
      this.#left(connection);
    } else if (this.#unsent[connection] > 0) {
      if (result > 0) this.#slots.advance(slot, result);
      this.#deadlines[connection] = this.#now + this.#options.writeTimeoutMs;
      this.#push(connection, slot);
    } else this.#complete(connection, slot);
  }

  closed(connection: number): void {
    this.endIfAbandoned();
    this.#states[connection] = FREE;
    if ((this.#flags[connection] & SHED) !== 0) {
      this.#options.connections.leave(0, 1);
      this.#counts[COUNT.connectionsShedding] = --this.#shedding;
      return;
    }
    this.#options.connections.leave(1, 0);
    this.#counts[COUNT.connectionsActive] = --this.#active;
  }

  connectionsAllowed(): number {
    if (this.#isDraining) return 0;
    return this.#options.connectionsMax - this.#options.connections.open;
  }

  woken(): void {
    this.#onWoken();
  }

  exhausted(code: number): void {
    // The socket does not listen any more: a drain is on its way.
    if (code === ERRNO.EINVAL) return;
    this.#counts[COUNT.acceptFailures]++;
    this.#complain(exhaustedText(code));
  }

  /** Tells the main thread what went wrong, now and then. */
  #complain(text: string): void {
    if (this.#now < this.#nextComplaint) return;
    this.#nextComplaint = this.#now + COMPLAINT_MS;
    this.#options.tell({ kind: "complaint", text });
  }

  // Reading.

  /**
   * Uses input for whatever the connection is at: heads, or the body of the request that is being handled.
   *
   * @returns Up to where the bytes were used
   */
  #use(connection: number, bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    this.#reading = connection;
    this.#needed = 0;
    for (;;) {
      const state = this.#states[connection], before = at;
      if (state === READING) at = this.#read(connection, bytes, at, to);
      else if (state === HANDLING) at = this.#readBody(connection, bytes, at, to);
      else break;
      if (at >= to || at === before && this.#states[connection] === state) break;
    }
    this.#reading = NOTHING;
    return at;
  }

  /**
   * Answers the requests that bytes hold, as far as one send takes them.
   *
   * @returns Up to where the bytes were used
   */
  #read(connection: number, bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    for (;;) {
      at = this.#answerAll(connection, bytes, at, to);
      if (!this.#slots.isOpen) break;
      this.#begin(connection, this.#slots.finish());
      // Only a driver that sends at once gets further here.
      if (this.#states[connection] !== READING || at >= to) break;
    }
    return at;
  }

  /** Writes answers of fast routes to one slot, until something else must happen first. */
  #answerAll(connection: number, bytes: Uint8Array, from: number, to: number): number {
    const parser = this.#parser, slots = this.#slots;
    let at = from;
    while (at < to) {
      const end = parser.parse(bytes, at, to);
      if (end === INCOMPLETE) {
        while (at + 1 < to && bytes[at] === CR && bytes[at + 1] === LF) at += 2;
        if (at < to) this.#headBegun(connection);
        return at;
      }
      if (end < 0) {
        this.#refuse(connection, -end, parser.refusalCode, parser.refusalText, parser.isHead);
        return to;
      }
      const hasBody = parser.contentLength > 0 || parser.isChunked;
      const isRefused = this.#gate !== null && this.#refuseAtGate(connection, hasBody);
      let next = end;
      let isAnswered = isRefused;
      if (!isRefused) {
        const route = this.#findRoute(hasBody);
        if (route >= 0) {
          next = parser.bodyEnd;
          if (next <= to) isAnswered = this.#answerFast(connection, route);
          else if (this.#awaitsBody(connection, next - at)) return at;
        }
      }
      if (!isAnswered) {
        // Answers in order: this one begins when those before it were sent.
        if (slots.isOpen) return at;
        this.#handOver(connection);
        return this.#readBody(connection, bytes, end, to);
      }
      at = next;
      // The body of what a gate refuses is not looked for.
      const isBodyLeft = isRefused && hasBody;
      const hasRest = at < to || isBodyLeft;
      if (!parser.keepsAlive || isBodyLeft || this.#isDraining) {
        this.#flags[connection] |= CLOSE_AFTER;
        // What else was sent will not be read: the client must still get to see the answer.
        if (hasRest) this.#flags[connection] |= LINGER_AFTER;
        return to;
      }
      if (!slots.hasRoom) return at;
    }
    return at;
  }

  /** Has the gate look at a request, once. */
  #refuseAtGate(connection: number, hasBody: boolean): boolean {
    if ((this.#flags[connection] & LET_THROUGH) !== 0) return false;
    const parser = this.#parser, slots = this.#slots;
    const client = this.#clients.length > 0 ? this.#clients[connection] : 0;
    if (this.#gate!.admits(parser, client)) {
      this.#flags[connection] |= LET_THROUGH;
      return false;
    }
    this.#openSlot(hasBody);
    this.#gate!.refuse(parser, slots);
    const route = this.#findPath(parser.isPost);
    if (route < 0) this.#statistics.refused(slots.status);
    else this.#statistics.answered(route, parser.isHead, slots.status);
    this.#flags[connection] |= USED;
    return true;
  }

  /** Prepares for an answer to the request that was just parsed. */
  #openSlot(closes: boolean): void {
    const parser = this.#parser, slots = this.#slots;
    if (!slots.isOpen) slots.open();
    else slots.mark();
    slots.isHead = parser.isHead;
    slots.closes = closes || !parser.keepsAlive || this.#isDraining;
    slots.keepsOldAlive = parser.minorVersion === 0 && parser.keepsAlive;
  }

  #answerFast(connection: number, route: number): boolean {
    const parser = this.#parser, slots = this.#slots;
    this.#openSlot(false);
    try {
      if (this.#routes[route].answer(parser, slots)) {
        this.#statistics.answered(route, parser.isHead, slots.status);
        this.#flags[connection] = this.#flags[connection] & ~LET_THROUGH | USED;
        return true;
      }
      slots.rollback();
    } catch (error) {
      // The handler answers it instead: with its own failure, if it fails there too.
      slots.rollback();
      this.#complain(`fast route ${this.#routes[route].path}: ${(error as Error).message}`);
    }
    if (slots.isEmpty) slots.abandon();
    return false;
  }

  /** The fast route that is asked what was just parsed, or NOTHING. */
  #findRoute(hasBody: boolean): number {
    const parser = this.#parser;
    if (parser.isGet || parser.isHead) return hasBody ? NOTHING : this.#findPath(false);
    if (!this.#hasPosts || parser.isChunked || !parser.isPost) return NOTHING;
    const route = this.#findPath(true);
    return route >= 0 && parser.contentLength <= this.#bodyBytesMax[route] ? route : NOTHING;
  }

  /**
   * Lets the rest of the body of a fast route come.
   *
   * @param byteLength Of head and body
   * @returns False where the handler has to take it: it would not fit, or the client waits for 100 Continue
   */
  #awaitsBody(connection: number, byteLength: number): boolean {
    if (this.#parser.expectsContinue || byteLength >= INPUT_WAITING_BYTES_MAX) return false;
    this.#needed = byteLength;
    this.#flags[connection] |= HEAD_BEGUN | USED;
    this.#deadlines[connection] = this.#now + this.#options.bodyTimeoutMs;
    return true;
  }

  /** The route of a path, for POST or for the other methods, or NOTHING. */
  #findPath(isPost: boolean): number {
    const { bytes, targetStart, pathEnd } = this.#parser;
    const length = pathEnd - targetStart;
    for (let route = 0; route < this.#paths.length; route++) {
      const path = this.#paths[route];
      if (path.length !== length) continue;
      let i = 0;
      while (i < length && bytes[targetStart + i] === path[i]) i++;
      if (i === length && this.#bodyBytesMax[route] >= 0 === isPost) return route;
    }
    return NOTHING;
  }

  /** A head goes on: it has until a deadline that more of it does not move. */
  #headBegun(connection: number): void {
    if ((this.#flags[connection] & HEAD_BEGUN) !== 0) return;
    this.#flags[connection] |= HEAD_BEGUN | USED;
    this.#deadlines[connection] = this.#now + this.#options.headerTimeoutMs;
  }

  /** Gives a request to the main thread. */
  #handOver(connection: number): void {
    const parser = this.#parser;
    const { contentLength, isChunked } = parser;
    if (contentLength > this.#options.bodyBytesMax) {
      this.#refuse(
        connection,
        413,
        "content_too_large",
        this.#bodyTooLong(),
        parser.isHead,
        parser,
      );
      return;
    }
    const number = this.#nextExchange;
    this.#nextExchange = (number + 1) & 0x7fff_ffff;
    const hasBody = isChunked || contentLength > 0;
    const isExpecting = parser.expectsContinue && hasBody;
    const exchange: Exchange = {
      number,
      keepsAlive: parser.keepsAlive,
      isHead: parser.isHead,
      chunks: isChunked ? new ChunkedDecoder() : null,
      remaining: isChunked ? this.#options.bodyBytesMax : Math.max(0, contentLength),
      isBodyDone: !hasBody,
      window: BODY_WINDOW_BYTES,
      isDiscarding: false,
      isExpecting,
      held: [{
        kind: "request",
        connection,
        number,
        method: parser.text(parser.methodStart, parser.methodEnd),
        target: parser.text(parser.targetStart, parser.targetEnd),
        fields: parser.fieldList(),
        minorVersion: parser.minorVersion,
        hasBody,
        contentLength: isChunked ? 0 : Math.max(0, contentLength),
        expectsContinue: isExpecting,
        keepsAlive: parser.keepsAlive && !this.#isDraining,
        peer: { hostname: "", port: 0 },
      }],
      isSending: false,
      hasAnswered: false,
      flags: 0,
      refusal: null,
    };
    this.#exchanges[connection] = exchange;
    this.#states[connection] = HANDLING;
    this.#flags[connection] = this.#flags[connection] & ~(HEAD_BEGUN | LET_THROUGH) | USED;
    this.#deadlines[connection] = exchange.isBodyDone
      ? Infinity
      : this.#now + this.#options.bodyTimeoutMs;
    this.#counts[COUNT.requestsHandled]++;
    this.#counts[COUNT.exchangesActive]++;
    this.#driver.identify(connection);
  }

  identified(connection: number, address: Uint8Array | null): void {
    const exchange = this.#exchanges[connection];
    if (exchange === null && this.#states[connection] === READING && this.#clients.length > 0) {
      const hostname = address === null ? "" : readAddress(address).hostname;
      this.#clients[connection] = this.#gate!.identify!(hostname);
      this.#driver.receive(connection);
      return;
    }
    if (exchange === null || exchange.held === null) return;
    const { held } = exchange;
    exchange.held = null;
    if (address !== null) held[0].peer = readAddress(address);
    held.forEach(this.#options.tell);
  }

  /** Tells the main thread, as soon as it knows of the request. */
  #tellOf({ held }: Exchange, message: ThreadMessage): void {
    if (held === null) this.#options.tell(message);
    else held.push(message);
  }

  #tellGone(connection: number, exchange: Exchange): void {
    // Its handler runs all the same: who sends a request and leaves may mean it.
    exchange.held?.forEach(this.#options.tell);
    exchange.held = null;
    this.#options.tell({ kind: "gone", connection, number: exchange.number });
  }

  /** Takes bytes of the body of the request that is being handled. */
  #readBody(connection: number, bytes: Uint8Array, from: number, to: number): number {
    const exchange = this.#exchanges[connection];
    // Refused before there was one, or nothing of the body is missing: what comes is the next request.
    if (exchange === null) return this.#states[connection] === HANDLING ? from : to;
    if (exchange.refusal !== null) return to;
    if (exchange.isBodyDone || from === to) return from;
    exchange.isExpecting = false;
    let end = from;
    if (exchange.chunks === null) {
      end = Math.min(to, from + exchange.remaining);
      this.#takeBody(connection, exchange, bytes.subarray(from, end));
      exchange.isBodyDone = exchange.remaining === 0;
    } else {
      let error: ChunkedError | null = null;
      let start = from, length = 0;
      try {
        end = exchange.chunks.decode(bytes, from, to, (part) => {
          // Chunks are moved together over the framing that was read: the main thread is told once, however many come.
          if (length === 0) start = part.byteOffset - bytes.byteOffset;
          else bytes.set(part, start + length);
          length += part.length;
        });
      } catch (thrown) {
        if (!(thrown instanceof ChunkedError)) throw thrown;
        error = thrown;
      }
      if (length > 0) {
        this.#takeBody(connection, exchange, bytes.subarray(start, start + length));
      }
      if (error !== null) {
        this.#failBody(connection, error.status, "bad_request", error.message);
        return to;
      }
      exchange.isBodyDone = exchange.chunks.isDone;
      if (exchange.remaining < 0) {
        this.#failBody(connection, 413, "content_too_large", this.#bodyTooLong());
        return to;
      }
    }
    if (exchange.isDiscarding) {
      if (!exchange.isBodyDone) return end;
      this.#finishExchange(connection, exchange);
      return end;
    }
    if (exchange.isBodyDone) {
      if (!exchange.isSending) this.#deadlines[connection] = Infinity;
      this.#tellOf(exchange, { kind: "bodyEnd", connection, number: exchange.number });
    } else {
      if (!exchange.isSending) {
        this.#deadlines[connection] = exchange.window > 0
          ? this.#now + this.#options.bodyTimeoutMs
          : Infinity;
      }
      if (exchange.window <= 0) this.#pause(connection);
    }
    return end;
  }

  #takeBody(connection: number, exchange: Exchange, part: Uint8Array): void {
    exchange.remaining -= part.length;
    if (exchange.isDiscarding || part.length === 0 || exchange.remaining < 0) return;
    exchange.window -= part.length;
    this.#tellOf(exchange, {
      kind: "body",
      connection,
      number: exchange.number,
      bytes: part.slice() as Uint8Array<ArrayBuffer>,
    });
  }

  /** Refuses a request whose body turned out to be wrong, unless its answer has begun. */
  #failBody(connection: number, status: number, code: string, text: string): void {
    const exchange = this.#exchanges[connection]!;
    if (exchange.isDiscarding) {
      this.#flags[connection] |= LINGER_AFTER;
      this.#finishExchange(connection, exchange);
      return;
    }
    // 100 Continue, or all of the answer, is on its way: it gets there before the connection ends.
    if (exchange.isSending && (exchange.flags & (SEND_INTERIM | SEND_LAST)) !== 0) {
      exchange.refusal = [status, code, text];
      return;
    }
    if (exchange.hasAnswered) {
      this.#close(connection);
      return;
    }
    this.#endExchange(connection);
    this.#tellGone(connection, exchange);
    this.#states[connection] = READING;
    this.#refuse(connection, status, code, text, exchange.isHead);
    this.#begin(connection, this.#slots.finish());
  }

  /** Keeps input until its turn comes. */
  #keep(connection: number, bytes: Uint8Array, from: number, to: number): void {
    const state = this.#states[connection];
    if (state === FREE || state === CLOSING || state === LINGERING) return;
    let waiting = this.#waiting[connection];
    if (waiting === null) {
      waiting = {
        bytes: this.#spare.pop() ?? new Uint8Array(WAITING_BYTES),
        start: 0,
        end: 0,
        looked: 0,
        needed: this.#needed,
      };
      this.#waiting[connection] = waiting;
    }
    const length = to - from;
    if (waiting.end + length > waiting.bytes.length) makeRoom(waiting, length);
    waiting.bytes.set(bytes.subarray(from, to), waiting.end);
    waiting.end += length;
    if (waiting.end - waiting.start >= INPUT_WAITING_BYTES_MAX && state !== READING) {
      this.#pause(connection);
    }
  }

  /** Goes on with input that waits, now that it can be used. */
  #readWaiting(connection: number): void {
    const waiting = this.#waiting[connection];
    if (waiting === null) return;
    const { bytes, start, end, looked, needed } = waiting;
    if (end - start < needed) return;
    // A head that comes in crumbs is looked at when a line ends, or when it has doubled.
    const length = end - start;
    const isCrumb = this.#states[connection] === READING && needed === 0 && looked > 0 &&
      length < looked * 2 && length <= HEAD_BYTES_MAX;
    if (isCrumb && bytes.subarray(start + looked, end).indexOf(LF) < 0) return;
    waiting.start = this.#use(connection, bytes, start, end);
    waiting.looked = end - waiting.start;
    waiting.needed = this.#needed;
    this.#dropUsed(connection, waiting);
  }

  /** Gives back what is not needed any more. */
  #dropUsed(connection: number, waiting: Waiting): void {
    if (this.#waiting[connection] !== waiting) return;
    if (waiting.start === waiting.end) this.#dropWaiting(connection);
    if (waiting.end - waiting.start < INPUT_WAITING_BYTES_MAX) this.#resume(connection);
  }

  #dropWaiting(connection: number): void {
    const waiting = this.#waiting[connection];
    if (waiting === null) return;
    this.#waiting[connection] = null;
    if (waiting.bytes.length === WAITING_BYTES && this.#spare.length < WAITING_SPARE_MAX) {
      this.#spare.push(waiting.bytes);
    }
  }

  #pause(connection: number): void {
    if ((this.#flags[connection] & PAUSED) !== 0) return;
    this.#flags[connection] |= PAUSED;
    this.#driver.pause(connection);
  }

  #resume(connection: number): void {
    if ((this.#flags[connection] & PAUSED) === 0) return;
    const state = this.#states[connection];
    if (state !== READING && state !== HANDLING && state !== SENDING) return;
    const exchange = this.#exchanges[connection];
    if (exchange !== null && !exchange.isBodyDone && exchange.window <= 0) return;
    const waiting = this.#waiting[connection];
    if (waiting !== null && waiting.end - waiting.start >= INPUT_WAITING_BYTES_MAX) return;
    this.#flags[connection] &= ~PAUSED;
    if (exchange !== null && !exchange.isBodyDone && !exchange.isSending) {
      this.#deadlines[connection] = this.#now + this.#options.bodyTimeoutMs;
    }
    this.#driver.receive(connection);
  }

  // Sending.

  /** Sends the slot that was just written. */
  #begin(connection: number, slot: number): void {
    if (this.#states[connection] === READING) this.#states[connection] = SENDING;
    this.#flags[connection] &= ~HEAD_BEGUN;
    this.#sending[connection] = slot;
    this.#unsent[connection] = this.#slots.byteLength;
    this.#deadlines[connection] = this.#now + this.#options.writeTimeoutMs;
    this.#push(connection, slot);
  }

  /** Sends what is left of a slot; a driver that sends at once may have sent it when this returns. */
  #push(connection: number, slot: number): void {
    this.endIfAbandoned();
    for (;;) {
      const result = this.#driver.send(
        connection,
        this.#slots.message(slot),
        this.#slots.singleAddress(slot),
        this.#unsent[connection],
      );
      if (result === LATER) return;
      if (result < 0) {
        this.sent(connection, result);
        return;
      }
      this.#counts[COUNT.bytesSent] += result;
      this.#unsent[connection] -= result;
      if (this.#unsent[connection] === 0) {
        this.#complete(connection, slot);
        return;
      }
      // The driver tells of room when there was none; a send may also be short because it had too many vectors.
      if (result === 0) return;
      this.#slots.advance(slot, result);
      this.#deadlines[connection] = this.#now + this.#options.writeTimeoutMs;
    }
  }

  /** Everything of a slot was sent. */
  #complete(connection: number, slot: number): void {
    this.#sending[connection] = NOTHING;
    this.#slots.release(slot);
    if (this.#states[connection] === HANDLING) {
      this.#sentFor(connection, this.#exchanges[connection]!);
      return;
    }
    this.#readNext(connection);
  }

  /** An answer is complete: the connection ends, or its next request is read. */
  #readNext(connection: number): void {
    const flags = this.#flags[connection];
    if ((flags & (SHED | ENDED)) === SHED) {
      // The client closes, having read that the connection ends. To end it here takes an operation that io_uring hands
      // to a thread of its own, which is too dear where many are refused.
      this.#states[connection] = LINGERING;
      this.#dropWaiting(connection);
      this.#unsent[connection] = 0;
      this.#deadlines[connection] = this.#now + SHED_MS;
      return;
    }
    if ((flags & (LINGER_AFTER | ENDED)) === LINGER_AFTER) {
      this.#linger(connection);
      return;
    }
    if ((flags & (CLOSE_AFTER | LINGER_AFTER | SHED)) !== 0) {
      this.#close(connection);
      return;
    }
    const wasSending = this.#states[connection] === SENDING;
    this.#states[connection] = READING;
    this.#deadlines[connection] = this.#now + this.#options.idleTimeoutMs;
    // Who reads at this moment goes on by itself.
    if (this.#reading === connection) return;
    const waiting = this.#waiting[connection];
    if (waiting !== null) {
      waiting.looked = waiting.needed = 0;
      this.#readWaiting(connection);
    } else if (!wasSending) this.#resume(connection);
    if ((flags & ENDED) === 0) return;
    // Nothing more will come to make a request of what is there, or to complete the body of one.
    const state = this.#states[connection];
    const isWaitedFor = state === HANDLING && !this.#exchanges[connection]!.isBodyDone;
    if (state === READING || isWaitedFor) this.#close(connection);
  }

  #sentFor(connection: number, exchange: Exchange): void {
    exchange.isSending = false;
    this.#deadlines[connection] = !exchange.isBodyDone && !exchange.hasAnswered
      ? this.#now + this.#options.bodyTimeoutMs
      : Infinity;
    this.#options.tell({ kind: "sent", connection, number: exchange.number });
    if (exchange.refusal !== null && !exchange.hasAnswered) {
      this.#failBody(connection, ...exchange.refusal);
      return;
    }
    if ((exchange.flags & SEND_LAST) === 0) return;
    if (
      exchange.refusal !== null ||
      (exchange.flags & SEND_CLOSE) !== 0 || !exchange.keepsAlive || this.#isDraining ||
      // The client may wait for 100 Continue for ever, or send its body all the same.
      exchange.isExpecting ||
      (!exchange.isBodyDone &&
        (exchange.chunks === null ? exchange.remaining > BODY_DISCARDED_BYTES_MAX : false))
    ) {
      const hasMore = !exchange.isBodyDone || this.#waiting[connection] !== null;
      this.#flags[connection] |= hasMore ? LINGER_AFTER : CLOSE_AFTER;
      this.#finishExchange(connection, exchange);
      return;
    }
    if (exchange.isBodyDone) {
      this.#finishExchange(connection, exchange);
      return;
    }
    // The rest of the body is read and dropped, so that the connection can be used again.
    exchange.isDiscarding = true;
    exchange.remaining = Math.min(exchange.remaining, BODY_DISCARDED_BYTES_MAX);
    exchange.window = Infinity;
    this.#deadlines[connection] = this.#now + this.#options.bodyTimeoutMs;
    this.#resume(connection);
    this.#readWaiting(connection);
  }

  #finishExchange(connection: number, exchange: Exchange): void {
    if (this.#exchanges[connection] !== exchange) return;
    this.#endExchange(connection);
    this.#readNext(connection);
  }

  #endExchange(connection: number): void {
    this.#exchanges[connection] = null;
    this.#counts[COUNT.exchangesActive]--;
  }

  /** Writes a refusal; the connection ends after it, in a way that lets the client read it. */
  #refuse(
    connection: number,
    status: number,
    code: string,
    text: string,
    isHead: boolean,
    request: FastRequest | null = null,
  ): void {
    const slots = this.#slots;
    if (!slots.isOpen) slots.open();
    slots.isHead = false;
    const body = JSON.stringify({ data: null, error: { code, message: text } });
    slots.writeText(
      `HTTP/1.1 ${status} ${REASONS[status] ?? "Error"}\r\ndate: ${httpDate(Date.now())}\r\n` +
        "content-type: application/json\r\ncache-control: no-store\r\nconnection: close\r\n",
    );
    this.#options.refusalFields?.(request, slots);
    slots.writeText(`content-length: ${body.length}\r\n\r\n${isHead ? "" : body}`);
    this.#flags[connection] |= CLOSE_AFTER | LINGER_AFTER;
    this.#statistics.refused(status);
  }

  /** Refuses a connection past the limit, whatever it asks for. */
  #shed(connection: number): void {
    const slots = this.#slots;
    slots.open();
    slots.isHead = false;
    slots.closes = true;
    slots.begin(SHED_HEAD);
    this.#options.refusalFields?.(null, slots);
    slots.endHead(SHED_BODY.length);
    slots.writeText(SHED_BODY);
    this.#statistics.refused(503);
    this.#states[connection] = SENDING;
    this.#begin(connection, slots.finish());
  }

  #bodyTooLong(): string {
    return `a body may have ${this.#options.bodyBytesMax} bytes`;
  }

  // Ending.

  /** RFC 9112 section 9.6: the client would lose the answer if its own bytes met a closed socket. */
  #linger(connection: number): void {
    this.#states[connection] = LINGERING;
    this.#dropWaiting(connection);
    this.#unsent[connection] = 0;
    this.#deadlines[connection] = this.#now + LINGER_MS;
    this.#driver.finish(connection);
    if ((this.#flags[connection] & PAUSED) !== 0) {
      this.#flags[connection] &= ~PAUSED;
      this.#driver.receive(connection);
    }
  }

  #close(connection: number): void {
    const state = this.#states[connection];
    if (state === FREE || state === CLOSING) return;
    this.#states[connection] = CLOSING;
    this.#deadlines[connection] = Infinity;
    this.#dropWaiting(connection);
    const slot = this.#sending[connection];
    const isSending = slot !== NOTHING;
    // A driver that sends at once has nothing in flight, whatever is left to send.
    if (isSending && this.#driver.name === "epoll") {
      this.#sending[connection] = NOTHING;
      this.#slots.release(slot);
    }
    if (this.#sending[connection] === NOTHING) this.#left(connection);
    this.#driver.close(connection);
  }

  /** Nothing of a connection that is being closed is in flight. */
  #left(connection: number): void {
    const exchange = this.#exchanges[connection];
    if (exchange === null) return;
    this.#endExchange(connection);
    this.#tellGone(connection, exchange);
  }

  #tick(): void {
    this.#slots.setTime(Date.now());
    this.#counts[COUNT.ticks]++;
    const deadlines = this.#deadlines;
    for (let connection = 0; connection < this.#highest; connection++) {
      if (deadlines[connection] <= this.#now) this.#expired(connection);
      else if (this.#states[connection] === HANDLING) this.#refreshBody(connection);
    }
    this.#slots.shrink();
    // Connections of other threads may have ended.
    this.#driver.accept();
    if (this.#isDraining) this.#drainIdle();
  }

  /**
   * A multishot receive was seen not to tell of a connection's end, once in 10,000 clients that vanish while they send:
   * a body that does not move is asked for again every second.
   */
  #refreshBody(connection: number): void {
    const deadline = this.#deadlines[connection];
    if (deadline === Infinity || this.#exchanges[connection]!.isSending) return;
    const idleMs = this.#options.bodyTimeoutMs - (deadline - this.#now);
    if (idleMs >= REFRESH_MS && idleMs % REFRESH_MS < TICK_MS) this.#driver.refresh(connection);
  }

  #expired(connection: number): void {
    this.#counts[COUNT.timeouts]++;
    switch (this.#states[connection]) {
      case READING:
        if ((this.#flags[connection] & HEAD_BEGUN) === 0) this.#close(connection);
        else this.#timeOut(connection);
        return;
      case HANDLING: {
        const exchange = this.#exchanges[connection]!;
        if (exchange.isSending || exchange.hasAnswered) this.#close(connection);
        else {
          this.#failBody(
            connection,
            408,
            "request_timeout",
            "the body of the request took too long",
          );
        }
        return;
      }
      default:
        this.#close(connection);
    }
  }

  #timeOut(connection: number): void {
    const part = (this.#waiting[connection]?.needed ?? 0) > 0 ? "body" : "head";
    const text = `the ${part} of the request took too long`;
    this.#refuse(connection, 408, "request_timeout", text, false);
    this.#begin(connection, this.#slots.finish());
  }

  #drainIdle(): void {
    for (let connection = 0; connection < this.#highest; connection++) {
      if (this.#states[connection] === SHEDDING) this.#close(connection);
      if (this.#states[connection] !== READING) continue;
      const flags = this.#flags[connection];
      this.#flags[connection] &= ~USED;
      if ((flags & (HEAD_BEGUN | USED)) === 0) this.#close(connection);
    }
    this.#isDrained = this.#active + this.#shedding === 0;
  }
}

/** Makes room for more bytes, by moving what is there to the front or to a larger place. */
function makeRoom(waiting: Waiting, byteLength: number): void {
  const { bytes, start, end } = waiting;
  const used = end - start;
  if (used + byteLength <= bytes.length) bytes.copyWithin(0, start, end);
  else {
    const larger = new Uint8Array(Math.max(bytes.length * 2, used + byteLength));
    larger.set(bytes.subarray(start, end));
    waiting.bytes = larger;
  }
  waiting.start = 0;
  waiting.end = used;
}

function exhaustedText(code: number): string {
  const what = code === ERRNO.EMFILE || code === ERRNO.ENFILE
    ? "no more files can be open (ulimit -n, fs.file-max)"
    : errorText(code);
  return `new connections wait: ${what}`;
}
