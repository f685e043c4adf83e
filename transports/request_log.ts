import type { FastRequest, ThreadContext } from "../native/mod.ts";
import type { RequestIds } from "./request_ids.ts";

/** A request that was answered in a listener thread and that is to be logged. */
export interface LoggedRequest {
  kind: "answered";
  method: string;
  /** The target, as it came. */
  url: string;
  status: number;
  /** From when its turn began, which is when it was read, to when its answer was put together. */
  seconds: number;
  requestId: string;
  isSlow: boolean;
}

/** Which requests are logged. */
export interface RequestLogOptions {
  /** The share of requests that are logged though nothing is wrong with them, 0 to 1. */
  logRequests: number;
  /** A request that takes longer is logged. */
  slowRequestMs: number;
}

/** Looking at the clock costs 0.1 µs: it is done for every eighth answer of a thread, and for long ones. */
const LOOK_EVERY = 8;
const LOOK_BYTES = 65_536;

/** Tells the main thread of requests that are to be logged, as the app does with those that it answers. */
export class RequestLog {
  readonly #context: Pick<ThreadContext, "tell" | "turnMilliseconds">;
  readonly #options: RequestLogOptions;
  #answers = 0;

  constructor(
    context: Pick<ThreadContext, "tell" | "turnMilliseconds">,
    options: RequestLogOptions,
  ) {
    this.#context = context;
    this.#options = options;
  }

  /** A request was answered. */
  answered(request: FastRequest, status: number, byteLength: number, ids: RequestIds): void {
    const { logRequests, slowRequestMs } = this.#options;
    const isSample = logRequests > 0 && Math.random() < logRequests;
    if (!isSample && ++this.#answers % LOOK_EVERY !== 0 && byteLength < LOOK_BYTES) return;
    const milliseconds = this.#context.turnMilliseconds();
    const isSlow = milliseconds >= slowRequestMs;
    if (!isSample && !isSlow) return;
    const logged: LoggedRequest = {
      kind: "answered",
      method: request.isHead ? "HEAD" : "GET",
      url: request.text(request.targetStart, request.targetEnd),
      status,
      seconds: milliseconds / 1_000,
      requestId: ids.last(request),
      isSlow,
    };
    this.#context.tell(logged);
  }
}
