/** The bounds of a listener, each with what happens at it. */

/** Bytes of a request's target; a longer one gets 414. */
export const TARGET_BYTES_MAX = 8_192;
/** Bytes of a method; a longer one gets 400. */
export const METHOD_BYTES_MAX = 32;
/** Bytes of a request's head; a longer one gets 431. */
export const HEAD_BYTES_MAX = 65_536;
/** Header fields of a request; one more gets 431. */
export const FIELDS_MAX = 128;
/** Bytes of a request's body unless said otherwise; a longer one gets 413. */
export const BODY_BYTES_MAX = 1_073_741_824;
/** Bytes of a body that a fast route answers; the handler gets a longer one. */
export const FAST_BODY_BYTES_MAX = 16_384;
/** Bytes of the line that begins a chunk, its extensions included; a longer one gets 400. */
export const CHUNK_LINE_BYTES_MAX = 1_024;
/** Bytes of all trailer fields of a chunked body; more get 431. */
export const TRAILER_BYTES_MAX = 16_384;

/** Bytes of one receive buffer of a ring. */
export const RECEIVE_BUFFER_BYTES = 2_048;
/**
 * Receive buffers of a ring: together a quarter of a usual second-level cache, since the kernel takes them in turn.
 * When all are taken, connections with more to read wait for the end of the batch.
 */
export const RECEIVE_BUFFERS = 256;
/** Bytes that epoll's one receive buffer holds. */
export const EPOLL_RECEIVE_BYTES = 65_536;
/** Entries of a ring's submission queue; when it is full, what is in it is submitted early. */
export const SUBMISSIONS = 4_096;
/** Entries of a ring's completion queue; past it the kernel keeps completions itself (IORING_FEAT_NODROP). */
export const COMPLETIONS = 16_384;
/** Events that one epoll_wait returns; the others come with the next. */
export const EPOLL_EVENTS = 512;
/** Times that epoll reads from one connection before the others get their turn. */
export const EPOLL_READS_MAX = 4;

/** Bytes of one answer slot: a message header, vectors, and text that belongs to the answer. */
export const SLOT_BYTES = 8_192;
/** Vectors in a slot; an answer with more gets memory of its own until it is sent. */
export const SLOT_VECTORS = 96;
/** Vectors that one system call takes (UIO_MAXIOV); the rest goes with the next. */
export const MESSAGE_VECTORS_MAX = 1_024;
/** Bytes of answers to pipelined requests that are sent together; further requests wait until they are sent. */
export const PIPELINED_BYTES_MAX = 65_536;
/** Bytes of a slot that must be free for another pipelined answer. */
export const PIPELINED_ROOM_BYTES = 2_048;
/** Vectors of a slot that must be free for another pipelined answer. */
export const PIPELINED_ROOM_VECTORS = 32;
/** Slots whose memory is kept when none is in use; the pages of the others go back to the system. */
export const SLOTS_KEPT = 256;

/** Bytes of input that wait while an answer is being sent; a connection with more is not read from. */
export const INPUT_WAITING_BYTES_MAX = 65_536;
/** Bytes of a request's body on their way to its handler; a connection with more is not read from. */
export const BODY_WINDOW_BYTES = 262_144;
/** Bytes of a body that its handler left unread which are read all the same, to keep the connection. */
export const BODY_DISCARDED_BYTES_MAX = 262_144;
/** Bytes that are read after a refusal, so that the client gets to see it (RFC 9112 section 9.6). */
export const LINGER_BYTES_MAX = 1_048_576;
/** Milliseconds that a connection lingers at most. */
export const LINGER_MS = 2_000;
/** Milliseconds that a connection past the connection limit gets to ask, and then to read its refusal and to leave. */
export const SHED_MS = 2_000;
/** Milliseconds between two looks at deadlines; each is kept to within this. */
export const TICK_MS = 250;
/** Commands on their way to a listener thread; the sender waits when it is full. */
export const COMMANDS_MAX = 8_192;
/** Milliseconds without a tick after which a listener thread counts as dead and is replaced, unless told otherwise. */
export const HEARTBEAT_MS_MAX = 15_000;
/** Milliseconds that a listener thread must have run for its death to be none of a row; else the next pause is longer. */
export const THREAD_SETTLED_MS = 30_000;
/** Connections of one thread. The number has 24 bits where it travels through the kernel. */
export const CONNECTIONS_MAX = 1_000_000;
/** Registered files beyond the connections that are let in: for operations of one thread that all succeed. */
export const CONNECTIONS_SLACK = 64;
/** Connections in the backlog of one listening socket; the kernel makes others try again. */
export const BACKLOG = 4_096;
/**
 * Connections that may still come, below which they are accepted one by one: twice as many as one backlog holds. Where
 * there are more than two threads, what may come to all of them has to be a backlog for each: each may just be taking its own.
 */
export const ACCEPT_SINGLY_BELOW = 8_192;
/** Accept operations that wait at a time, where each accepts one. */
export const ACCEPTS_MAX = 32;
/** Files of the process that connections on epoll leave for everything else. */
export const FILES_RESERVED = 100;

function relation(holds: boolean, what: string): void {
  if (!holds) throw new Error(`native/limits.ts: ${what}`);
}
relation(Number.isInteger(Math.log2(RECEIVE_BUFFERS)), "a buffer ring has a power of two entries");
relation(RECEIVE_BUFFERS <= 32_768, "a buffer's number has 15 bits");
relation(64 + SLOT_VECTORS * 16 + 4_096 <= SLOT_BYTES, "a slot has room for the heads of answers");
relation(CONNECTIONS_MAX + CONNECTIONS_SLACK < 2 ** 24, "a connection's number has 24 bits");
relation(THREAD_SETTLED_MS > HEARTBEAT_MS_MAX, "a thread that hangs at once has not settled");
relation(ACCEPTS_MAX <= CONNECTIONS_SLACK, "each accept operation needs a file");
relation(ACCEPT_SINGLY_BELOW >= 2 * BACKLOG, "a burst must not be larger than what is left");
relation(FAST_BODY_BYTES_MAX < INPUT_WAITING_BYTES_MAX, "a fast route's body must be able to wait");
relation(HEAD_BYTES_MAX <= INPUT_WAITING_BYTES_MAX, "a head must fit into what may wait");
