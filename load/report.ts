/** What went wrong with a request, or with the connection it was meant for. */
export const ERROR_KINDS = [
  "refused",
  "connectTimeout",
  "reset",
  "timeout",
  "closedEarly",
  "malformed",
  "wrongStatus",
  "wrongLength",
  "wrongBody",
  "other",
] as const;

/**
 * - `refused`: the connection was refused (a reset in answer to the SYN, or nobody listens)
 * - `connectTimeout`: the connection was not there in time
 * - `reset`: the server reset the connection before the answer was whole
 * - `timeout`: the answer was not whole in time
 * - `closedEarly`: the server closed the connection before the answer was whole
 * - `malformed`: what came is no answer, or belongs to none
 * - `wrongStatus`, `wrongLength`, `wrongBody`: an answer that is not the one expected
 * - `other`: in words among {@linkcode LoadReport.examples}
 */
export type LoadErrorKind = typeof ERROR_KINDS[number];

/** Which way requests go: io_uring, or Deno's fetch where there is no io_uring, and for https. */
export type LoadEngine = "io_uring" | "fetch";

/** Latencies in milliseconds, from an HDR histogram with three digits. All are 0 when `count` is. */
export interface LatencySummary {
  count: number;
  minMs: number;
  meanMs: number;
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
}

/** What happened in one second of a load. */
export interface LoadSample {
  /** From 0; the last one may be shorter. */
  second: number;
  /** How long it was, in milliseconds. */
  elapsedMs: number;
  sent: number;
  /** Answers that came whole, whatever their status. */
  answered: number;
  /** Errors of all kinds, `refused` included. */
  errors: number;
  /** Connections that were refused. */
  refused: number;
  status429: number;
  status503: number;
  /** At its end. */
  connectionsOpen: number;
  /** Requests that were due and had no connection at its end; 0 in a closed loop. */
  backlog: number;
  /** Of all answers but 429 and 503; `null` when there was none. */
  p50Ms: number | null;
  p99Ms: number | null;
  maxMs: number | null;
}

/** How well an open loop kept its rate. */
export interface OpenLoopReport {
  /** Requests a second that were asked for. */
  targetRate: number;
  /** Requests that were due. */
  due: number;
  /** Of these, requests that never were sent, and are in no latency: no connection was free in time. */
  unsent: number;
  /** Whether at least 99 % of the requests due were sent. If not, latencies are better than the truth. */
  isRateKept: boolean;
  /** The most requests that were due and waited for a connection. */
  backlogMost: number;
  /** How long after they were due requests were sent, 99th percentile and most, in milliseconds. */
  lateP99Ms: number;
  lateMaxMs: number;
}

/** What came of a load. All of it can be written as JSON. `sent` is `answered` + `failed` + `unanswered`. */
export interface LoadReport {
  engine: LoadEngine;
  /** Why it was not io_uring, in words; `null` if it was. */
  engineReason: string | null;
  url: string;
  /** Closed: the next request is sent when the last is answered. Open: when it is due. */
  loop: "closed" | "open";
  close: boolean;
  pipeline: number;
  /** Why it ended: its time was over, all requests were sent, it was stopped, or every connection was given up. */
  ended: "duration" | "requests" | "stopped" | "connections";
  /**
   * From the first request, warm-up not counted, to the last answer, or to when no more were sent if that is later, in
   * milliseconds. Waiting for answers that never came is not in it; of the samples it is.
   */
  elapsedMs: number;
  requests: {
    sent: number;
    /** Answers that came whole, whatever their status. */
    answered: number;
    /** Sent, and the connection or the patience ended before the answer. */
    failed: number;
    /** Sent, and not answered yet when the load was stopped. */
    unanswered: number;
  };
  /** Answers a second of `elapsedMs`. */
  rate: number;
  /** Answers by status. */
  statuses: Record<string, number>;
  /** Answers that say there is too much: by the client, and of all. */
  status429: number;
  status503: number;
  errors: Record<LoadErrorKind, number>;
  /** Errors of all kinds. */
  errorsTotal: number;
  /** The first few errors, in words. */
  examples: string[];
  connections: {
    /** Connections asked for at the end. */
    wanted: number;
    /** Connections that were made, again and again included. */
    opened: number;
    /** Times that a connection was tried again after a failure. */
    retried: number;
    /** Connections that failed so often in a row that they were given up. */
    givenUp: number;
    /** Kept connections that the server closed while nothing was asked on them. No error. */
    closedIdle: number;
    openMost: number;
    openAtEnd: number;
  };
  /** On the wire as far as HTTP goes. */
  bytes: { sent: number; received: number };
  /**
   * Of all answers but 429 and 503. In an open loop from when a request was due, else from when it was sent; with `close`
   * from when its connection was begun.
   */
  latency: LatencySummary;
  /** Of 429 and 503. */
  rejectedLatency: LatencySummary;
  /** `null` in a closed loop. */
  open: OpenLoopReport | null;
  /** CPU time of the load generator in the same time as `elapsedMs`, in milliseconds. */
  cpu: {
    /** Of its thread, in user space; of the process on fetch. */
    userMs: number;
    /** Of its thread, in the kernel; of the process on fetch. */
    systemMs: number;
    /** Of the whole process, compilers and garbage collectors included. */
    processMs: number;
    /** Microseconds of user and system time for each answer; 0 without one. */
    microsecondsPerRequest: number;
  };
  /** One sample a second, until nothing was waited for any more. */
  series: LoadSample[];
}
