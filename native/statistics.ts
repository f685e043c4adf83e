/** Statuses that are counted apart; any other counts as the last. */
const STATUSES: readonly number[] = [
  200,
  304,
  400,
  404,
  408,
  413,
  414,
  417,
  429,
  431,
  500,
  501,
  503,
  505,
  0,
];

const NAMES = [
  "connectionsTotal",
  "connectionsActive",
  "connectionsShed",
  "connectionsShedding",
  "bytesReceived",
  "bytesSent",
  "requestsFast",
  "requestsHandled",
  "refusals",
  "timeouts",
  "answersInFlight",
  "buffersLent",
  "exchangesActive",
  "acceptFailures",
  "ticks",
] as const;

/**
 * What a listener counted, all of its threads together. `connectionsTotal` and `connectionsActive` are those that were let
 * in; `connectionsShed` were refused at the connection limit, `connectionsShedding` of them are still open.
 */
export type ListenerCounts = Record<typeof NAMES[number], number>;

/** Answers of one fast route. */
export interface FastRouteCounts {
  path: string;
  /** Answers by method and status. */
  answers: { method: "GET" | "HEAD" | "POST"; status: number; count: number }[];
  /** Answers by the time since their request can have become readable, not cumulated; one bucket more than bounds. */
  durations: number[];
  sumSeconds: number;
}

/** What a listener counted. */
export interface ListenerStatistics extends ListenerCounts {
  fastRoutes: FastRouteCounts[];
  /** Requests that were refused before any route saw them, by status. */
  refused: { status: number; count: number }[];
  /** Threads that had to be replaced. */
  threadsReplaced: number;
}

/** How the words of a thread's statistics are laid out. */
export interface StatisticsLayout {
  routes: readonly { path: string; method: "GET" | "POST" }[];
  /** Upper bounds of durations, in seconds. */
  durationBounds: readonly number[];
}

/** Methods that a route counts apart: its own, and HEAD. */
const ROUTE_METHODS = 2;
/** The general counters come first, refusals by status behind them, then the routes. */
const FIRST_ROUTE = NAMES.length + STATUSES.length;

/** Counters of one thread, written by it alone, in memory that other threads read. */
export class ThreadStatistics {
  readonly counts: Float64Array;
  readonly #layout: StatisticsLayout;
  readonly #routeWords: number;
  /** Answers of the current turn, by route. */
  readonly #turn: Uint32Array;
  /** Whether there were answers in this turn. */
  hasAnswered = false;

  constructor(buffer: SharedArrayBuffer, layout: StatisticsLayout) {
    this.counts = new Float64Array(buffer);
    this.#layout = layout;
    this.#routeWords = routeWords(layout);
    this.#turn = new Uint32Array(layout.routes.length);
  }

  /** Memory for the statistics of one thread. */
  static allocate(layout: StatisticsLayout): SharedArrayBuffer {
    return new SharedArrayBuffer(wordCount(layout) * 8);
  }

  /** Counts an answer of a fast route; its duration is known when the turn ends. */
  answered(route: number, isHead: boolean, status: number): void {
    const base = FIRST_ROUTE + route * this.#routeWords;
    this.counts[base + (isHead ? STATUSES.length : 0) + placeOf(status)]++;
    this.counts[COUNT.requestsFast]++;
    this.#turn[route]++;
    this.hasAnswered = true;
  }

  /** Counts a request that was refused. */
  refused(status: number): void {
    this.counts[NAMES.length + placeOf(status)]++;
    this.counts[COUNT.refusals]++;
  }

  /** Counts the answers of a turn, which are all sent at its end, with how long they took. */
  endTurn(seconds: number): void {
    const turn = this.#turn;
    this.hasAnswered = false;
    const { durationBounds } = this.#layout;
    for (let route = 0; route < turn.length; route++) {
      const answers = turn[route];
      if (answers === 0) continue;
      turn[route] = 0;
      let bucket = 0;
      while (bucket < durationBounds.length && seconds > durationBounds[bucket]) bucket++;
      const base = FIRST_ROUTE + route * this.#routeWords + ROUTE_METHODS * STATUSES.length;
      this.counts[base] += answers * seconds;
      this.counts[base + 1 + bucket] += answers;
    }
  }
}

/** Where the counters of {@linkcode ListenerCounts} lie in {@linkcode ThreadStatistics.counts}. */
export const COUNT = Object.fromEntries(NAMES.map((name, i) => [name, i])) as Record<
  typeof NAMES[number],
  number
>;

function placeOf(status: number): number {
  const place = STATUSES.indexOf(status);
  return place < 0 ? STATUSES.length - 1 : place;
}

function wordCount(layout: StatisticsLayout): number {
  return FIRST_ROUTE + layout.routes.length * routeWords(layout);
}

function routeWords({ durationBounds }: StatisticsLayout): number {
  return ROUTE_METHODS * STATUSES.length + 1 + durationBounds.length + 1;
}

/** Adds up the statistics of threads. */
export function sumStatistics(
  buffers: readonly SharedArrayBuffer[],
  layout: StatisticsLayout,
): Omit<ListenerStatistics, "threadsReplaced"> {
  const words = new Float64Array(wordCount(layout));
  for (const buffer of buffers) new Float64Array(buffer).forEach((word, i) => words[i] += word);
  const counts = Object.fromEntries(NAMES.map((name, i) => [name, words[i]])) as ListenerCounts;
  const fastRoutes = layout.routes.map(({ path, method }, route): FastRouteCounts => {
    const base = FIRST_ROUTE + route * routeWords(layout);
    const durations = base + ROUTE_METHODS * STATUSES.length;
    return {
      path,
      answers: [method, "HEAD" as const].flatMap((method, m) =>
        STATUSES.map((status, s) => ({
          method,
          status,
          count: words[base + m * STATUSES.length + s],
        }))
      ).filter(({ count }) => count > 0),
      sumSeconds: words[durations],
      durations: [
        ...words.subarray(durations + 1, durations + 2 + layout.durationBounds.length),
      ],
    };
  });
  const refused = STATUSES.map((status, s) => ({ status, count: words[NAMES.length + s] }))
    .filter(({ count }) => count > 0);
  return { ...counts, fastRoutes, refused };
}

/** Of the counters, those that measure what is there now. */
const GAUGES = [
  COUNT.connectionsActive,
  COUNT.connectionsShedding,
  COUNT.answersInFlight,
  COUNT.buffersLent,
  COUNT.exchangesActive,
];

/** The counters of a thread that is gone: what they count stays, what they measure is over. */
export function withoutGauges(buffer: SharedArrayBuffer): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(buffer.byteLength);
  const words = new Float64Array(copy);
  words.set(new Float64Array(buffer));
  for (const gauge of GAUGES) words[gauge] = 0;
  return copy;
}
