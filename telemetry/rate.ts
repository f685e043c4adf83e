/**
 * How fast a counter grows, over a sliding window of ten seconds. It samples the counter once a second and holds
 * nothing else up.
 */
export class Rate {
  readonly #samples: { at: number; count: number }[] = [];
  readonly #count: () => number;
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param count Reads the counter */
  constructor(count: () => number) {
    this.#count = count;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), 1_000);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** Growth per second over the window. */
  perSecond(): number {
    const { at, count } = this.#samples[0];
    const seconds = (performance.now() - at) / 1_000;
    return seconds < 0.001 ? 0 : (this.#count() - count) / seconds;
  }

  /** Stops sampling. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    this.#samples.push({ at: performance.now(), count: this.#count() });
    if (this.#samples.length > 11) this.#samples.shift();
  }
}
