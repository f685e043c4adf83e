/** What {@linkcode Driver.send} returns when the answer to it comes later, by {@linkcode DriverEvents.sent}. */
export const LATER = -1_000_000;

/** A way to have the kernel accept, read and write: io_uring or epoll. It knows sockets and nothing of HTTP. */
export interface Driver extends Disposable {
  readonly name: "uring" | "epoll";
  /** How many connections can be open at once; a connection's number is below it. */
  readonly connectionsMax: number;
  /** Tells connections apart that had one number after the other. */
  readonly generations: Uint32Array;
  /** Receive buffers that hold bytes right now. */
  readonly buffersLent: number;
  /** Whether events were there already when the wait of the last turn began: more comes than a turn handles. */
  readonly wasBusy: boolean;
  /** Waits for events, for a tick at the longest, and handles all that are there. */
  turn(): void;
  /** Accepts connections, as many as {@linkcode DriverEvents.connectionsAllowed} says; others wait in the backlog. */
  accept(): void;
  /** Reads from a connection, until it is paused. */
  receive(connection: number): void;
  /**
   * Stops reading; bytes that were already read may still come. {@linkcode DriverEvents.hungUp} tells when the client
   * closes meanwhile.
   */
  pause(connection: number): void;
  /**
   * Finds out who a client is: a `struct sockaddr_in` or `sockaddr_in6`, or nothing where the kernel does not tell, is
   * given to {@linkcode DriverEvents.identified}, at once or later.
   */
  identify(connection: number): void;
  /** Asks the kernel anew for what there is to read, lest it has forgotten to tell. */
  refresh(connection: number): void;
  /**
   * Sends a message (sendmsg(2)). At most one is in flight per connection.
   *
   * @param message Address of a `struct msghdr`, the kernel's until it was sent
   * @param single Where its only vector points, or 0 when there are several
   * @param byteLength How much of it there is
   * @returns Bytes sent, a negative error number, or {@linkcode LATER}. When it is fewer bytes than there are,
   * {@linkcode DriverEvents.sent} with 0 tells when more can be sent
   */
  send(connection: number, message: number, single: number, byteLength: number): number;
  /** Ends what is sent (SHUT_WR): the client reads the end of the stream. */
  finish(connection: number): void;
  /** Closes a connection at once; {@linkcode DriverEvents.closed} follows when nothing of it is in flight any more. */
  close(connection: number): void;
}

/** What a driver tells of its connections. */
export interface DriverEvents {
  /** The wait of a turn is over; what happened is told after this. */
  begun(): void;
  /** How many more connections may be accepted now. */
  connectionsAllowed(): number;
  /** A connection was accepted. */
  opened(connection: number): void;
  /** Bytes came; they are the driver's again after the call, which may write over them. */
  received(connection: number, bytes: Uint8Array, from: number, to: number): void;
  /**
   * Nothing more will come.
   *
   * @param isBroken Whether the connection is of no use any more; else the client may still read
   */
  ended(connection: number, isBroken: boolean): void;
  /** The client has closed a connection that is not read from: what it sent before may still be there. */
  hungUp(connection: number): void;
  /** A message that was to be sent later was: so many bytes, or a negative error number. */
  sent(connection: number, result: number): void;
  /** The address of a client; the bytes are the driver's again after the call. */
  identified(connection: number, address: Uint8Array | null): void;
  /** A closed connection is gone, and its number may be used again. */
  closed(connection: number): void;
  /** The descriptor that wakes the thread was written to. */
  woken(): void;
  /** Accepting is not possible for a moment, because descriptors or memory have run out. */
  exhausted(code: number): void;
}

/** How a driver is made. */
export interface DriverOptions {
  /** A socket that listens; not the driver's to close. */
  listener: number;
  /** An eventfd that wakes the thread; not the driver's to close. */
  waker: number;
  connectionsMax: number;
  /** Threads that accept, each for itself, what {@linkcode DriverEvents.connectionsAllowed} says; 1 if left out. */
  threads?: number;
  /** Milliseconds that a turn waits at the longest. */
  tickMs: number;
  events: DriverEvents;
}
