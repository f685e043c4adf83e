import { ConnectionCount } from "./connection_count.ts";
import { type Command, CommandKind, CommandRing, type ThreadMessage } from "./exchange.ts";
import { EVENTS, SOCKET } from "./kernel_layout.ts";
import { check, libc, openFilesMax } from "./libc.ts";
import {
  BODY_BYTES_MAX,
  CONNECTIONS_MAX,
  CONNECTIONS_SLACK,
  FILES_RESERVED,
  HEARTBEAT_MS_MAX,
  THREAD_SETTLED_MS,
} from "./limits.ts";
import type { ThreadStart, ThreadStarted } from "./listener_thread.ts";
import { transportProblem } from "./probe.ts";
import { type ServeHandler, ServerExchange } from "./server_exchange.ts";
import { type ListeningSocket, openListeningSocket, openListeningSockets } from "./sockets.ts";
import {
  type ListenerStatistics,
  type StatisticsLayout,
  sumStatistics,
  withoutGauges,
} from "./statistics.ts";

/** How a listener is made. */
export interface ServeOptions {
  /** An IPv4 or IPv6 address; all of IPv4 unless said otherwise. */
  hostname?: string;
  /** 8000 unless said otherwise; 0 for a free one. */
  port?: number;
  /** What moves the bytes; "auto" takes io_uring where it works, else epoll. */
  transport?: "auto" | "uring" | "epoll";
  /** Listener threads, each with a socket of its own on the shared port; 1 unless said otherwise. */
  threads?: number;
  /** Connections of all threads together, 10,000 unless said otherwise; more wait in the kernel's backlog. */
  connectionsMax?: number;
  /**
   * Connections that are let in; any more is answered 503, without being read, and closed. Without a limit unless said
   * otherwise.
   */
  connectionLimit?: number;
  /** To the end of a request's head, 10 s unless said otherwise; then 408. */
  headerTimeoutMs?: number;
  /** Between two requests, 60 s unless said otherwise; then the connection is closed. */
  idleTimeoutMs?: number;
  /** Without a byte of a body that its handler reads, 30 s unless said otherwise; then 408. */
  bodyTimeoutMs?: number;
  /** Without the client taking a byte of its answer, 15 s unless said otherwise; then the connection is cut off. */
  writeTimeoutMs?: number;
  /** Bytes of a request's body; a longer one gets 413. 1 GiB unless said otherwise. */
  bodyBytesMax?: number;
  /** A module that calls `listenerThread`; without one there are no fast routes. */
  module?: URL;
  /** Given to the module, by structured clone. */
  data?: unknown;
  /** Upper bounds of the buckets that durations of fast answers are counted in, in seconds. */
  durationBounds?: readonly number[];
  /** Milliseconds without a sign of life after which a thread is given up and replaced; at least 1,000. Default 15,000. */
  heartbeatMs?: number;
  /** Ends the listener as {@linkcode Listener.shutdown} does. */
  signal?: AbortSignal;
  /** Called when a handler, a thread, or accepting connections failed; it goes on all the same. */
  onError?: (error: Error) => void;
  /** Called with what a fast route told. */
  onMessage?: (value: unknown, thread: number) => void;
  /** Called when a thread runs: at the start, and when it replaces one that died. */
  onThread?: (thread: number) => void;
  /**
   * Called when a thread that ran died, or was given up because it hung: then it has not ended, and a route that it is in
   * goes on to use its memory should it wake up.
   */
  onThreadEnd?: (thread: number, isHung: boolean) => void;
}

/** A listener that runs. */
export interface Listener {
  readonly addr: Deno.NetAddr;
  readonly transport: "uring" | "epoll";
  /** How many connections can be open, as far as the limits of this process allow what was asked for. */
  readonly connectionsMax: number;
  /** What was taken and why, for people. */
  readonly description: string;
  /** Resolves when it has ended. */
  readonly finished: Promise<void>;
  /** Changes how many connections are let in; those that are open stay. `Infinity` for all. */
  setConnectionLimit(limit: number): void;
  /** Stops accepting, answers what is in flight, and closes; resolves when that is done. */
  shutdown(): Promise<void>;
  /** Cuts everything off. */
  abort(): void;
  /** Gives JSON to the fast routes of every thread, those that replace dead ones not included. */
  post(value: unknown): void;
  /** Gives JSON to the fast routes of one thread. */
  postTo(thread: number, value: unknown): void;
  /** What was counted since the start. */
  statistics(): ListenerStatistics;
  /** Makes a thread fail, for tests of what happens then. */
  unsafeFailThread(thread: number): void;
}

const DEFAULT_DURATION_BOUNDS = [0.000_1, 0.001, 0.01, 0.1, 1];
const HEARTBEAT_CHECK_MS = 1_000;
const RESTART_PAUSE_MS = 100;
/** How long threads get to end when another one could not start. */
const START_FAILURE_MS_MAX = 2_000;
/** The socket of a thread that is not there takes its share of new connections meanwhile. */
const RESTART_PAUSE_MS_MAX = 2_000;
const encoder = new TextEncoder();

/**
 * Serves HTTP/1.1 from listener threads of its own, on io_uring or epoll: requests of fast routes are answered there,
 * all others by the handler, which runs in the calling thread as with Deno.serve.
 *
 * @throws {Deno.errors.AddrInUse} If the port is taken
 * @throws {Error} If the transport does not work here, with the reason and the remedy
 *
 * @example
 * ```ts
 * import { serve } from "./serve.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const listener = await serve({ hostname: "127.0.0.1", port: 0 }, () => new Response("hello"));
 * const response = await fetch(`http://127.0.0.1:${listener.addr.port}/`);
 * assertEquals(await response.text(), "hello");
 * await listener.shutdown();
 * ```
 */
export async function serve(options: ServeOptions, handler: ServeHandler): Promise<Listener> {
  const { transport, description } = chooseTransport(options.transport ?? "auto");
  const listener = new ThreadedListener(options, handler, transport, description);
  await listener.start();
  return listener;
}

/** io_uring where it works, else epoll; or the one that was asked for. */
function chooseTransport(
  asked: "auto" | "uring" | "epoll",
): { transport: "uring" | "epoll"; description: string } {
  const reasons: string[] = [];
  for (const transport of ["uring", "epoll"] as const) {
    if (asked !== "auto" && asked !== transport) continue;
    const problem = transportProblem(transport);
    if (problem === null) {
      const name = transport === "uring" ? "io_uring" : "epoll";
      return { transport, description: [name, ...reasons].join("; ") };
    }
    reasons.push(problem);
  }
  throw new Error(reasons.join("; "));
}

/** Connections that one thread could hold, as far as the process may have them. */
function connectionsPerThread(transport: "uring" | "epoll", connectionsMax: number): number {
  const files = openFilesMax();
  // A ring's direct descriptors are none of the process, but a ring may have no more than it (io_uring_register(2)).
  const allowed = transport === "uring" ? files - CONNECTIONS_SLACK : files - FILES_RESERVED;
  return Math.max(1, Math.min(CONNECTIONS_MAX, connectionsMax, allowed));
}

/** One listener thread, seen from the main thread. */
interface Thread {
  worker: Worker;
  socket: ListeningSocket;
  readonly waker: number;
  commands: CommandRing;
  abandoned: Int32Array;
  /** Commands that found the ring full. */
  readonly queue: Command[];
  readonly exchanges: Map<number, ServerExchange>;
  /** Memory of messages that the thread has not read yet, oldest first. */
  messages: Uint8Array[];
  statistics: SharedArrayBuffer | null;
  ticks: number;
  lastTick: number;
  /** When it began to serve. */
  started: number;
  /** Starts in a row that were to replace a thread that had not settled. */
  restarts: number;
  /** Until it is replaced, after it died. */
  restartTimer?: ReturnType<typeof setTimeout>;
  isDone: boolean;
}

class ThreadedListener implements Listener {
  readonly transport: "uring" | "epoll";
  readonly description: string;
  readonly finished: Promise<void>;
  readonly connectionsMax: number;
  addr: Deno.NetAddr;
  readonly #options: ServeOptions;
  readonly #handler: ServeHandler;
  readonly #threads: Thread[] = [];
  readonly #connectionsPerThread: number;
  readonly #heartbeatMs: number;
  /** Connections of all threads. */
  readonly #connections = ConnectionCount.allocate();
  readonly #finish: () => void;
  /** Sockets of threads that hang, which may still name them: one for each hang. */
  readonly #leftSockets: ListeningSocket[] = [];
  /** Statistics of threads that died, so that no counter goes back. */
  readonly #past: SharedArrayBuffer[] = [];
  #layout: StatisticsLayout = { routes: [], durationBounds: [] };
  #threadsReplaced = 0;
  #isStopping = false;
  #isFinished = false;
  #lastCheck = 0;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #flushTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    options: ServeOptions,
    handler: ServeHandler,
    transport: "uring" | "epoll",
    description: string,
  ) {
    this.#options = options;
    this.#handler = handler;
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS_MAX;
    this.transport = transport;
    this.description = description;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#finish = resolve;
    const { threads = 1, connectionsMax = 10_000, hostname = "0.0.0.0" } = options;
    this.#connectionsPerThread = connectionsPerThread(transport, connectionsMax);
    this.connectionsMax = Math.min(
      connectionsMax,
      // All threads together have the files of one process, but each has a table of its own.
      this.#connectionsPerThread * (transport === "uring" ? threads : 1),
    );
    this.addr = { transport: "tcp", hostname, port: options.port ?? 8_000 };
    if (options.connectionLimit !== undefined) this.setConnectionLimit(options.connectionLimit);
  }

  async start(): Promise<void> {
    const { threads = 1, signal } = this.#options;
    const { hostname, port } = this.addr;
    const sockets = openListeningSockets(hostname, port, threads);
    this.addr = { transport: "tcp", hostname, port: sockets[0].port };
    try {
      for (const socket of sockets) {
        const waker = check(
          libc().eventfd(0, EVENTS.EFD_CLOEXEC | EVENTS.EFD_NONBLOCK),
          "eventfd",
        );
        const thread = { socket, waker, queue: [], exchanges: new Map(), messages: [] };
        this.#threads.push(
          {
            ...thread,
            statistics: null,
            ticks: 0,
            lastTick: 0,
            started: 0,
            restarts: 0,
            isDone: true,
          } as unknown as Thread,
        );
      }
      await Promise.all(this.#threads.map((_, index) => this.#startThread(index)));
    } catch (error) {
      // Threads that did start still use the descriptors.
      this.abort();
      await Promise.race([
        this.finished,
        new Promise((resolve) => setTimeout(resolve, START_FAILURE_MS_MAX)),
      ]);
      this.#end();
      throw error;
    }
    this.#heartbeat = setInterval(() => this.#checkHeartbeats(), HEARTBEAT_CHECK_MS);
    Deno.unrefTimer(this.#heartbeat as unknown as number);
    if (signal?.aborted) this.shutdown();
    else signal?.addEventListener("abort", () => this.shutdown(), { once: true });
  }

  setConnectionLimit(limit: number): void {
    new ConnectionCount(this.#connections).limit = limit;
  }

  async shutdown(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#threads.forEach((thread) => {
        if (thread.isDone) return;
        this.#command(thread, CommandKind.DRAIN, 0, 0, 0, 0);
        // A socket that listens does so until its last holder has closed it; this refuses new connections at once.
        libc().shutdown(thread.socket.descriptor, SOCKET.SHUT_RDWR);
      });
      this.#finishWhenDone();
    }
    await this.finished;
  }

  abort(): void {
    this.#isStopping = true;
    for (const thread of this.#threads) {
      if (!thread.isDone) this.#command(thread, CommandKind.END, 0, 0, 0, 0);
    }
    this.#finishWhenDone();
  }

  post(value: unknown): void {
    this.#threads.forEach((_, index) => this.postTo(index, value));
  }

  postTo(index: number, value: unknown): void {
    const thread = this.#threads[index];
    // Who has not started yet is told by whoever hears of its start.
    if (thread.isDone || thread.statistics === null) return;
    const bytes = encoder.encode(JSON.stringify(value));
    thread.messages.push(bytes);
    this.#command(thread, CommandKind.MESSAGE, 0, 0, bytes, 0);
  }

  statistics(): ListenerStatistics {
    const live = this.#threads.map(({ statistics }) => statistics).filter((one) => one !== null);
    const sum = sumStatistics([...this.#past, ...live], this.#layout);
    return { ...sum, threadsReplaced: this.#threadsReplaced };
  }

  unsafeFailThread(index: number): void {
    this.#command(this.#threads[index], CommandKind.FAIL, 0, 0, 0, 0);
  }

  #startThread(index: number): Promise<void> {
    const thread = this.#threads[index];
    const { module } = this.#options;
    const url = module ?? new URL("./plain_thread.ts", import.meta.url);
    const worker = new Worker(url, { type: "module", name: `listener ${index}` });
    const commands = CommandRing.allocate();
    const abandoned = new SharedArrayBuffer(4);
    Object.assign(thread, {
      worker,
      commands: new CommandRing(commands),
      abandoned: new Int32Array(abandoned),
      statistics: null,
      isDone: false,
      ticks: 0,
      lastTick: performance.now(),
    });
    thread.queue.length = 0;
    thread.messages = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    worker.onmessage = ({ data }: MessageEvent<(ThreadMessage | ThreadStarted)[]>) => {
      for (const message of data) {
        if (message.kind === "started") {
          thread.statistics = message.statistics;
          thread.started = thread.lastTick = performance.now();
          this.#layout = message.layout;
          resolve();
          this.#options.onThread?.(index);
        } else if (message.kind === "failed") {
          reject(new Error(message.message));
          this.#died(index, worker, message.message);
        } else this.#heard(index, message);
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
      this.#died(index, worker, event.message);
    };
    const start: ThreadStart = {
      transport: this.transport,
      listener: thread.socket.descriptor,
      waker: thread.waker,
      threads: this.#threads.length,
      connectionsMax: this.connectionsMax,
      connectionsPerThread: this.#connectionsPerThread,
      connections: this.#connections,
      abandoned,
      headerTimeoutMs: this.#options.headerTimeoutMs ?? 10_000,
      idleTimeoutMs: this.#options.idleTimeoutMs ?? 60_000,
      bodyTimeoutMs: this.#options.bodyTimeoutMs ?? 30_000,
      writeTimeoutMs: this.#options.writeTimeoutMs ?? 15_000,
      bodyBytesMax: this.#options.bodyBytesMax ?? BODY_BYTES_MAX,
      commands,
      durationBounds: [...this.#options.durationBounds ?? DEFAULT_DURATION_BOUNDS],
      data: this.#options.data,
    };
    worker.postMessage(start);
    return promise;
  }

  get #host(): string {
    const { hostname, port } = this.addr;
    const name = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname;
    return `${name.includes(":") ? `[${name}]` : name}:${port}`;
  }

  #heard(index: number, message: ThreadMessage): void {
    const thread = this.#threads[index];
    switch (message.kind) {
      case "request": {
        const exchange = new ServerExchange(message, {
          command: (kind, connection, number, memory, flags) =>
            this.#command(thread, kind, connection, number, memory, flags),
          onError: (error) => this.#report(error),
          host: this.#host,
          isStopping: () => this.#isStopping,
        });
        thread.exchanges.set(message.connection, exchange);
        const remoteAddr: Deno.NetAddr = { transport: "tcp", ...message.peer };
        exchange.answer(this.#handler, { remoteAddr });
        return;
      }
      case "body":
        thread.exchanges.get(message.connection)?.received(message.bytes);
        return;
      case "bodyEnd":
        thread.exchanges.get(message.connection)?.receivedAll();
        return;
      case "sent":
        if (thread.exchanges.get(message.connection)?.sent()) {
          thread.exchanges.delete(message.connection);
        }
        return;
      case "gone":
        thread.exchanges.get(message.connection)?.gone();
        thread.exchanges.delete(message.connection);
        return;
      case "delivered":
        thread.messages.shift();
        return;
      case "message":
        this.#options.onMessage?.(message.value, index);
        return;
      case "complaint":
        this.#report(new Error(message.text));
        return;
      case "drained":
        thread.isDone = true;
        this.#finishWhenDone();
    }
  }

  #command(
    thread: Thread,
    kind: number,
    connection: number,
    number: number,
    memory: Uint8Array<ArrayBuffer> | number,
    flags: number,
  ): void {
    if (thread.isDone) return;
    const isMemory = memory instanceof Uint8Array;
    const command: Command = {
      kind,
      connection,
      number,
      address: isMemory && memory.length > 0
        ? Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory)))
        : 0,
      byteLength: isMemory ? memory.length : memory,
      flags,
    };
    thread.queue.push(command);
    this.#flush(thread);
  }

  /** Passes on what there is room for, and the rest a little later. */
  #flush(thread: Thread): void {
    let count = 0;
    while (count < thread.queue.length && thread.commands.push(thread.queue[count])) count++;
    if (count > 0) {
      thread.queue.splice(0, count);
      libc().write(thread.waker, WAKE, 8n);
    }
    if (thread.queue.length === 0 || this.#flushTimer !== undefined) return;
    this.#flushTimer = setTimeout(() => {
      this.#flushTimer = undefined;
      for (const one of this.#threads) if (!one.isDone) this.#flush(one);
    }, 1);
  }

  /** A thread that does not tick is stuck in a fast route, or dead without a word. */
  #checkHeartbeats(): void {
    const now = performance.now();
    // Stopped with the whole process (SIGSTOP, a laptop asleep), or the main thread was busy: nobody is judged by that.
    const isLate = now - this.#lastCheck > 3 * HEARTBEAT_CHECK_MS;
    this.#lastCheck = now;
    this.#threads.forEach((thread, index) => {
      if (thread.isDone || thread.statistics === null) return;
      const { ticks } = sumStatistics([thread.statistics], this.#layout);
      if (isLate || ticks !== thread.ticks) {
        thread.ticks = ticks;
        thread.lastTick = now;
      } else if (now - thread.lastTick > this.#heartbeatMs) {
        if (this.transport === "uring" && !this.#isStopping) this.#replaceSocket(thread);
        this.#died(index, thread.worker, `it has not moved for ${this.#heartbeatMs} ms`, true);
      }
    });
  }

  /**
   * The ring of a thread that hangs waits on its socket, and the kernel wakes one waiter only: the replacement would not
   * hear of new connections. Those that wait in the backlog are reset.
   */
  #replaceSocket(thread: Thread): void {
    try {
      const { socket } = thread;
      thread.socket = openListeningSocket(this.addr.hostname, this.addr.port);
      this.#leftSockets.push(socket);
      libc().shutdown(socket.descriptor, SOCKET.SHUT_RDWR);
    } catch (error) {
      this.#report(error);
    }
  }

  #died(index: number, worker: Worker, reason: string, isHung = false): void {
    const thread = this.#threads[index];
    if (thread.worker !== worker || thread.isDone || this.#isFinished) return;
    thread.isDone = true;
    // A thread that hangs is not ended by that: if it ever goes on, it ends itself.
    worker.terminate();
    Atomics.store(thread.abandoned, 0, 1);
    if (thread.statistics === null) {
      // It never started: at first that is the caller's to know, later it is tried again.
      if (this.#isStopping) this.#finishWhenDone();
      else if (this.#heartbeat !== undefined) this.#restart(index);
      return;
    }
    const { connectionsActive, connectionsShedding } = sumStatistics(
      [thread.statistics],
      this.#layout,
    );
    new ConnectionCount(this.#connections).leave(connectionsActive, connectionsShedding);
    this.#past.push(withoutGauges(thread.statistics));
    thread.statistics = null;
    for (const exchange of thread.exchanges.values()) exchange.gone();
    thread.exchanges.clear();
    this.#report(new Error(`listener thread ${index} died and is replaced: ${reason}`));
    this.#threadsReplaced++;
    this.#options.onThreadEnd?.(index, isHung);
    // What it dies of may meet every thread as soon as it serves.
    if (performance.now() - thread.started >= THREAD_SETTLED_MS) thread.restarts = 0;
    if (this.#isStopping) this.#finishWhenDone();
    else this.#restart(index);
  }

  /** Starts a thread in the place of one that died, with growing pauses while none settles. */
  #restart(index: number): void {
    const thread = this.#threads[index];
    const pauseMs = Math.min(RESTART_PAUSE_MS * 2 ** thread.restarts++, RESTART_PAUSE_MS_MAX);
    thread.restartTimer = setTimeout(() => {
      if (this.#isStopping) return;
      this.#startThread(index).catch((error) => this.#report(error));
    }, pauseMs);
  }

  #finishWhenDone(): void {
    if (this.#isStopping && this.#threads.every(({ isDone }) => isDone)) this.#end();
  }

  #end(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#flushTimer);
    for (const { socket, waker, worker, exchanges, restartTimer } of this.#threads) {
      clearTimeout(restartTimer);
      for (const exchange of exchanges.values()) exchange.gone();
      worker?.terminate();
      libc().close(socket.descriptor);
      libc().close(waker);
    }
    for (const { descriptor } of this.#leftSockets) libc().close(descriptor);
    this.#finish();
  }

  #report(error: unknown): void {
    this.#options.onError?.(error instanceof Error ? error : new Error(String(error)));
  }
}

/** What an eventfd is written to wake. */
const WAKE = new Uint8Array(new BigUint64Array([1n]).buffer);
