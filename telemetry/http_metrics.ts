/** Upper bounds of the duration buckets, in seconds: from an answer out of memory to a request that waits. */
export const DURATION_BUCKETS: readonly number[] = [
  0.000_025,
  0.000_05,
  0.000_1,
  0.000_25,
  0.000_5,
  0.001,
  0.002_5,
  0.005,
  0.01,
  0.025,
  0.1,
  0.5,
  1,
  5,
];

/** The statuses that are counted apart; any other is counted with its class, as 299, 399, 499 or 599. */
const STATUSES = [
  200,
  202,
  204,
  304,
  400,
  401,
  403,
  404,
  405,
  408,
  413,
  414,
  429,
  431,
  500,
  503,
  505,
  299,
  399,
  499,
  599,
];
const STATUS_INDEX = new Uint8Array(600).map((_, status) => {
  const index = STATUSES.indexOf(status);
  return index >= 0
    ? index
    : STATUSES.indexOf(Math.min(5, Math.max(2, Math.floor(status / 100))) * 100 + 99);
});
const METHODS = ["GET", "HEAD", "POST", "other"];

/** One line of `http_requests_total`. */
export interface RequestCount {
  route: string;
  method: string;
  status: number;
  count: number;
}

/** One series of `http_request_duration_seconds`. */
export interface DurationHistogram {
  route: string;
  /** Requests by bucket, not cumulated; one more element than DURATION_BUCKETS, for what is longer. */
  buckets: readonly number[];
  sumSeconds: number;
}

/** What a listener counted that answers some requests by itself; the sums since the start. */
export interface ListenerReading {
  connectionsTotal: number;
  connectionsActive: number;
  bytesReceived: number;
  bytesSent: number;
  /** Answers by route, each with its durations by DURATION_BUCKETS. */
  fastRoutes: readonly {
    path: string;
    answers: readonly { method: string; status: number; count: number }[];
    durations: readonly number[];
    sumSeconds: number;
  }[];
  /** Requests refused before any route saw them. */
  refused: readonly { status: number; count: number }[];
}

/**
 * Counts requests in flat arrays: an addition or two a request, no strings, no label objects. Metrics are made from
 * them when somebody scrapes. Routes are known from the start, so the arrays never grow.
 */
export class HttpMetrics {
  readonly #routes: readonly string[];
  readonly #counts: Float64Array;
  readonly #buckets: Float64Array;
  readonly #sums: Float64Array;
  #requests = 0;
  #bytesSent = 0;
  #readListener: (() => ListenerReading) | null = null;

  /** @param routes Names of the routes; a request is counted under its route's place in this list */
  constructor(routes: readonly string[]) {
    this.#routes = routes;
    this.#counts = new Float64Array(routes.length * METHODS.length * STATUSES.length);
    this.#buckets = new Float64Array(routes.length * (DURATION_BUCKETS.length + 1));
    this.#sums = new Float64Array(routes.length);
  }

  /** Adds what a listener counts. */
  addListener(read: () => ListenerReading): void {
    this.#readListener = read;
  }

  /** What the listener counted; `null` on a transport that does not count. */
  get listener(): ListenerReading | null {
    return this.#readListener?.() ?? null;
  }

  /** Requests answered since the start. */
  get requests(): number {
    let sum = this.#requests;
    for (const { count } of this.#listenerCounts()) sum += count;
    return sum;
  }

  /** Bytes sent: of everything where a listener counts them, else of bodies. */
  get bytesSent(): number {
    return this.listener?.bytesSent ?? this.#bytesSent;
  }

  /** Counts a request that was answered. */
  observe(route: number, method: string, status: number, seconds: number, bytes: number): void {
    const methodIndex = method === "GET" ? 0 : method === "HEAD" ? 1 : method === "POST" ? 2 : 3;
    this.#counts[(route * METHODS.length + methodIndex) * STATUSES.length + STATUS_INDEX[status]]++;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && seconds > DURATION_BUCKETS[bucket]) bucket++;
    this.#buckets[route * (DURATION_BUCKETS.length + 1) + bucket]++;
    this.#sums[route] += seconds;
    this.#requests++;
    this.#bytesSent += bytes;
  }

  /** The counts that are not zero. */
  requestCounts(): RequestCount[] {
    const found = this.#listenerCounts();
    this.#counts.forEach((count, index) => {
      if (count === 0) return;
      const rest = Math.floor(index / STATUSES.length);
      const route = this.#routes[Math.floor(rest / METHODS.length)];
      const method = METHODS[rest % METHODS.length];
      const status = STATUSES[index % STATUSES.length];
      const same = found.find((one) =>
        one.route === route && one.method === method && one.status === status
      );
      if (same === undefined) found.push({ route, method, status, count });
      else same.count += count;
    });
    return found;
  }

  /** The histograms of routes that were asked for. */
  durations(): DurationHistogram[] {
    const width = DURATION_BUCKETS.length + 1;
    const listener = this.listener;
    return this.#routes.map((route, index) => {
      const fast = listener?.fastRoutes.find(({ path }) => path === route);
      return {
        route,
        buckets: [...this.#buckets.subarray(index * width, (index + 1) * width)]
          .map((count, bucket) => count + (fast?.durations[bucket] ?? 0)),
        sumSeconds: this.#sums[index] + (fast?.sumSeconds ?? 0),
      };
    }).filter(({ buckets }) => buckets.some((count) => count > 0));
  }

  #listenerCounts(): RequestCount[] {
    const listener = this.listener;
    if (listener === null) return [];
    const fast = listener.fastRoutes.flatMap(({ path, answers }) =>
      answers.map((one) => ({ route: path, ...one }))
    );
    const refused = listener.refused.map((one) => ({ route: "unknown", method: "other", ...one }));
    return [...fast, ...refused];
  }
}
