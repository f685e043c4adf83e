/** The bounds of the load generator, each with what happens at it. */

/** Connections of one load: one ring and one thread drive them. More are refused before anything is sent. */
export const CONNECTIONS_MAX = 18_000;
/** Files of the process that a load leaves for everything else. */
export const FILES_RESERVED = 128;
/** Connections that are being made at a time; others wait, so that a server's backlog is not what is measured. */
export const CONNECTING_MAX = 256;
/** Requests that one connection has unanswered at a time; more are refused before anything is sent. */
export const PIPELINE_MAX = 1_024;
/** Requests that connections may have unanswered together: each is remembered with its time. */
export const OUTSTANDING_MAX = 1_048_576;
/** The longest load, in milliseconds; one that is bounded by a number of requests only ends here, too. */
export const DURATION_MS_MAX = 3_600_000;
/** How long a load takes where nothing else is said, in milliseconds. */
export const DURATION_MS_DEFAULT = 10_000;
/** Requests of one load. */
export const REQUESTS_MAX = 4_000_000_000;
/** Requests a second that can be asked for. */
export const RATE_MAX = 10_000_000;
/** The longest that an answer, or a connection, may be waited for, in milliseconds. */
export const TIMEOUT_MS_MAX = 600_000;
/** Times that a connection is tried in a row, as far as can be asked for. */
export const ATTEMPTS_MAX = 1_000_000;
/** The longest pause before a connection is tried again, in milliseconds. */
export const PAUSE_MS_MAX = 60_000;
/** Paths of one load. */
export const PATHS_MAX = 1_000_000;
/** Bytes of all requests, encoded before the load begins. */
export const REQUEST_BYTES_MAX = 256 * 1_048_576;
/** Milliseconds of the target rate that may wait for a free connection; requests due before are given up, and counted. */
export const BACKLOG_MS_MAX = 10_000;
/** The share of the requests due that has to be sent for a rate to count as kept. */
export const RATE_KEPT_SHARE = 0.99;
/** Bytes of an answer's head; a longer one is malformed. */
export const HEAD_BYTES_MAX = 65_536;
/** Bytes of a body that an oracle gets to see; a longer one is wrong. */
export const ORACLE_BODY_BYTES_MAX = 16 * 1_048_576;
/** Errors that a report shows in words. */
export const EXAMPLES_MAX = 8;
/** Latencies in microseconds; a longer one counts as this. */
export const LATENCY_US_MAX = 3_600_000_000;

/** Milliseconds between two looks at deadlines, pauses and what the caller wants. */
export const TICK_MS = 20;
/** Milliseconds between two looks at the deadline of every connection. */
export const SWEEP_MS = 100;
/** The shortest time that a timer is set for, in milliseconds: requests due before share one. */
export const TIMER_MS_MIN = 0.02;
/** How long the server's end of a connection is waited for behind its last answer, in milliseconds. */
export const LINGER_MS = 1_000;
/** How long connections may take to close when a load has ended, in milliseconds; memory of the kernel's stays mapped. */
export const SHUTDOWN_MS_MAX = 2_000;
/** Bytes of one receive buffer: what a burst of pipelined answers has, so that it comes as one completion. */
export const RECEIVE_BUFFER_BYTES = 16_384;
/** Receive buffers; when all are taken, connections with more to read wait for the end of the batch. */
export const RECEIVE_BUFFERS = 128;
/** Entries of the ring's submission queue; when it is full, what is in it is submitted early. */
export const SUBMISSIONS = 4_096;
/** Entries of the ring's completion queue; past it the kernel keeps completions itself. */
export const COMPLETIONS = 16_384;

function relation(holds: boolean, what: string): void {
  if (!holds) throw new Error(`load/limits.ts: ${what}`);
}
relation(CONNECTIONS_MAX < 2 ** 24, "a connection's number has 24 bits in a completion");
relation(Number.isInteger(Math.log2(RECEIVE_BUFFERS)), "a buffer ring has a power of two entries");
relation(SWEEP_MS >= TICK_MS, "deadlines are looked at in ticks");
