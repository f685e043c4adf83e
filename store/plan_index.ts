/** A plan of the index is known by its row, a small integer. */
export type Row = number;

/** The provider number of a row that no feed lists. */
const UNLISTED = -1;

/**
 * What the last polls left behind, just enough to tell whether a plan changed: for each plan key the hash of its
 * content and the provider that lists it. Columns rather than objects, about 100 bytes a plan, so that a million
 * plans fit.
 */
export class PlanIndex {
  readonly #rows = new Map<string, Row>();
  readonly #keys: string[] = [];
  readonly #providers: string[] = [];
  #hashes = new BigUint64Array(1_024);
  #listedBy = new Int16Array(1_024);

  /** How many plans there are; rows are the numbers below it. */
  get size(): number {
    return this.#keys.length;
  }

  /** The row of a plan key, or `undefined` for a plan never seen. */
  rowOf(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** The key of a row. */
  keyOf(row: Row): string {
    return this.#keys[row];
  }

  /** The hash of the content that a plan was last stored with. */
  hashOf(row: Row): bigint {
    return this.#hashes[row];
  }

  /** The provider whose feed lists a plan, or `null` when none does. */
  listedBy(row: Row): string | null {
    const provider = this.#listedBy[row];
    return provider === UNLISTED ? null : this.#providers[provider];
  }

  /** Sets what is known of a plan; `provider` is `null` when no feed lists it. */
  set(key: string, hash: bigint, provider: string | null): void {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.#keys.length;
      if (row === this.#hashes.length) this.#grow();
      this.#rows.set(key, row);
      this.#keys.push(key);
    }
    this.#hashes[row] = hash;
    this.#listedBy[row] = provider === null ? UNLISTED : this.#numberOf(provider);
  }

  #numberOf(provider: string): number {
    const known = this.#providers.indexOf(provider);
    return known >= 0 ? known : this.#providers.push(provider) - 1;
  }

  #grow(): void {
    const hashes = new BigUint64Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const listedBy = new Int16Array(this.#listedBy.length * 2);
    listedBy.set(this.#listedBy);
    this.#listedBy = listedBy;
  }
}
