import { ConnectionCore, type Timeouts } from "./connection_core.ts";
import type { Driver, DriverOptions } from "./driver.ts";
import { EpollDriver } from "./epoll_driver.ts";
import { type Command, CommandKind, CommandRing, type ThreadMessage } from "./exchange.ts";
import { ConnectionCount } from "./connection_count.ts";
import type { FastAnswer, FastRequest, FastRoute, ReleasedMemory } from "./fast_route.ts";
import type { Gate } from "./gate.ts";
import { TICK_MS } from "./limits.ts";
import { type StatisticsLayout, ThreadStatistics } from "./statistics.ts";
import { UringDriver } from "./uring_driver.ts";

/** What a listener thread is told when it starts. */
export interface ThreadStart extends Timeouts {
  transport: "uring" | "epoll";
  listener: number;
  waker: number;
  /** How many threads there are. */
  threads: number;
  /** Of all threads together. */
  connectionsMax: number;
  /** Of this thread. */
  connectionsPerThread: number;
  /** Memory of a {@linkcode ConnectionCount}, of all threads. */
  connections: SharedArrayBuffer;
  /** One word: the main thread has given this thread up. */
  abandoned: SharedArrayBuffer;
  bodyBytesMax: number;
  commands: SharedArrayBuffer;
  durationBounds: number[];
  data: unknown;
}

/** What a listener thread says first. */
export interface ThreadStarted {
  kind: "started";
  statistics: SharedArrayBuffer;
  layout: StatisticsLayout;
}

/** What fast routes are made of. */
export interface ThreadContext {
  /** `data` of the options of `serve`. */
  data: unknown;
  /** Tells the main thread something; it gets to `onMessage` of the options of `serve`. */
  tell(value: unknown): void;
  /** When the current turn began, in milliseconds by a clock that all threads of the system share (CLOCK_MONOTONIC). */
  turnStart(): number;
  /** Milliseconds since the requests of the current turn can have become readable. */
  turnMilliseconds(): number;
  /** Cuts off the connections whose answers in flight use some memory, which is then released. */
  cutOff(memory: ReleasedMemory): void;
}

/** What runs in a listener thread. */
export interface ThreadRoutes {
  routes: FastRoute[];
  /** Asked before every route. */
  gate?: Gate;
  /**
   * Writes fields of one's own, as a request id, to the heads of what the listener refuses by itself: what is no HTTP,
   * too long, too late, or past the connection limit.
   *
   * @param request Valid during the call; `null` where no whole head is at hand
   * @param answer For {@linkcode FastAnswer.writeText} and {@linkcode FastAnswer.writeBytes} only
   */
  refusalFields?(request: FastRequest | null, answer: FastAnswer): void;
  /** Called with what `Listener.post` was given: JSON, so without anything that JSON does not know. */
  onMessage?(value: unknown): void;
}

/** What of a worker's global scope a listener thread needs. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ThreadStart>) => unknown) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/**
 * Makes a module the one that listener threads run: to be called once, by the module that `ServeOptions.module` names.
 *
 * @param create Makes the fast routes of one thread
 *
 * @example
 * ```ts ignore
 * import { HeadTemplate, listenerThread } from "./mod.ts";
 *
 * const head = new HeadTemplate(200, "OK", { "content-type": "text/plain" });
 * listenerThread(() => ({
 *   routes: [{
 *     path: "/ping",
 *     answer(_request, answer) {
 *       answer.begin(head);
 *       answer.endHead(4);
 *       answer.writeText("pong");
 *       return true;
 *     },
 *   }],
 * }));
 * ```
 */
export function listenerThread(create: (context: ThreadContext) => ThreadRoutes): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = ({ data }) => {
    try {
      run(scope, data, create);
      // Nothing of it uses the descriptors any more.
      scope.postMessage([{ kind: "drained" }]);
    } catch (error) {
      const { message, stack } = error as Error;
      scope.postMessage([{ kind: "failed", message: stack ?? message }]);
    }
    scope.close();
  };
}

function run(
  scope: WorkerScope,
  start: ThreadStart,
  create: (context: ThreadContext) => ThreadRoutes,
): void {
  let outbox: ThreadMessage[] = [];
  const tell = (message: ThreadMessage) => void outbox.push(message);
  const { routes, gate = null, refusalFields, onMessage } = create({
    data: start.data,
    tell: (value) => tell({ kind: "message", value }),
    turnStart: () => core.turnStart,
    turnMilliseconds: () => core.turnMilliseconds(),
    cutOff: (memory) => core.cutOff(memory),
  });
  const layout: StatisticsLayout = {
    routes: routes.map(({ path, method = "GET" }) => ({ path, method })),
    durationBounds: start.durationBounds,
  };
  const statistics = ThreadStatistics.allocate(layout);
  let driver: Driver | null = null;
  const core: ConnectionCore = new ConnectionCore({
    ...start,
    connections: new ConnectionCount(start.connections),
    abandoned: new Int32Array(start.abandoned),
    routes,
    gate,
    refusalFields,
    statistics: new ThreadStatistics(statistics, layout),
    tell,
  }, (events) => {
    const options: DriverOptions = {
      listener: start.listener,
      waker: start.waker,
      connectionsMax: start.connectionsPerThread,
      threads: start.threads,
      tickMs: TICK_MS,
      events,
    };
    return driver = start.transport === "uring"
      ? new UringDriver(options)
      : new EpollDriver(options);
  });
  using _driver = driver!;
  const commands = new CommandRing(start.commands);
  const command: Command = {
    kind: 0,
    connection: 0,
    number: 0,
    address: 0,
    byteLength: 0,
    flags: 0,
  };
  let isEnding = false;
  const obey = (): void => {
    for (;;) {
      // The command before may have hung; what the next one names is held no more then.
      core.endIfAbandoned();
      if (!commands.pop(command)) return;
      const { kind, connection, number, address, byteLength, flags } = command;
      switch (kind) {
        case CommandKind.DRAIN:
          core.drain();
          break;
        case CommandKind.END:
          isEnding = true;
          break;
        case CommandKind.FAIL:
          throw new Error("told to fail");
        case CommandKind.MESSAGE:
          onMessage?.(JSON.parse(textAt(address, byteLength)));
          tell({ kind: "delivered" });
          break;
        default:
          if (!core.isCurrent(connection, number)) break;
          if (kind === CommandKind.SEND) core.sendFor(connection, address, byteLength, flags);
          else if (kind === CommandKind.CREDIT) core.credit(connection, byteLength);
          else if (kind === CommandKind.ABORT) core.abort(connection);
      }
    }
  };
  core.start(obey);
  const started: ThreadStarted = {
    kind: "started",
    statistics,
    layout,
  };
  scope.postMessage([started]);
  // Something may have been asked before the waker was listened to.
  obey();
  while (!isEnding && !core.isDrained) {
    core.turn();
    if (outbox.length > 0) {
      scope.postMessage(outbox);
      outbox = [];
    }
  }
}

function textAt(address: number, byteLength: number): string {
  const pointer = Deno.UnsafePointer.create(BigInt(address))!;
  return new TextDecoder().decode(Deno.UnsafePointerView.getArrayBuffer(pointer, byteLength));
}
