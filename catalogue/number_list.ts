/** A list of 32-bit numbers that grows: outside the JavaScript heap, since a first edition has one for every event. */
export class NumberList {
  /** How many there are. */
  length = 0;
  #numbers = new Uint32Array(1_024);

  /** The number at a place below the length. */
  at(index: number): number {
    return this.#numbers[index];
  }

  /** Adds a number from 0 to 2^32 - 1. */
  push(number: number): void {
    if (this.length === this.#numbers.length) {
      this.#numbers = new Uint32Array(this.#numbers.buffer.transfer(8 * this.length));
    }
    this.#numbers[this.length++] = number;
  }
}
