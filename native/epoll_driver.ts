import { MonotonicClock } from "./clock.ts";
import { type Driver, type DriverEvents, type DriverOptions } from "./driver.ts";
import { ADDRESS, EPOLL_EVENT, ERRNO, EVENTS, SOCKET } from "./kernel_layout.ts";
import { check, errno, type Libc, libc } from "./libc.ts";
import { EPOLL_EVENTS, EPOLL_READS_MAX, EPOLL_RECEIVE_BYTES } from "./limits.ts";
import { mapMemory } from "./mapped_memory.ts";

// States of a connection, as bits.
const OPEN = 1;
const WANTED = 2;
/** The kernel has told that there is something to read, and not everything was read. */
const READABLE = 4;
/** More is to be sent as soon as there is room. */
const BLOCKED = 8;
/** It waits in the list of those to be read from again. */
const QUEUED = 16;
/** The end of the stream was read. */
const ENDED = 32;
/** The kernel has told of the end of the stream, so that a short read is not the last. */
const LAST = 64;

/** Numbers of what is no connection. */
const LISTENER = 0xffff_ffff, WAKER = 0xffff_fffe;
const INTEREST = EVENTS.EPOLLIN | EVENTS.EPOLLOUT | EVENTS.EPOLLRDHUP | EVENTS.EPOLLET;
const ACCEPTS_MAX = 256;
/** A wait that was shorter found events that were there already: to fall asleep and be woken takes longer. */
const BUSY_MS = 0.02;

/**
 * Drives connections by epoll(7), edge-triggered, with calls that never wait: for the many places where io_uring is
 * forbidden. A connection costs a descriptor of the process.
 */
export class EpollDriver implements Driver {
  readonly name = "epoll";
  readonly connectionsMax: number;
  readonly generations: Uint32Array;
  /** Its one buffer is empty between two turns. */
  readonly buffersLent = 0;
  wasBusy = false;
  readonly #clock = new MonotonicClock();
  readonly #events: DriverEvents;
  readonly #listener: number;
  readonly #waker: number;
  readonly #tickMs: number;
  readonly #epoll: number;
  readonly #libc: Libc;
  readonly #states: Uint8Array;
  readonly #descriptors: Int32Array;
  /** Numbers that no connection has, the next on top. */
  readonly #free: Uint32Array;
  #freeCount: number;
  readonly #bytes: Uint8Array;
  readonly #bytesPointer: Deno.PointerObject;
  readonly #ready: Int32Array;
  readonly #readyPointer: Deno.PointerObject;
  /** Connections to read from again. */
  #again: number[] = [];
  #againBefore: number[] = [];
  /** Connections wait to be accepted. */
  #isAcceptable = false;
  #acceptPauseEnd = 0;
  /** Pointers to messages; the slot that was given back last is the one that is used next. */
  readonly #messages = new Map<number, Deno.PointerObject>();
  readonly #peer = new Uint8Array(ADDRESS.sizeof_in6);
  readonly #peerLength = new Uint32Array(1);
  #lastMessage = 0;
  #lastPointer: Deno.PointerValue = null;

  /** @throws {SystemError} If the kernel refuses */
  constructor({ listener, waker, connectionsMax, tickMs, events }: DriverOptions) {
    this.#tickMs = tickMs;
    this.#events = events;
    this.#listener = listener;
    this.#waker = waker;
    this.#libc = libc();
    this.connectionsMax = connectionsMax;
    this.generations = new Uint32Array(connectionsMax);
    this.#states = new Uint8Array(connectionsMax);
    this.#descriptors = new Int32Array(connectionsMax);
    this.#free = Uint32Array.from({ length: connectionsMax }, (_, i) => connectionsMax - 1 - i);
    this.#freeCount = connectionsMax;
    const memory = mapMemory(EPOLL_RECEIVE_BYTES + EPOLL_EVENTS * EPOLL_EVENT.sizeof);
    this.#bytes = memory.bytes.subarray(0, EPOLL_RECEIVE_BYTES);
    this.#bytesPointer = pointerTo(memory.address);
    this.#ready = new Int32Array(
      memory.bytes.buffer,
      EPOLL_RECEIVE_BYTES,
      EPOLL_EVENTS * EPOLL_EVENT.sizeof / 4,
    );
    this.#readyPointer = pointerTo(memory.address + EPOLL_RECEIVE_BYTES);
    this.#epoll = check(this.#libc.epoll_create1(EVENTS.EPOLL_CLOEXEC), "epoll_create1");
    this.#add(listener, EVENTS.EPOLLIN | EVENTS.EPOLLET, LISTENER, 0);
    this.#add(waker, EVENTS.EPOLLIN | EVENTS.EPOLLET, WAKER, 0);
  }

  turn(): void {
    const words = EPOLL_EVENT.sizeof / 4, data = EPOLL_EVENT.data / 4;
    const canGoOn = this.#again.length > 0 || this.#canAccept();
    const ready = this.#ready;
    this.#clock.read();
    const beforeMs = this.#clock.milliseconds[0];
    const count = this.#libc.epoll_wait(
      this.#epoll,
      this.#readyPointer,
      EPOLL_EVENTS,
      canGoOn ? 0 : this.#tickMs,
    );
    this.#clock.read();
    this.wasBusy = count > 0 && this.#clock.milliseconds[0] - beforeMs < BUSY_MS;
    this.#events.begun();
    for (let i = 0; i < count; i++) {
      const flags = ready[i * words];
      const connection = ready[i * words + data] >>> 0;
      if (connection === LISTENER) this.#isAcceptable = true;
      else if (connection === WAKER) {
        this.#libc.read(this.#waker, new Uint8Array(8), 8n);
        this.#events.woken();
      } else if (this.generations[connection] === ready[i * words + data + 1] >>> 0) {
        this.#happened(connection, flags);
      }
    }
    if (this.#canAccept()) this.#acceptAll();
    const again = this.#again;
    this.#again = this.#againBefore;
    this.#againBefore = again;
    for (const connection of again) {
      this.#states[connection] &= ~QUEUED;
      if ((this.#states[connection] & (OPEN | WANTED | READABLE)) === (OPEN | WANTED | READABLE)) {
        this.#read(connection);
      } else if ((this.#states[connection] & (OPEN | WANTED | LAST)) === (OPEN | LAST)) {
        this.#events.hungUp(connection);
      }
    }
    again.length = 0;
  }

  accept(): void {
    // What can be accepted is, at the end of each turn.
  }

  receive(connection: number): void {
    this.#states[connection] |= WANTED;
    if ((this.#states[connection] & READABLE) !== 0) this.#readAgain(connection);
  }

  pause(connection: number): void {
    this.#states[connection] &= ~WANTED;
    // The kernel has told already, and will not again.
    if ((this.#states[connection] & LAST) !== 0) this.#readAgain(connection);
  }

  identify(connection: number): void {
    this.#peerLength[0] = this.#peer.length;
    const descriptor = this.#descriptors[connection];
    const isKnown = this.#libc.getpeername(descriptor, this.#peer, this.#peerLength) >= 0;
    this.#events.identified(connection, isKnown ? this.#peer : null);
  }

  refresh(connection: number): void {
    this.#states[connection] |= READABLE;
    this.#readAgain(connection);
  }

  send(connection: number, message: number): number {
    if (message !== this.#lastMessage) {
      let known = this.#messages.get(message);
      if (known === undefined) {
        known = pointerTo(message);
        this.#messages.set(message, known);
      }
      this.#lastMessage = message;
      this.#lastPointer = known;
    }
    const sent = this.#libc.sendmsg(
      this.#descriptors[connection],
      this.#lastPointer,
      SOCKET.MSG_NOSIGNAL | SOCKET.MSG_DONTWAIT,
    );
    // Whatever was not taken goes on when the kernel tells of room: an edge follows every send that was cut short.
    this.#states[connection] |= BLOCKED;
    if (sent >= 0) return sent;
    const code = errno();
    return code === ERRNO.EAGAIN || code === ERRNO.EINTR ? 0 : -code;
  }

  finish(connection: number): void {
    this.#libc.shutdown(this.#descriptors[connection], SOCKET.SHUT_WR);
  }

  close(connection: number): void {
    if ((this.#states[connection] & OPEN) === 0) return;
    this.#states[connection] &= QUEUED;
    this.generations[connection] = (this.generations[connection] + 1) & 0xf_ffff;
    this.#libc.close(this.#descriptors[connection]);
    this.#free[this.#freeCount++] = connection;
    this.#events.closed(connection);
  }

  [Symbol.dispose](): void {
    for (let connection = 0; connection < this.connectionsMax; connection++) {
      if ((this.#states[connection] & OPEN) !== 0) this.#libc.close(this.#descriptors[connection]);
    }
    this.#libc.close(this.#epoll);
  }

  #happened(connection: number, flags: number): void {
    const broken = (flags & (EVENTS.EPOLLERR | EVENTS.EPOLLHUP)) !== 0;
    const last = broken || (flags & EVENTS.EPOLLRDHUP) !== 0 ? LAST : 0;
    if ((flags & EVENTS.EPOLLIN) !== 0 || last !== 0) {
      this.#states[connection] |= READABLE | last;
      if ((this.#states[connection] & WANTED) !== 0) this.#read(connection);
      else if (last !== 0) this.#events.hungUp(connection);
    }
    const state = this.#states[connection];
    if ((flags & EVENTS.EPOLLOUT) !== 0 && (state & (OPEN | BLOCKED)) === (OPEN | BLOCKED)) {
      this.#states[connection] &= ~BLOCKED;
      this.#events.sent(connection, 0);
    }
  }

  #read(connection: number): void {
    const states = this.#states;
    for (let reads = 0; reads < EPOLL_READS_MAX; reads++) {
      if ((states[connection] & (OPEN | WANTED)) !== (OPEN | WANTED)) return;
      const length = this.#libc.recv(
        this.#descriptors[connection],
        this.#bytesPointer,
        RECEIVE_BYTES,
        SOCKET.MSG_DONTWAIT,
      );
      if (length > 0) {
        // Before what was read is handled: that may pause the connection, or close it.
        const isDrained = length < EPOLL_RECEIVE_BYTES && (states[connection] & LAST) === 0;
        if (isDrained) states[connection] &= ~READABLE;
        this.#events.received(connection, this.#bytes, 0, length);
        if (isDrained) return;
        continue;
      }
      const code = length === 0 ? 0 : errno();
      if (code === ERRNO.EINTR) continue;
      states[connection] &= ~READABLE;
      if (code === ERRNO.EAGAIN) return;
      states[connection] = (states[connection] | ENDED) & ~WANTED;
      this.#events.ended(connection, code !== 0);
      return;
    }
    this.#readAgain(connection);
  }

  #readAgain(connection: number): void {
    if ((this.#states[connection] & QUEUED) !== 0) return;
    this.#states[connection] |= QUEUED;
    this.#again.push(connection);
  }

  #canAccept(): boolean {
    return this.#isAcceptable && this.#freeCount > 0 && this.#events.connectionsAllowed() > 0 &&
      performance.now() >= this.#acceptPauseEnd;
  }

  #acceptAll(): void {
    for (let accepts = 0; accepts < ACCEPTS_MAX && this.#canAccept(); accepts++) {
      const descriptor = this.#libc.accept4(
        this.#listener,
        null,
        null,
        SOCKET.SOCK_NONBLOCK | SOCKET.SOCK_CLOEXEC,
      );
      if (descriptor < 0) {
        const code = errno();
        // Of these the next one may be none (accept(2)).
        if (code === ERRNO.EINTR || code === ERRNO.ECONNABORTED || code === ERRNO.EPROTO) continue;
        if (code === ERRNO.EAGAIN) this.#isAcceptable = false;
        else {
          // There will be none for a while: what waits is looked at with the next tick.
          this.#acceptPauseEnd = performance.now() + this.#tickMs;
          this.#events.exhausted(code);
        }
        return;
      }
      const connection = this.#free[--this.#freeCount];
      this.#descriptors[connection] = descriptor;
      this.#states[connection] = OPEN | this.#states[connection] & QUEUED;
      const generation = this.generations[connection];
      try {
        this.#add(descriptor, INTEREST, connection, generation);
      } catch {
        // Out of memory or of epoll watches.
        this.#states[connection] &= QUEUED;
        this.#free[this.#freeCount++] = connection;
        this.#libc.close(descriptor);
        continue;
      }
      this.#events.opened(connection);
    }
  }

  #add(descriptor: number, interest: number, connection: number, generation: number): void {
    const event = new Uint8Array(EPOLL_EVENT.sizeof);
    const fields = new DataView(event.buffer);
    fields.setUint32(EPOLL_EVENT.events, interest, true);
    fields.setUint32(EPOLL_EVENT.data, connection, true);
    fields.setUint32(EPOLL_EVENT.data + 4, generation, true);
    check(
      this.#libc.epoll_ctl(this.#epoll, EVENTS.EPOLL_CTL_ADD, descriptor, event),
      "epoll_ctl",
    );
  }
}

const RECEIVE_BYTES = BigInt(EPOLL_RECEIVE_BYTES);

function pointerTo(address: number): Deno.PointerObject {
  return Deno.UnsafePointer.create(BigInt(address))!;
}
