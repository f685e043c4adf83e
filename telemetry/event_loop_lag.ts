/**
 * How late timers run, beyond the 100 ms that they were asked for: what a request waits for its turn. prom-client's own
 * measure is wrong in Deno.
 */
export class EventLoopLag {
  #expected = performance.now() + 100;
  #longestMs = 0;
  #sumMs = 0;
  #count = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      const delayMs = Math.max(0, now - this.#expected);
      this.#longestMs = Math.max(this.#longestMs, delayMs);
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

  /** The longest delay since the last call, in seconds. */
  take(): number {
    const longest = Math.max(this.#longestMs, performance.now() - this.#expected, 0);
    this.#longestMs = 0;
    return longest / 1_000;
  }

  /** Stops measuring. */
  stop(): void {
    clearInterval(this.#timer);
  }
}
