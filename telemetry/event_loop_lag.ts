/**
 * How late timers run: the longest delay beyond the asked-for 100 ms since the last reading. prom-client's own measure
 * is wrong in Deno.
 */
export class EventLoopLag {
  #expected = performance.now() + 100;
  #longestMs = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#longestMs = Math.max(this.#longestMs, now - this.#expected);
      this.#expected = now + 100;
    }, 100);
    Deno.unrefTimer(this.#timer as unknown as number);
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
