/** Numbers that look random and are the same for the same seed (SplitMix32). Not for secrets. */
export class SeededRandom {
  #state: number;

  /** @param seed A whole number */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number of 32 bits. */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A whole number from 0 on and below a bound. */
  below(bound: number): number {
    return Math.floor(this.bits() / 2 ** 32 * bound);
  }

  /** True so often of 1. */
  chance(share: number): boolean {
    return this.bits() / 2 ** 32 < share;
  }

  /** One of some. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** Another sequence that this one decides. */
  fork(): SeededRandom {
    return new SeededRandom(this.bits());
  }

  /** Up to so many places between the bytes of a message, in order, at which it is cut. */
  cuts(length: number, most: number): number[] {
    if (length < 2) return [];
    const places = new Set<number>();
    for (let count = this.below(most + 1); count > 0; count--) {
      places.add(1 + this.below(length - 1));
    }
    return [...places].sort((a, b) => a - b);
  }
}
