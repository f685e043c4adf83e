/** Statuses of fast answers that are counted apart; any other counts as the last. */
export const FAST_STATUSES: readonly number[] = [200, 304, 400, 404, 429, 500, 503, 0];

const NAMES = [
  "connectionsTotal",
  "connectionsActive",
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

/** What a listener counted, all of its threads together. */
export type ListenerCounts = Record<typeof NAMES[number], number>;

/** Answers of one fast route. */
export interface FastRouteCounts {
  path: string;
  /** Answers by method and status. */
  answers: { method: "GET" | "HEAD"; status: number; count: number }[];
  /** Answers by the time from their request being read to their being sent, not cumulated; one bucket more than bounds. */
  durations: number[];
  sumSeconds: number;
}

/** What a listener counted. */
export interface ListenerStatistics extends ListenerCounts {
  fastRoutes: FastRouteCounts[];
  /** Threads that had to be replaced. */
  threadsReplaced: number;
}

/** How the words of a thread's statistics are laid out. */
export interface StatisticsLayout {
  paths: readonly string[];
  /** Upper bounds of durations, in seconds. */
  durationBounds: readonly number[];
}

const METHODS = ["GET", "HEAD"] as const;

/** Counters of one thread, written by it alone, in memory that other threads read. */
export class ThreadStatistics {
  readonly counts: Float64Array;
  readonly #layout: StatisticsLayout;
  readonly #routeWords: number;
  /** Answers of the current turn, by route. */
  readonly #turn: Uint32Array;

  constructor(buffer: SharedArrayBuffer, layout: StatisticsLayout) {
    this.counts = new Float64Array(buffer);
    this.#layout = layout;
    this.#routeWords = routeWords(layout);
    this.#turn = new Uint32Array(layout.paths.length);
  }

  /** Memory for the statistics of one thread. */
  static allocate(layout: StatisticsLayout): SharedArrayBuffer {
    return new SharedArrayBuffer((NAMES.length + layout.paths.length * routeWords(layout)) * 8);
  }

  /** Counts an answer of a fast route; its duration is known when the turn ends. */
  answered(route: number, isHead: boolean, status: number): void {
    let place = FAST_STATUSES.indexOf(status);
    if (place < 0) place = FAST_STATUSES.length - 1;
    const base = NAMES.length + route * this.#routeWords;
    this.counts[base + (isHead ? FAST_STATUSES.length : 0) + place]++;
    this.counts[COUNT.requestsFast]++;
    this.#turn[route]++;
  }

  /** Whether fast routes answered in this turn. */
  endTurn(seconds: number): void {
    const turn = this.#turn;
    const { durationBounds } = this.#layout;
    for (let route = 0; route < turn.length; route++) {
      const answers = turn[route];
      if (answers === 0) continue;
      turn[route] = 0;
      let bucket = 0;
      while (bucket < durationBounds.length && seconds > durationBounds[bucket]) bucket++;
      const base = NAMES.length + route * this.#routeWords + METHODS.length * FAST_STATUSES.length;
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

function routeWords({ durationBounds }: StatisticsLayout): number {
  return METHODS.length * FAST_STATUSES.length + 1 + durationBounds.length + 1;
}

/** Adds up the statistics of threads. */
export function sumStatistics(
  buffers: readonly SharedArrayBuffer[],
  layout: StatisticsLayout,
): Omit<ListenerStatistics, "threadsReplaced"> {
  const words = new Float64Array(NAMES.length + layout.paths.length * routeWords(layout));
  for (const buffer of buffers) new Float64Array(buffer).forEach((word, i) => words[i] += word);
  const counts = Object.fromEntries(NAMES.map((name, i) => [name, words[i]])) as ListenerCounts;
  const fastRoutes = layout.paths.map((path, route): FastRouteCounts => {
    const base = NAMES.length + route * routeWords(layout);
    const durations = base + METHODS.length * FAST_STATUSES.length;
    return {
      path,
      answers: METHODS.flatMap((method, m) =>
        FAST_STATUSES.map((status, s) => ({
          method,
          status,
          count: words[base + m * FAST_STATUSES.length + s],
        }))
      ).filter(({ count }) => count > 0),
      sumSeconds: words[durations],
      durations: [
        ...words.subarray(durations + 1, durations + 2 + layout.durationBounds.length),
      ],
    };
  });
  return { ...counts, fastRoutes };
}

/** Of the counters, those that measure what is there now. */
const GAUGES = [
  COUNT.connectionsActive,
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
