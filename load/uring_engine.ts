import { MonotonicClock } from "../native/clock.ts";
import { CQE, ERRNO, IO_URING, SOCKET, TIMESPEC } from "../native/kernel_layout.ts";
import { check, errno, errorText, libc } from "../native/libc.ts";
import { mapMemory, type MappedMemory } from "../native/mapped_memory.ts";
import { type BufferRing, Ring } from "../native/ring.ts";
import { socketAddress } from "../native/sockets.ts";
import type { AnswerCheck } from "./answer_check.ts";
import {
  BACKLOG_MS_MAX,
  COMPLETIONS,
  CONNECTING_MAX,
  LINGER_MS,
  RECEIVE_BUFFER_BYTES,
  RECEIVE_BUFFERS,
  SHUTDOWN_MS_MAX,
  SUBMISSIONS,
  SWEEP_MS,
  TICK_MS,
  TIMER_MS_MIN,
} from "./limits.ts";
import { NumberQueue } from "./number_queue.ts";
import { requestTexts, type ResolvedOptions } from "./options.ts";
import type { LoadRecorder } from "./recorder.ts";
import type { LoadErrorKind, LoadReport } from "./report.ts";
import { ResponseParser } from "./response_parser.ts";
import { Schedule } from "./schedule.ts";

/** What the caller wants, in memory that it shares with the engine. */
export const CONTROL = {
  /** 1 to stop. */
  stop: 0,
  /** Connections to hold. */
  connections: 1,
  words: 2,
} as const;

// User data of a completion: the kind of operation in bits 24 to 31, the connection in bits 0 to 23. A connection is
// used again only when all its operations are over, so there is no need for a generation.
const KIND_SHIFT = 24, CONNECTION_MASK = 0xff_ffff;
const CONNECT = 1, RECEIVE = 2, SEND = 3, TIMER = 4, IGNORED = 5;

// States of a connection, as bits.
/** A connect operation is the kernel's. */
const CONNECTING = 1;
/** A receive operation is the kernel's. */
const RECEIVING = 2;
/** A send operation is the kernel's. */
const SENDING = 4;
const OPERATIONS = CONNECTING | RECEIVING | SENDING;
/** It can be asked on. */
const OPEN = 8;
/** It is closed as soon as no operation is the kernel's any more. */
const CLOSING = 16;
/** It is in the queue of those that wait for something to ask. */
const IDLE = 32;
/** The answer was the last one on it: the server closes it. */
const LAST = 64;
/** It is in the queue of those to be connected, or of those that pause. */
const QUEUED = 128;
/** It is not tried any more. */
const GIVEN_UP = 256;
/** It is asked on when this turn's completions are all handled. */
const ASKED_SOON = 512;

const HEADS = {
  connect: IO_URING.IORING_OP_CONNECT,
  // Nothing has come when it is asked for, so that a try would be in vain.
  receive: IO_URING.IORING_OP_RECV | IO_URING.IOSQE_BUFFER_SELECT << 8 |
    (IO_URING.IORING_RECV_MULTISHOT | IO_URING.IORING_RECVSEND_POLL_FIRST) << 16,
  send: IO_URING.IORING_OP_SEND,
  close: IO_URING.IORING_OP_CLOSE | IO_URING.IOSQE_CQE_SKIP_SUCCESS << 8,
  cancel: IO_URING.IORING_OP_ASYNC_CANCEL | IO_URING.IOSQE_CQE_SKIP_SUCCESS << 8,
  timeout: IO_URING.IORING_OP_TIMEOUT,
};
const ONE = new Int32Array([1]);

/** How an engine is made. */
export interface UringEngineOptions {
  options: ResolvedOptions;
  /** The server's IP address. */
  address: string;
  /** {@linkcode CONTROL}, shared with whoever wants something. */
  control: Int32Array;
  recorder: LoadRecorder;
  check: AnswerCheck;
}

/** How a load ended. */
export interface EngineEnding {
  ended: LoadReport["ended"];
  due: number;
  unsent: number;
  unanswered: number;
  /** When no more requests were sent. */
  sentUntilMs: number;
  connectionsWanted: number;
  /** When it was over, by {@linkcode MonotonicClock}. */
  nowMs: number;
  cpu: LoadReport["cpu"] extends infer Cpu ? Omit<Cpu, "microsecondsPerRequest"> : never;
}

/**
 * Makes a load by one io_uring, in the thread that calls it, which it does not give back before the load is over: ordinary
 * sockets, a multishot receive each into buffers that all share, requests sent from where they were encoded once.
 *
 * ```
 *  to connect ──▶ connecting ──▶ open ──(answers: asked again at once, or when a request is due)
 *      ▲                          │
 *      └── pause ◀── failed ◀─────┴── closed by the server, retired, or a connection for each request
 * ```
 */
export class UringEngine {
  readonly #options: ResolvedOptions;
  readonly #control: Int32Array;
  readonly #recorder: LoadRecorder;
  readonly #check: AnswerCheck;
  readonly #ring: Ring;
  readonly #buffers: BufferRing;
  readonly #clock = new MonotonicClock();
  readonly #parser: ResponseParser;
  #schedule: Schedule | null = null;
  /** Requests that may be taken; no bound while warming up. */
  #requestsMax = Infinity;

  /** A timespec, and the server's address. */
  readonly #memory: MappedMemory;
  readonly #timespec: DataView;
  readonly #addressLength: number;
  /** The requests in the order in which they are asked, as often as pipelining needs them without a break. */
  readonly #requests: MappedMemory;
  /** Where each begins, as an address, and where the last ends. */
  readonly #requestStarts: Float64Array;

  // Of each connection.
  readonly #states: Uint16Array;
  readonly #descriptors: Int32Array;
  /** Requests without an answer. */
  readonly #outstanding: Uint16Array;
  /** Where the first of them is in its part of the two below. */
  readonly #firsts: Uint16Array;
  /** From when a request's latency counts, and its number: `pipeline` places a connection. */
  readonly #times: Float64Array;
  readonly #numbers: Float64Array;
  /** Answers since it was made. */
  readonly #answers: Uint32Array;
  /** Failures in a row. */
  readonly #failures: Uint32Array;
  /** When waiting for it ends, or a pause. */
  readonly #deadlines: Float64Array;
  /** What is still to be sent. */
  readonly #sendAddresses: Float64Array;
  readonly #sendBytes: Float64Array;

  readonly #toConnect: NumberQueue;
  /** All pause for as long, so they end in the order in which they began. */
  readonly #pausing: NumberQueue;
  readonly #idle: NumberQueue;
  /** Connections with answers in this turn: asked on once each, so that what is pipelined goes out in one piece. */
  readonly #answeredNow: NumberQueue;

  #nowMs = 0;
  #wanted = 0;
  #givenUp = 0;
  #connecting = 0;
  /** Connections that have a socket. */
  #alive = 0;
  /** Requests taken, warm-up included: the number of the next one. */
  #taken = 0;
  /** The first number that counts. */
  #countedFrom = 0;
  #outstandingTotal = 0;
  #isTimerSet = false;
  #nextTickMs = 0;
  #nextSweepMs = 0;
  /** Whether what happens is counted. */
  #isCounting = false;
  #areAllGivenUp = false;
  /** No more requests are taken. */
  #isEnding = false;
  #dueAtEnd = 0;
  #sentUntilMs = 0;
  #ended: LoadReport["ended"] | null = null;

  /** @throws {SystemError} If the kernel refuses */
  constructor({ options, address, control, recorder, check: answerCheck }: UringEngineOptions) {
    this.#options = options;
    this.#control = control;
    this.#recorder = recorder;
    this.#check = answerCheck;
    const { connectionsMax, pipeline } = options;
    this.#ring = new Ring({ submissions: SUBMISSIONS, completions: COMPLETIONS });
    try {
      this.#buffers = this.#ring.registerBuffers(RECEIVE_BUFFERS, RECEIVE_BUFFER_BYTES);
    } catch (error) {
      this.#ring.free();
      throw error;
    }
    this.#memory = mapMemory(4_096);
    this.#timespec = new DataView(this.#memory.bytes.buffer, 0, TIMESPEC.sizeof);
    const server = socketAddress(address, options.port);
    this.#memory.bytes.set(server, TIMESPEC.sizeof);
    this.#addressLength = server.length;
    const { memory, starts } = encodeRequests(requestTexts(options), pipeline);
    this.#requests = memory;
    this.#requestStarts = starts;

    this.#states = new Uint16Array(connectionsMax);
    this.#descriptors = new Int32Array(connectionsMax).fill(-1);
    this.#outstanding = new Uint16Array(connectionsMax);
    this.#firsts = new Uint16Array(connectionsMax);
    this.#times = new Float64Array(connectionsMax * pipeline);
    this.#numbers = new Float64Array(connectionsMax * pipeline);
    this.#answers = new Uint32Array(connectionsMax);
    this.#failures = new Uint32Array(connectionsMax);
    this.#deadlines = new Float64Array(connectionsMax).fill(Infinity);
    this.#sendAddresses = new Float64Array(connectionsMax);
    this.#sendBytes = new Float64Array(connectionsMax);
    this.#toConnect = new NumberQueue(connectionsMax);
    this.#pausing = new NumberQueue(connectionsMax);
    this.#idle = new NumberQueue(connectionsMax);
    this.#answeredNow = new NumberQueue(connectionsMax);
    this.#parser = new ResponseParser({
      connections: connectionsMax,
      isHead: options.method === "HEAD",
      areBodiesWanted: answerCheck.areBodiesWanted,
      events: {
        isAnswerDue: (connection) => this.#outstanding[connection] > 0,
        body: (connection, bytes, from, to) => answerCheck.body(connection, bytes, from, to),
        answered: (connection, status, bodyBytes, isKept) =>
          this.#answered(connection, status, bodyBytes, isKept),
      },
    });
  }

  /**
   * Makes the load.
   *
   * @throws {SystemError} If the kernel refuses what it must not
   */
  run(): EngineEnding {
    const { warmupMs, durationMs, requests } = this.#options;
    this.#readClock();
    const warmUntilMs = this.#nowMs + warmupMs;
    this.#begin(warmupMs > 0 ? Infinity : requests);
    this.#follow();
    while (this.#nowMs < warmUntilMs && this.#ended === null && !this.#isEnding) this.#turn();
    // One that ends while it warms up reports why.
    if (warmupMs > 0 && this.#ended === null && !this.#isEnding) this.#begin(requests);
    this.#isCounting = true;
    const cpuBefore = cpuTimes();
    let cpuAfter = cpuBefore, answeredBefore = -1;
    const endMs = this.#nowMs + durationMs;
    while (this.#ended === null) {
      this.#turn();
      const taken = this.#taken - this.#countedFrom;
      if (!this.#isEnding && (this.#nowMs >= endMs || taken >= requests)) {
        this.#end(Math.min(this.#nowMs, endMs));
      }
      if (this.#isEnding && this.#outstandingTotal === 0) {
        this.#ended ??= this.#areAllGivenUp
          ? "connections"
          : taken >= requests
          ? "requests"
          : "duration";
      }
      // Up to the last answer, as the time is, and not on while one is waited for that never comes.
      const { answered } = this.#recorder.sums;
      if (this.#isEnding && answered !== answeredBefore) {
        cpuAfter = cpuTimes();
        answeredBefore = answered;
      }
    }
    if (!this.#isEnding) {
      this.#end(this.#nowMs);
      cpuAfter = cpuTimes();
    }
    const cpu = {
      userMs: cpuAfter.userMs - cpuBefore.userMs,
      systemMs: cpuAfter.systemMs - cpuBefore.systemMs,
      processMs: cpuAfter.processMs - cpuBefore.processMs,
    };
    const { sent, answered, failed } = this.#recorder.sums;
    return {
      ended: this.#ended,
      due: this.#dueAtEnd,
      unsent: Math.max(0, this.#dueAtEnd - sent),
      unanswered: sent - answered - failed,
      sentUntilMs: this.#sentUntilMs,
      connectionsWanted: this.#wanted,
      nowMs: this.#nowMs,
      cpu,
    };
  }

  /** Closes all connections and frees what the engine has. */
  close(): void {
    const { connectionsMax } = this.#options;
    this.#wanted = 0;
    for (let i = 0; i < connectionsMax; i++) this.#close(i);
    const untilMs = this.#nowMs + SHUTDOWN_MS_MAX;
    while (this.#alive > 0 && this.#nowMs < untilMs) this.#turn();
    this.#ring.enter(0);
    this.#ring.free();
    if (this.#alive > 0) return;
    this.#buffers.free();
    this.#requests.free();
    this.#memory.free();
  }

  /** From here on everything counts, and requests are due if they have a schedule. */
  #begin(requestsMax: number): void {
    const { rate } = this.#options;
    this.#countedFrom = this.#taken;
    this.#requestsMax = requestsMax;
    this.#schedule = rate === null ? null : new Schedule(rate, requestsMax, this.#nowMs);
    this.#recorder.start(this.#nowMs);
  }

  /** One batch of completions, and all that follows from it. */
  #turn(): void {
    const ring = this.#ring;
    if (!this.#isTimerSet) this.#setTimer();
    ring.enter(1);
    this.#readClock();
    const { completions, completionMask } = ring;
    const tail = ring.tail;
    for (let head = ring.head; head !== tail;) {
      const at = (head & completionMask) * (CQE.sizeof / 4);
      const data = completions[at + CQE.user_data / 4];
      const result = completions[at + CQE.res / 4];
      const flags = completions[at + CQE.flags / 4];
      const connection = data & CONNECTION_MASK;
      // Taken from here on: it may be overwritten while it is handled.
      ring.head = head = (head + 1) >>> 0;
      switch (data >>> KIND_SHIFT) {
        case RECEIVE:
          this.#received(connection, result, flags);
          break;
        case SEND:
          this.#sentSome(connection, result);
          break;
        case CONNECT:
          this.#connected(connection, result);
          break;
        case TIMER:
          this.#isTimerSet = false;
      }
    }
    ring.publishHead();
    this.#buffers.publish();
    while (this.#answeredNow.size > 0) {
      const connection = this.#answeredNow.shift();
      this.#states[connection] &= ~ASKED_SOON;
      this.#ask(connection);
    }
    if (this.#nowMs >= this.#nextTickMs) this.#tick();
    if (this.#schedule !== null) this.#askWhatIsDue();
    if (this.#toConnect.size > 0) this.#connectSome();
  }

  // Connections

  #connectSome(): void {
    if (this.#isEnding) return;
    while (this.#connecting < CONNECTING_MAX && this.#toConnect.size > 0) {
      // Each request has a connection of its own: without one to send there is nothing to connect for.
      if (this.#options.close && !this.#mayTake()) return;
      const connection = this.#toConnect.shift();
      this.#states[connection] &= ~QUEUED;
      if (connection < this.#wanted) this.#connect(connection);
    }
  }

  #connect(connection: number): void {
    const family = this.#memory.bytes[TIMESPEC.sizeof];
    const descriptor = libc().socket(family, SOCKET.SOCK_STREAM | SOCKET.SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
      const code = errno();
      this.#fail("other", 1, () => `socket: ${errorText(code)}`);
      this.#pause(connection);
      return;
    }
    // Several requests in flight: a later one must not wait until an earlier one is acknowledged.
    if (this.#options.pipeline > 1) {
      check(
        libc().setsockopt(descriptor, SOCKET.IPPROTO_TCP, SOCKET.TCP_NODELAY, ONE, 4),
        "setsockopt",
      );
    }
    this.#alive++;
    this.#connecting++;
    this.#descriptors[connection] = descriptor;
    this.#states[connection] = this.#states[connection] & (IDLE | ASKED_SOON) | CONNECTING;
    this.#answers[connection] = 0;
    this.#deadlines[connection] = this.#nowMs + this.#options.connectTimeoutMs;
    this.#parser.reset(connection);
    this.#check.reset(connection);
    if (this.#options.close) this.#take(connection, this.#nowMs);
    this.#ring.pushConnect(
      HEADS.connect,
      descriptor,
      this.#memory.address + TIMESPEC.sizeof,
      this.#addressLength,
      connection | CONNECT << KIND_SHIFT,
      0,
    );
  }

  #connected(connection: number, result: number): void {
    this.#connecting--;
    this.#states[connection] &= ~CONNECTING;
    if ((this.#states[connection] & CLOSING) !== 0) {
      this.#finishClose(connection);
      return;
    }
    if (result < 0) {
      const kind = result === -ERRNO.ECONNREFUSED || result === -ERRNO.ECONNRESET
        ? "refused"
        : result === -ERRNO.ETIMEDOUT
        ? "connectTimeout"
        : "other";
      this.#connectFailed(connection, kind, () => explainConnect(-result));
      this.#close(connection);
      return;
    }
    this.#recorder.opened();
    this.#states[connection] |= OPEN;
    this.#deadlines[connection] = Infinity;
    this.#startReceive(connection);
    if (this.#options.close) this.#sendTaken(connection, 1);
    else this.#ask(connection);
  }

  #connectFailed(connection: number, kind: LoadErrorKind, example: () => string): void {
    this.#fail(kind, 1, example);
    // With a connection for each request, its request had been taken and was never sent.
    this.#outstandingTotal -= this.#outstanding[connection];
    this.#outstanding[connection] = 0;
    this.#failures[connection]++;
  }

  /** Closes a connection now, or when the operations on it have been cancelled. */
  #close(connection: number): void {
    const state = this.#states[connection];
    if (this.#descriptors[connection] < 0 || (state & CLOSING) !== 0) return;
    if ((state & OPEN) !== 0) this.#recorder.connectionsOpen--;
    this.#states[connection] = (state | CLOSING) & ~OPEN;
    this.#deadlines[connection] = Infinity;
    for (const [bit, kind] of [[CONNECTING, CONNECT], [RECEIVING, RECEIVE], [SENDING, SEND]]) {
      if ((state & bit) === 0) continue;
      const data = (connection | kind << KIND_SHIFT) >>> 0;
      this.#ring.push(HEADS.cancel, -1, data, 0, 0, IGNORED << KIND_SHIFT, 0);
    }
    this.#finishClose(connection);
  }

  #finishClose(connection: number): void {
    if ((this.#states[connection] & (OPERATIONS | CLOSING)) !== CLOSING) return;
    this.#ring.push(
      HEADS.close,
      this.#descriptors[connection],
      0,
      0,
      0,
      IGNORED << KIND_SHIFT,
      0,
    );
    this.#descriptors[connection] = -1;
    this.#alive--;
    // It may still be in the queue of idle ones, where it is passed over.
    this.#states[connection] &= IDLE | ASKED_SOON;
    if (connection >= this.#wanted) return;
    if (this.#failures[connection] === 0) this.#queue(connection);
    else if (this.#failures[connection] >= this.#options.attemptsMax) this.#giveUp(connection);
    else this.#pause(connection);
  }

  #queue(connection: number): void {
    this.#states[connection] |= QUEUED;
    this.#toConnect.push(connection);
  }

  #pause(connection: number): void {
    this.#recorder.sums.retried++;
    this.#states[connection] |= QUEUED;
    this.#deadlines[connection] = this.#nowMs + this.#options.pauseMs;
    this.#pausing.push(connection);
  }

  #giveUp(connection: number): void {
    this.#states[connection] |= GIVEN_UP;
    this.#givenUp++;
    this.#recorder.sums.givenUp++;
  }

  // Requests

  /** Whether there is a request to take. */
  #mayTake(): boolean {
    if (this.#isEnding) return false;
    const taken = this.#taken - this.#countedFrom;
    if (this.#schedule !== null) return this.#schedule.dueBy(this.#nowMs) > taken;
    return taken < this.#requestsMax;
  }

  /** Takes the next request for a connection. */
  #take(connection: number, timeMs: number): void {
    const { pipeline } = this.#options;
    const number = this.#taken++;
    let place = this.#firsts[connection] + this.#outstanding[connection]++;
    if (place >= pipeline) place -= pipeline;
    const at = connection * pipeline + place;
    this.#outstandingTotal++;
    this.#numbers[at] = number;
    this.#times[at] = this.#schedule === null
      ? timeMs
      : this.#schedule.timeOf(number - this.#countedFrom);
  }

  /** Asks as much as there is to ask and the connection can take. */
  #ask(connection: number): void {
    if ((this.#states[connection] & (OPEN | SENDING | LAST)) !== OPEN) return;
    const { pipeline, answersPerConnection } = this.#options;
    if (connection >= this.#wanted || this.#answers[connection] >= answersPerConnection) {
      if (this.#outstanding[connection] === 0) this.#close(connection);
      return;
    }
    const before = this.#outstanding[connection];
    while (this.#outstanding[connection] < pipeline && this.#mayTake()) {
      this.#take(connection, this.#nowMs);
    }
    const count = this.#outstanding[connection] - before;
    if (count > 0) this.#sendTaken(connection, count);
    else if (before < pipeline && (this.#states[connection] & IDLE) === 0) {
      this.#states[connection] |= IDLE;
      this.#idle.push(connection);
    }
  }

  /** Sends the last few requests that a connection has taken. */
  #sendTaken(connection: number, count: number): void {
    const { pipeline, paths } = this.#options;
    let place = this.#firsts[connection] + this.#outstanding[connection] - count;
    if (place >= pipeline) place -= pipeline;
    const at = connection * pipeline + place;
    const number = this.#numbers[at];
    const first = number % paths.length;
    const address = this.#requestStarts[first];
    const byteLength = this.#requestStarts[first + count] - address;
    if (number >= this.#countedFrom) {
      this.#recorder.sums.sent += count;
      this.#recorder.sums.bytesSent += byteLength;
      if (this.#schedule !== null) this.#recorder.late(this.#nowMs - this.#times[at]);
    }
    if (this.#deadlines[connection] === Infinity) {
      this.#deadlines[connection] = this.#nowMs + this.#options.timeoutMs;
    }
    this.#send(connection, address, byteLength);
  }

  #send(connection: number, address: number, byteLength: number): void {
    this.#sendAddresses[connection] = address;
    this.#sendBytes[connection] = byteLength;
    this.#states[connection] |= SENDING;
    this.#ring.push(
      HEADS.send,
      this.#descriptors[connection],
      address,
      byteLength,
      SOCKET.MSG_NOSIGNAL,
      connection | SEND << KIND_SHIFT,
      0,
    );
  }

  #sentSome(connection: number, result: number): void {
    this.#states[connection] &= ~SENDING;
    if ((this.#states[connection] & CLOSING) !== 0) {
      this.#finishClose(connection);
      return;
    }
    if (result < 0) {
      // Why is told by what is received: an answer that came before, or the end.
      if ((this.#states[connection] & RECEIVING) === 0) this.#lost(connection, "reset");
      return;
    }
    const missing = this.#sendBytes[connection] - result;
    if (missing > 0) this.#send(connection, this.#sendAddresses[connection] + result, missing);
    // Answers may have come meanwhile.
    else this.#askSoon(connection);
  }

  #askSoon(connection: number): void {
    if ((this.#states[connection] & ASKED_SOON) !== 0) return;
    this.#states[connection] |= ASKED_SOON;
    this.#answeredNow.push(connection);
  }

  // Answers

  #startReceive(connection: number): void {
    this.#states[connection] |= RECEIVING;
    this.#ring.push(
      HEADS.receive,
      this.#descriptors[connection],
      0,
      0,
      0,
      connection | RECEIVE << KIND_SHIFT,
      0,
    );
  }

  #received(connection: number, result: number, flags: number): void {
    const hasEnded = (flags & IO_URING.IORING_CQE_F_MORE) === 0;
    if (hasEnded) this.#states[connection] &= ~RECEIVING;
    if ((flags & IO_URING.IORING_CQE_F_BUFFER) !== 0) {
      const buffer = flags >>> IO_URING.IORING_CQE_BUFFER_SHIFT;
      this.#buffers.take();
      if (result > 0 && (this.#states[connection] & OPEN) !== 0) {
        this.#recorder.sums.bytesReceived += result;
        const from = buffer * RECEIVE_BUFFER_BYTES;
        this.#takeBytes(connection, from, from + result);
      }
      this.#buffers.give(buffer);
    }
    if ((this.#states[connection] & CLOSING) !== 0) {
      this.#finishClose(connection);
    } else if (hasEnded && (this.#states[connection] & OPEN) !== 0) {
      // Out of buffers, which this turn gives back, or ended for a reason of the kernel's own.
      if (result > 0 || result === -ERRNO.ENOBUFS) this.#startReceive(connection);
      else this.#endReceived(connection, result);
    }
  }

  #takeBytes(connection: number, from: number, to: number): void {
    if ((this.#states[connection] & LAST) !== 0) return;
    const problem = this.#parser.take(connection, this.#buffers.bytes, from, to);
    if (problem !== null) this.#lost(connection, "malformed", problem);
    else this.#askSoon(connection);
  }

  /** The server has ended its side. */
  #endReceived(connection: number, result: number): void {
    const isReset = result < 0;
    if (!isReset) this.#parser.end(connection);
    if (this.#outstanding[connection] > 0) {
      if (!isReset) this.#lost(connection, "closedEarly");
      else if (result === -ERRNO.ECONNRESET) this.#lost(connection, "reset");
      else this.#lost(connection, "other", errorText(-result));
      return;
    }
    if ((this.#states[connection] & LAST) === 0) this.#recorder.sums.closedIdle++;
    // One that never had an answer would be made again and again.
    if (this.#answers[connection] === 0) this.#failures[connection]++;
    this.#close(connection);
  }

  /** @returns Whether the connection goes on */
  #answered(connection: number, status: number, bodyBytes: number, isKept: boolean): boolean {
    const { pipeline, paths, close, timeoutMs } = this.#options;
    const first = this.#firsts[connection];
    const at = connection * pipeline + first;
    this.#firsts[connection] = first + 1 === pipeline ? 0 : first + 1;
    const outstanding = --this.#outstanding[connection];
    this.#outstandingTotal--;
    this.#answers[connection]++;
    // Who is told that there is no room, and is cut off, comes back as one who was reset.
    const isCutOff = status === 503 && !isKept && !close;
    this.#failures[connection] = isCutOff ? this.#failures[connection] + 1 : 0;
    const number = this.#numbers[at];
    const wrong = this.#check.isNeeded
      ? this.#check.answered(connection, paths[number % paths.length], status, bodyBytes)
      : null;
    if (number >= this.#countedFrom) {
      this.#recorder.answered(status, this.#nowMs - this.#times[at], this.#nowMs);
      if (wrong !== null) this.#recorder.failed(wrong, 1, () => this.#check.problem);
    }
    if (isKept && !close) {
      this.#deadlines[connection] = outstanding > 0 ? this.#nowMs + timeoutMs : Infinity;
      return true;
    }
    const lost = this.#forgetOutstanding(connection);
    this.#fail("closedEarly", lost, () => "Connection: close before the last answer");
    // The server closes first: its side, not this one, keeps the port for a minute (TIME_WAIT). A server that sheds need
    // not: it has too much to do.
    this.#states[connection] |= LAST;
    this.#deadlines[connection] = this.#nowMs + (isCutOff ? 0 : LINGER_MS);
    return false;
  }

  /** A connection is lost, and all that was asked on it. */
  #lost(connection: number, kind: LoadErrorKind, example = ""): void {
    const lost = this.#forgetOutstanding(connection);
    // What belongs to no request is wrong all the same.
    const count = kind === "malformed" ? Math.max(1, lost) : lost;
    this.#fail(
      kind,
      count,
      () => example || `after ${this.#answers[connection]} answers on the connection`,
    );
    this.#failures[connection]++;
    this.#close(connection);
  }

  /** @returns How many of the requests without an answer count */
  #forgetOutstanding(connection: number): number {
    const { pipeline } = this.#options;
    let counted = 0;
    for (let n = this.#outstanding[connection]; n > 0; n--) {
      const first = this.#firsts[connection];
      if (this.#numbers[connection * pipeline + first] >= this.#countedFrom) counted++;
      this.#firsts[connection] = first + 1 === pipeline ? 0 : first + 1;
    }
    this.#outstandingTotal -= this.#outstanding[connection];
    this.#outstanding[connection] = 0;
    this.#recorder.sums.failed += counted;
    return counted;
  }

  #fail(kind: LoadErrorKind, count: number, example: () => string): void {
    if (count > 0) this.#recorder.failed(kind, count, example);
  }

  // Time

  #askWhatIsDue(): void {
    if (this.#isEnding) return;
    let backlog = this.#backlog();
    const backlogMax = Math.ceil(this.#options.rate! * BACKLOG_MS_MAX / 1_000);
    if (backlog > backlogMax) {
      this.#taken += backlog - backlogMax;
      backlog = backlogMax;
    }
    while (backlog > 0 && this.#idle.size > 0) {
      const connection = this.#idle.shift();
      this.#states[connection] &= ~IDLE;
      const before = this.#taken;
      this.#ask(connection);
      backlog -= this.#taken - before;
    }
    if (backlog > this.#recorder.sums.backlogMost) this.#recorder.sums.backlogMost = backlog;
  }

  #tick(): void {
    this.#nextTickMs = this.#nowMs + TICK_MS;
    this.#follow();
    while (
      this.#pausing.size > 0 && this.#deadlines[this.#pausing.first] <= this.#nowMs
    ) {
      const connection = this.#pausing.shift();
      this.#states[connection] &= ~QUEUED;
      this.#deadlines[connection] = Infinity;
      if (connection < this.#wanted) this.#queue(connection);
    }
    if (this.#nowMs >= this.#nextSweepMs) {
      this.#nextSweepMs = this.#nowMs + SWEEP_MS;
      this.#sweep();
    }
    // All were given up: what those that were not wanted any more have under way is all that comes.
    if (!this.#isEnding && this.#givenUp > 0 && this.#givenUp === this.#wanted) {
      this.#areAllGivenUp = true;
      this.#end(this.#nowMs);
    }
    if (this.#isCounting && this.#ended === null) this.#recorder.tick(this.#nowMs, this.#backlog());
  }

  #backlog(): number {
    if (this.#schedule === null || this.#isEnding) return 0;
    return Math.max(0, this.#schedule.dueBy(this.#nowMs) - (this.#taken - this.#countedFrom));
  }

  /** Does what the caller wants. */
  #follow(): void {
    if (Atomics.load(this.#control, CONTROL.stop) === 1) this.#ended ??= "stopped";
    const wanted = Atomics.load(this.#control, CONTROL.connections);
    const before = this.#wanted;
    if (wanted === before || this.#ended !== null) return;
    this.#wanted = wanted;
    for (let i = before; i < wanted; i++) {
      if (this.#descriptors[i] < 0 && (this.#states[i] & QUEUED) === 0) this.#queue(i);
    }
    for (let i = wanted; i < before; i++) {
      if ((this.#states[i] & GIVEN_UP) !== 0) {
        this.#states[i] &= ~GIVEN_UP;
        this.#givenUp--;
        this.#failures[i] = 0;
      }
      const isBusy = this.#outstanding[i] > 0 || (this.#states[i] & LAST) !== 0;
      if (!isBusy) this.#close(i);
    }
  }

  /** Ends what has waited too long. */
  #sweep(): void {
    for (let i = 0; i < this.#deadlines.length; i++) {
      if (this.#deadlines[i] > this.#nowMs || this.#descriptors[i] < 0) continue;
      const state = this.#states[i];
      if ((state & CONNECTING) !== 0) {
        const { connectTimeoutMs } = this.#options;
        this.#connectFailed(
          i,
          "connectTimeout",
          () => `no connection within ${connectTimeoutMs} ms`,
        );
        this.#close(i);
      } else if ((state & LAST) !== 0) this.#close(i);
      else this.#lost(i, "timeout", `no answer within ${this.#options.timeoutMs} ms`);
    }
  }

  #setTimer(): void {
    let atMs = Math.max(this.#nextTickMs, this.#nowMs + TIMER_MS_MIN);
    if (this.#schedule !== null && !this.#isEnding) {
      const taken = this.#taken - this.#countedFrom;
      const nextMs = this.#schedule.timeOf(Math.max(taken, this.#schedule.dueBy(this.#nowMs)));
      atMs = Math.max(this.#nowMs + TIMER_MS_MIN, Math.min(atMs, nextMs));
    }
    const seconds = Math.floor(atMs / 1_000);
    this.#timespec.setUint32(TIMESPEC.tv_sec, seconds, true);
    this.#timespec.setUint32(
      TIMESPEC.tv_nsec,
      Math.min(999_999_999, Math.ceil((atMs - seconds * 1_000) * 1e6)),
      true,
    );
    this.#isTimerSet = true;
    this.#ring.push(
      HEADS.timeout,
      -1,
      this.#memory.address,
      1,
      IO_URING.IORING_TIMEOUT_ABS,
      TIMER << KIND_SHIFT,
      0,
    );
  }

  #readClock(): void {
    this.#clock.read();
    this.#nowMs = this.#clock.milliseconds[0];
  }

  /** No more requests are sent; those that are under way get their time. */
  #end(atMs: number): void {
    this.#isEnding = true;
    this.#sentUntilMs = atMs;
    this.#dueAtEnd = this.#schedule === null ? 0 : this.#schedule.dueBy(atMs);
  }
}

function explainConnect(code: number): string {
  const remedy = code === ERRNO.EADDRNOTAVAIL
    ? ": all local ports are used up: fewer connections, or kept ones"
    : "";
  return `connect: ${errorText(code)}${remedy}`;
}

/** The requests one behind the other, and the first of them again, so that `pipeline` in a row lie without a break. */
function encodeRequests(
  texts: readonly string[],
  pipeline: number,
): { memory: MappedMemory; starts: Float64Array } {
  const count = texts.length + pipeline;
  const starts = new Float64Array(count + 1);
  let byteLength = 0;
  for (let i = 0; i < count; i++) byteLength += texts[i % texts.length].length;
  const memory = mapMemory(byteLength);
  let at = 0;
  for (let i = 0; i < count; i++) {
    starts[i] = memory.address + at;
    const text = texts[i % texts.length];
    for (let k = 0; k < text.length; k++) memory.bytes[at++] = text.charCodeAt(k);
  }
  starts[count] = memory.address + at;
  return { memory, starts };
}

const RUSAGE_THREAD = 1, RUSAGE_SELF = 0;
/** `struct rusage` begins with two `struct timeval`, user and system time; it has 144 bytes (getrusage(2)). */
const RUSAGE_BYTES = 144;

/** CPU time so far. */
function cpuTimes(): { userMs: number; systemMs: number; processMs: number } {
  const thread = usage(RUSAGE_THREAD), process = usage(RUSAGE_SELF);
  return { ...thread, processMs: process.userMs + process.systemMs };
}

function usage(who: number): { userMs: number; systemMs: number } {
  const bytes = new Uint8Array(RUSAGE_BYTES);
  check(libc().getrusage(who, bytes), "getrusage");
  const times = new BigInt64Array(bytes.buffer, 0, 4);
  const ms = (at: number) => Number(times[at]) * 1_000 + Number(times[at + 1]) / 1_000;
  return { userMs: ms(0), systemMs: ms(2) };
}
