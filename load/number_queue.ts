/** A queue of numbers with a fixed room: a ring in one typed array. */
export class NumberQueue {
  readonly #numbers: Uint32Array;
  #first = 0;
  #size = 0;

  /** @param capacity More may not be in it at a time */
  constructor(capacity: number) {
    this.#numbers = new Uint32Array(capacity);
  }

  /** How many are in it. */
  get size(): number {
    return this.#size;
  }

  /** The first, which must be there. */
  get first(): number {
    return this.#numbers[this.#first];
  }

  /**
   * Adds one at the end.
   *
   * @throws {RangeError} If it is full
   */
  push(number: number): void {
    if (this.#size === this.#numbers.length) throw new RangeError("a queue of numbers is full");
    let at = this.#first + this.#size++;
    if (at >= this.#numbers.length) at -= this.#numbers.length;
    this.#numbers[at] = number;
  }

  /** Takes the first, which must be there. */
  shift(): number {
    const number = this.#numbers[this.#first];
    if (++this.#first === this.#numbers.length) this.#first = 0;
    this.#size--;
    return number;
  }
}
