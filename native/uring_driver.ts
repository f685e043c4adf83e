import { type Driver, type DriverEvents, type DriverOptions, LATER } from "./driver.ts";
import {
  CQE,
  ERRNO,
  EVENTS,
  GET_SOCKET_OPTION,
  IO_URING,
  SOCKET,
  TIMESPEC,
} from "./kernel_layout.ts";
import {
  ACCEPT_SINGLY_BELOW,
  ACCEPTS_MAX,
  BACKLOG,
  COMPLETIONS,
  CONNECTIONS_SLACK,
  RECEIVE_BUFFER_BYTES,
  RECEIVE_BUFFERS,
  SUBMISSIONS,
} from "./limits.ts";
import { mapMemory, type MappedMemory } from "./mapped_memory.ts";
import { type BufferRing, Ring } from "./ring.ts";
import type { RingCalls } from "./ring_calls.ts";
import { addressLength } from "./sockets.ts";

// User data of a completion:
//   low word:   kind in bits 24 to 31, connection in bits 0 to 23
//   high word:  generation of the connection
const KIND_SHIFT = 24, CONNECTION_MASK = 0xff_ffff;
const ACCEPT = 1,
  RECEIVE = 2,
  SEND = 3,
  CLOSE = 4,
  WAKE = 5,
  TIMEOUT = 6,
  FINISH = 7,
  HANGUP = 8,
  IDENTIFY = 9,
  IGNORED = 10;

// States of a connection, as bits.
/** A receive operation is the kernel's. */
const RECEIVING = 1;
/** It is being cancelled. */
const CANCELLING = 2;
/** It should be there, as soon as the one before it is gone. */
const WANTED = 4;
/** A send operation is the kernel's. */
const SENDING = 8;
/** Close when what is in flight is gone. */
const CLOSING = 16;
/** Not closed yet. */
const OPEN = 32;
/** The client's end of the stream was read. */
const ENDED = 64;
/**
 * A shutdown operation is the kernel's: a thread of its own looks the descriptor up when it gets to it, which would be
 * somebody else's if it were given out again before.
 */
const FINISHING = 128;
/** While nothing is received, a poll operation waits for the client to close. */
const WATCHING = 256;
/** What has to be over before a descriptor is closed. */
const HOLDING = SENDING | FINISHING;

/** Room for one address of a client. */
const PEER_BYTES = 32;
/** Completions after which a turn begins, whatever else has happened. */
const TURN_COMPLETIONS = RECEIVE_BUFFERS / 2;
/** What is longer is sent as a message. */
const SINGLE_BYTES_MAX = 2 ** 30;

const FIXED_FILE = IO_URING.IOSQE_FIXED_FILE << 8;
const HEADS = {
  accept: IO_URING.IORING_OP_ACCEPT,
  acceptAll: IO_URING.IORING_OP_ACCEPT | IO_URING.IORING_ACCEPT_MULTISHOT << 16,
  receive: IO_URING.IORING_OP_RECV | FIXED_FILE | IO_URING.IOSQE_BUFFER_SELECT << 8 |
    IO_URING.IORING_RECV_MULTISHOT << 16,
  send: IO_URING.IORING_OP_SEND | FIXED_FILE,
  sendMessage: IO_URING.IORING_OP_SENDMSG | FIXED_FILE,
  command: GET_SOCKET_OPTION.IORING_OP_URING_CMD | FIXED_FILE,
  poll: IO_URING.IORING_OP_POLL_ADD | FIXED_FILE,
  shutdown: IO_URING.IORING_OP_SHUTDOWN | FIXED_FILE,
  close: IO_URING.IORING_OP_CLOSE,
  cancel: IO_URING.IORING_OP_ASYNC_CANCEL | IO_URING.IOSQE_CQE_SKIP_SUCCESS << 8,
  read: IO_URING.IORING_OP_READ,
  timeout: IO_URING.IORING_OP_TIMEOUT,
};

/** How a driver on io_uring is made. */
export interface UringDriverOptions extends DriverOptions {
  calls?: RingCalls;
}

/**
 * Drives connections by one io_uring: multishot accept into direct descriptors, multishot receive into provided
 * buffers, one sendmsg at a time. A connection's number is its direct descriptor, so that it costs no descriptor of the
 * process.
 */
export class UringDriver implements Driver {
  readonly name = "uring";
  readonly connectionsMax: number;
  readonly generations: Uint32Array;
  wasBusy = false;
  readonly #ring: Ring;
  readonly #buffers: BufferRing;
  readonly #events: DriverEvents;
  readonly #listener: number;
  readonly #waker: number;
  /** Connections that may still come to all threads, below which they are accepted one by one. */
  readonly #acceptSinglyBelow: number;
  readonly #states: Uint16Array;
  /** A timespec, and eight bytes that the waker is read into. */
  readonly #memory: MappedMemory;
  /** Where the kernel writes the addresses of clients. */
  readonly #peers: MappedMemory;
  /** Bytes of such an address: the kernel wants it exactly. */
  readonly #peerLength: number;
  #open = 0;
  /** Accept operations that are the kernel's. */
  #accepting = 0;
  /** The one that is there accepts one connection after the other. */
  #isMultishot = false;

  /** @throws {SystemError} If the kernel lacks something, or a limit of the process is too low */
  constructor(options: UringDriverOptions) {
    const { listener, waker, connectionsMax, threads = 1, tickMs, events, calls } = options;
    this.#events = events;
    this.#listener = listener;
    this.#waker = waker;
    this.#acceptSinglyBelow = Math.max(ACCEPT_SINGLY_BELOW, BACKLOG * threads);
    this.connectionsMax = connectionsMax;
    const files = connectionsMax + CONNECTIONS_SLACK;
    this.generations = new Uint32Array(files);
    this.#states = new Uint16Array(files);
    this.#ring = new Ring({ submissions: SUBMISSIONS, completions: COMPLETIONS, calls });
    try {
      this.#ring.registerFiles(files);
      this.#buffers = this.#ring.registerBuffers(RECEIVE_BUFFERS, RECEIVE_BUFFER_BYTES);
    } catch (error) {
      this.#ring.free();
      throw error;
    }
    this.#memory = mapMemory(4_096);
    this.#peers = mapMemory(files * PEER_BYTES);
    this.#peerLength = addressLength(listener);
    new DataView(this.#memory.bytes.buffer)
      .setBigInt64(TIMESPEC.tv_nsec, BigInt(tickMs) * 1_000_000n, true);
    this.#readWaker();
    this.#startTimeout();
  }

  get buffersLent(): number {
    return this.#buffers.taken;
  }

  turn(): void {
    const ring = this.#ring;
    this.wasBusy = ring.hasPending;
    ring.enter(1);
    // What else has happened would wait for later turns unseen. As many as there surely are buffers for.
    ring.drain(TURN_COMPLETIONS);
    this.#events.begun();
    const { completions, completionMask } = ring;
    const { bytes, byteLength } = this.#buffers;
    const states = this.#states;
    const tail = ring.tail;
    for (let head = ring.head; head !== tail;) {
      const at = (head & completionMask) * (CQE.sizeof / 4);
      const data = completions[at + CQE.user_data / 4];
      const generation = completions[at + CQE.user_data / 4 + 1] >>> 0;
      const result = completions[at + CQE.res / 4];
      const flags = completions[at + CQE.flags / 4];
      const connection = data & CONNECTION_MASK;
      // Taken from here on: it may be overwritten while it is handled.
      ring.head = head = (head + 1) >>> 0;
      switch (data >>> KIND_SHIFT) {
        case RECEIVE: {
          const isCurrent = this.generations[connection] === generation;
          if (isCurrent && (flags & IO_URING.IORING_CQE_F_MORE) === 0) {
            states[connection] &= ~(RECEIVING | CANCELLING);
          }
          const hasBuffer = (flags & IO_URING.IORING_CQE_F_BUFFER) !== 0;
          const number = flags >>> IO_URING.IORING_CQE_BUFFER_SHIFT;
          if (hasBuffer) this.#buffers.take();
          if (result > 0) {
            if (isCurrent && (states[connection] & OPEN) !== 0) {
              const from = number * byteLength;
              this.#events.received(connection, bytes, from, from + result);
            }
          } else if (isCurrent) this.#receiveEnded(connection, result);
          if (hasBuffer) this.#buffers.give(number);
          if (isCurrent && (states[connection] & (WANTED | RECEIVING | OPEN)) === (WANTED | OPEN)) {
            this.#startReceive(connection);
          }
          break;
        }
        case SEND:
          // Nothing is closed while it sends, so the generation is the current one.
          states[connection] &= ~SENDING;
          this.#events.sent(connection, result);
          if ((states[connection] & (CLOSING | HOLDING)) === CLOSING) this.#startClose(connection);
          break;
        case FINISH:
          states[connection] &= ~FINISHING;
          if ((states[connection] & (CLOSING | HOLDING)) === CLOSING) this.#startClose(connection);
          break;
        case HANGUP:
          if (this.generations[connection] !== generation) break;
          states[connection] &= ~WATCHING;
          if ((states[connection] & (OPEN | WANTED | ENDED)) !== OPEN) break;
          if (result >= 0) this.#events.hungUp(connection);
          // Cancelled because it was read from again, which is over already.
          else this.#watch(connection);
          break;
        case IDENTIFY: {
          if (this.generations[connection] !== generation) break;
          const from = connection * PEER_BYTES;
          const peer = result > 0 ? this.#peers.bytes.subarray(from, from + result) : null;
          this.#events.identified(connection, peer);
          break;
        }
        case ACCEPT:
          if ((flags & IO_URING.IORING_CQE_F_MORE) === 0) {
            this.#accepting--;
            this.#isMultishot = false;
          }
          if (result >= 0) {
            this.#accepted(result);
            this.accept();
          } else if (result !== -ERRNO.ECANCELED) {
            // Again with the next tick, so that it does not go round and round.
            this.#events.exhausted(-result);
          }
          break;
        case CLOSE:
          this.#open--;
          this.#events.closed(connection);
          this.accept();
          break;
        case WAKE:
          this.#readWaker();
          this.#events.woken();
          break;
        case TIMEOUT:
          this.#startTimeout();
          this.accept();
      }
    }
    ring.publishHead();
    this.#buffers.publish();
  }

  /**
   * Far from the limit one operation accepts everybody, as many as there are in the backlog. Near it there is an operation
   * for each connection that may still come: the kernel would accept those past the limit, and drop them.
   */
  accept(): void {
    const ownAllowed = this.connectionsMax - this.#open;
    const allAllowed = this.#events.connectionsAllowed();
    const allowed = Math.min(ownAllowed, allAllowed);
    if (ownAllowed > ACCEPT_SINGLY_BELOW && allAllowed > this.#acceptSinglyBelow) {
      if (this.#accepting === 0) this.#startAccept(true);
      return;
    }
    if (this.#isMultishot) {
      this.#isMultishot = false;
      this.#cancel(ACCEPT << KIND_SHIFT, 0);
    }
    if (allowed <= 0 && this.#accepting > 0) this.#cancel(ACCEPT << KIND_SHIFT, 0);
    while (this.#accepting < Math.min(allowed, ACCEPTS_MAX)) this.#startAccept(false);
  }

  receive(connection: number): void {
    const state = this.#states[connection] |= WANTED;
    if ((state & WATCHING) !== 0) this.#cancelOf(connection, HANGUP);
    if ((state & (RECEIVING | ENDED)) === 0) this.#startReceive(connection);
  }

  pause(connection: number): void {
    const state = this.#states[connection] &= ~WANTED;
    if ((state & (WATCHING | ENDED)) === 0) this.#watch(connection);
    if ((state & (RECEIVING | CANCELLING)) !== RECEIVING) return;
    this.#states[connection] |= CANCELLING;
    this.#cancelOf(connection, RECEIVE);
  }

  identify(connection: number): void {
    this.#ring.pushSocketOption(
      HEADS.command,
      connection,
      SOCKET.SO_PEERNAME,
      this.#peers.address + connection * PEER_BYTES,
      this.#peerLength,
      connection | IDENTIFY << KIND_SHIFT,
      this.generations[connection],
    );
  }

  refresh(connection: number): void {
    // Cancelled it ends, and because it is wanted it starts again.
    if ((this.#states[connection] & (RECEIVING | CANCELLING)) !== RECEIVING) return;
    this.#states[connection] |= CANCELLING;
    this.#cancelOf(connection, RECEIVE);
  }

  send(connection: number, message: number, single: number, byteLength: number): number {
    this.#states[connection] |= SENDING;
    // Without a message to read the kernel has less to do; a length has 32 bits there.
    const isSingle = single !== 0 && byteLength < SINGLE_BYTES_MAX;
    this.#ring.push(
      isSingle ? HEADS.send : HEADS.sendMessage,
      connection,
      isSingle ? single : message,
      isSingle ? byteLength : 1,
      SOCKET.MSG_NOSIGNAL,
      connection | SEND << KIND_SHIFT,
      this.generations[connection],
    );
    return LATER;
  }

  finish(connection: number): void {
    // The kernel hands it to a thread of its own (io-wq), so it is for the rare cases.
    this.#states[connection] |= FINISHING;
    this.#ring.push(
      HEADS.shutdown,
      connection,
      0,
      SOCKET.SHUT_WR,
      0,
      connection | FINISH << KIND_SHIFT,
      this.generations[connection],
    );
  }

  close(connection: number): void {
    const state = this.#states[connection];
    if ((state & OPEN) === 0) return;
    this.#states[connection] = (state | CLOSING) & ~(OPEN | WANTED);
    if ((state & (RECEIVING | CANCELLING)) === RECEIVING) this.#cancelOf(connection, RECEIVE);
    if ((state & WATCHING) !== 0) this.#cancelOf(connection, HANGUP);
    if ((state & SENDING) !== 0) this.#cancelOf(connection, SEND);
    if ((state & HOLDING) === 0) this.#startClose(connection);
  }

  [Symbol.dispose](): void {
    this.#ring.free();
  }

  #accepted(connection: number): void {
    this.#open++;
    this.#states[connection] = OPEN;
    this.#nextGeneration(connection);
    this.#events.opened(connection);
  }

  #receiveEnded(connection: number, result: number): void {
    const states = this.#states;
    if ((states[connection] & OPEN) === 0) return;
    // Out of buffers: it starts again when this turn, which gives them back, has ended.
    if (result === -ERRNO.ENOBUFS || result === -ERRNO.ECANCELED) return;
    states[connection] = (states[connection] | ENDED) & ~WANTED;
    this.#events.ended(connection, result < 0);
  }

  /** 20 bits of it, so that a number holds user data as a whole. */
  #nextGeneration(connection: number): void {
    this.generations[connection] = (this.generations[connection] + 1) & 0xf_ffff;
  }

  #startAccept(isMultishot: boolean): void {
    this.#accepting++;
    this.#isMultishot = isMultishot;
    this.#ring.push(
      isMultishot ? HEADS.acceptAll : HEADS.accept,
      this.#listener,
      0,
      0,
      0,
      ACCEPT << KIND_SHIFT,
      0,
      0,
      IO_URING.IORING_FILE_INDEX_ALLOC,
    );
  }

  #startReceive(connection: number): void {
    this.#states[connection] |= RECEIVING;
    this.#ring.push(
      HEADS.receive,
      connection,
      0,
      0,
      0,
      connection | RECEIVE << KIND_SHIFT,
      this.generations[connection],
    );
  }

  #watch(connection: number): void {
    this.#states[connection] |= WATCHING;
    this.#ring.push(
      HEADS.poll,
      connection,
      0,
      0,
      EVENTS.EPOLLRDHUP | EVENTS.EPOLLHUP | EVENTS.EPOLLERR,
      connection | HANGUP << KIND_SHIFT,
      this.generations[connection],
    );
  }

  #startClose(connection: number): void {
    this.#states[connection] = 0;
    this.#ring.push(
      HEADS.close,
      0,
      0,
      0,
      0,
      connection | CLOSE << KIND_SHIFT,
      this.generations[connection],
      0,
      connection + 1,
    );
    // From here on whatever still comes of it is of a generation before.
    this.#nextGeneration(connection);
  }

  #cancelOf(connection: number, kind: number): void {
    this.#cancel(connection | kind << KIND_SHIFT, this.generations[connection]);
  }

  /** Cancels the operation with this user data (io_uring_enter(2), IORING_OP_ASYNC_CANCEL). */
  #cancel(data: number, data2: number): void {
    this.#ring.push(
      HEADS.cancel,
      -1,
      (data >>> 0) + data2 * 2 ** 32,
      0,
      0,
      IGNORED << KIND_SHIFT,
      0,
    );
  }

  #readWaker(): void {
    this.#ring.push(
      HEADS.read,
      this.#waker,
      this.#memory.address + TIMESPEC.sizeof,
      8,
      0,
      WAKE << KIND_SHIFT,
      0,
    );
  }

  #startTimeout(): void {
    this.#ring.push(HEADS.timeout, -1, this.#memory.address, 1, 0, TIMEOUT << KIND_SHIFT, 0);
  }
}
