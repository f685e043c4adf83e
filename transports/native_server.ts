import type { Edition } from "../catalogue/mod.ts";
import { type Listener, type ListenerStatistics, serve, type ServeHandler } from "../native/mod.ts";
import { type EditionReleased, EditionShares } from "./edition_shares.ts";
import type { FastRoutesData } from "./fast_routes.ts";
import type { LoggedRequest } from "./request_log.ts";
import { type RunningServer, settlesWithin } from "./server.ts";

/** How the native transports listen. */
export interface NativeServerOptions {
  transport: "uring" | "epoll";
  hostname: string;
  port: number;
  threads: number;
  connectionsMax: number;
  /** Connections that are let in; `Infinity` for all. */
  connectionLimit: number;
  headerTimeoutMs: number;
  idleTimeoutMs: number;
  bodyTimeoutMs: number;
  writeTimeoutMs: number;
  bodyBytesMax: number;
  durationBounds: readonly number[];
  /** The module of the threads, one that calls `createFastRoutes`. */
  module: URL;
  data: FastRoutesData;
  /** Answers what the threads do not. */
  handler: ServeHandler;
  /** Called with requests that a thread answered, as far as they are to be logged. */
  onLogged: (logged: LoggedRequest) => void;
  /** Called when a thread failed and is being replaced, or connections cannot be accepted. */
  onFailure: (error: Error) => void;
}

/** A native listener, and the way of editions to its threads. */
export class NativeServer implements RunningServer {
  readonly #listener: Listener;
  readonly #shares: EditionShares;

  private constructor(listener: Listener, shares: EditionShares) {
    this.#listener = listener;
    this.#shares = shares;
  }

  /** @throws {Error} If it cannot listen, or its threads do not start */
  static async start(options: NativeServerOptions): Promise<NativeServer> {
    const { handler, onFailure, onLogged, threads } = options;
    let listener: Listener | null = null;
    const shares = new EditionShares(threads, (thread, message) => {
      listener?.postTo(thread, message);
    });
    listener = await serve({
      ...options,
      onError: onFailure,
      onMessage: (told, thread) => {
        const message = told as EditionReleased | LoggedRequest;
        if (message.kind === "answered") onLogged(message);
        else shares.released(thread, message);
      },
      onThread: (thread) => shares.started(thread),
      onThreadEnd: (thread, isHung) => shares.ended(thread, isHung),
    }, handler);
    return new NativeServer(listener, shares);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** How many connections can be open. */
  get connectionsMax(): number {
    return this.#listener.connectionsMax;
  }

  /** Changes how many connections are let in. */
  setConnectionLimit(limit: number): void {
    this.#listener.setConnectionLimit(limit);
  }

  /** What the listener counted. */
  statistics(): ListenerStatistics {
    return this.#listener.statistics();
  }

  /** Makes a thread fail, for tests of what happens then. */
  unsafeFailThread(thread: number): void {
    this.#listener.unsafeFailThread(thread);
  }

  /** Answers from an edition from now on. */
  publish(edition: Edition): void {
    this.#shares.publish(edition);
  }

  async shutdown(deadlineMs: number): Promise<boolean> {
    const inTime = await settlesWithin(this.#listener.shutdown(), deadlineMs);
    if (!inTime) this.#listener.abort();
    return inTime;
  }
}
