/** Seconds that the longest delay is told of: two scrapes of the usual 15 s. */
const WINDOW_SECONDS = 30;

/**
 * How late timers run, beyond the 100 ms that they were asked for: what a request waits for its turn. prom-client's own
 * measure is wrong in Deno.
 */
export class EventLoopLag {
  #expected = performance.now() + 100;
  readonly #longestMs = new RecentMaximum();
  #sumMs = 0;
  #count = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      const delayMs = Math.max(0, now - this.#expected);
      this.#longestMs.add(delayMs, now);
      this.#sumMs += delayMs;
      this.#count++;
      this.#expected = now + 100;
    }, 100);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** The mean delay since the last call, in seconds. */
  takeMean(): number {
    const mean = this.#count === 0 ? 0 : this.#sumMs / this.#count;
    this.#sumMs = this.#count = 0;
    return mean / 1_000;
  }

  /** The longest delay of the last 30 seconds, in seconds, whoever else asks. */
  longest(): number {
    const now = performance.now();
    return Math.max(this.#longestMs.read(now), now - this.#expected) / 1_000;
  }

  /** Stops measuring. */
  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The greatest of the values of the last 30 seconds, to the second; 0 where there are none. */
export class RecentMaximum {
  /** The greatest of each second, by the second modulo the window, and which second that was. */
  readonly #values = new Float64Array(WINDOW_SECONDS);
  readonly #seconds = new Float64Array(WINDOW_SECONDS).fill(-Infinity);

  /** @param nowMs By a clock that never goes back */
  add(value: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    const place = second % WINDOW_SECONDS;
    const isNew = this.#seconds[place] !== second;
    this.#values[place] = isNew ? value : Math.max(this.#values[place], value);
    this.#seconds[place] = second;
  }

  /** @param nowMs By the same clock */
  read(nowMs: number): number {
    const oldest = Math.floor(nowMs / 1_000) - WINDOW_SECONDS;
    return this.#values.reduce(
      (most, value, place) => this.#seconds[place] > oldest ? Math.max(most, value) : most,
      0,
    );
  }
}
