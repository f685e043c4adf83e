/** Noise that is the same for the same seed (SplitMix32). */
export class SeededNoise {
  #state: number;

  /** @param seed A whole number */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A number from 0 on and below 1. */
  uniform(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  }

  /** A number around 1: three uniform ones added, so that it deviates by `deviation` and by three times that at most. */
  factor(deviation: number): number {
    const sum = this.uniform() + this.uniform() + this.uniform();
    return 1 + deviation * 2 * (sum - 1.5);
  }
}
