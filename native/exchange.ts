import { COMMANDS_MAX } from "./limits.ts";

/** What a listener thread tells the main thread, by postMessage. */
export type ThreadMessage =
  | { kind: "failed"; message: string }
  | ExchangeRequest
  | {
    /** Bytes of a request's body. */
    kind: "body";
    connection: number;
    number: number;
    bytes: Uint8Array<ArrayBuffer>;
  }
  | {
    /** The body is complete. */
    kind: "bodyEnd";
    connection: number;
    number: number;
  }
  | {
    /** What {@linkcode CommandKind.SEND} named was sent; its memory is the main thread's again. */
    kind: "sent";
    connection: number;
    number: number;
  }
  | {
    /** The connection is gone, and nothing of it uses memory of the main thread any more. */
    kind: "gone";
    connection: number;
    number: number;
  }
  | { kind: "complaint"; text: string }
  | { kind: "message"; value: unknown }
  | { kind: "delivered" }
  | { kind: "drained" };

/** A request that the main thread is to answer. */
export interface ExchangeRequest {
  kind: "request";
  connection: number;
  number: number;
  method: string;
  target: string;
  fields: [name: string, value: string][];
  minorVersion: number;
  hasBody: boolean;
  /** Bytes of the body; 0 where only its end will tell. */
  contentLength: number;
  expectsContinue: boolean;
  keepsAlive: boolean;
  /** Who asks; an empty name where the kernel does not tell. */
  peer: { hostname: string; port: number };
}

/** What the main thread asks of a listener thread. */
export const CommandKind = {
  /** Send memory of the main thread. */
  SEND: 1,
  /** So many bytes of the body were read by the handler. */
  CREDIT: 2,
  /** Cut the connection off. */
  ABORT: 3,
  /** JSON for the fast routes, to be read from memory of the main thread. */
  MESSAGE: 4,
  /** Stop accepting, answer what is in flight, end. */
  DRAIN: 5,
  /** End at once. */
  END: 6,
  /** Throw, for tests of what happens then. */
  FAIL: 7,
} as const;

/** The answer is complete with this. */
export const SEND_LAST = 1;
/** The connection ends after the answer. */
export const SEND_CLOSE = 2;
/** An interim answer: 100 Continue. */
export const SEND_INTERIM = 4;

/** A command as it lies in the ring. */
export interface Command {
  kind: number;
  connection: number;
  number: number;
  address: number;
  byteLength: number;
  flags: number;
}

const WORDS = 8, HEAD = 0, TAIL = 1, START = 16;
const TWO_32 = 2 ** 32;

/**
 * Commands from the main thread to one listener thread: a ring in shared memory, one writer and one reader, so that a
 * thread that waits in the kernel needs no event loop to be told something. An eventfd wakes it.
 */
export class CommandRing {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** Memory for a ring. */
  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer((START + COMMANDS_MAX * WORDS) * 4);
  }

  /** @returns False when the ring is full */
  push({ kind, connection, number, address, byteLength, flags }: Command): boolean {
    const words = this.#words;
    const tail = words[TAIL];
    const head = Atomics.load(words, HEAD);
    if ((tail - head + WRAP) % WRAP >= COMMANDS_MAX) return false;
    const at = START + tail % COMMANDS_MAX * WORDS;
    words[at] = kind;
    words[at + 1] = connection;
    words[at + 2] = number;
    words[at + 3] = address;
    words[at + 4] = address / TWO_32;
    words[at + 5] = byteLength;
    words[at + 6] = byteLength / TWO_32;
    words[at + 7] = flags;
    Atomics.store(words, TAIL, wrapped(tail + 1));
    return true;
  }

  /**
   * Takes the next command.
   *
   * @param into Filled in
   * @returns False when there is none
   */
  pop(into: Command): boolean {
    const words = this.#words;
    const head = words[HEAD];
    if (head === Atomics.load(words, TAIL)) return false;
    const at = START + head % COMMANDS_MAX * WORDS;
    into.kind = words[at];
    into.connection = words[at + 1];
    into.number = words[at + 2];
    into.address = (words[at + 3] >>> 0) + words[at + 4] * TWO_32;
    into.byteLength = (words[at + 5] >>> 0) + words[at + 6] * TWO_32;
    into.flags = words[at + 7];
    Atomics.store(words, HEAD, wrapped(head + 1));
    return true;
  }
}

/** Counts stay where both ends agree on their difference and on their place. */
const WRAP = COMMANDS_MAX * 100_000;

function wrapped(count: number): number {
  return count === WRAP ? 0 : count;
}
