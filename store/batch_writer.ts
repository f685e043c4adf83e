import { retrying, StoreError } from "./kv.ts";
import { BATCH_BYTES_MAX, BATCH_MUTATIONS_MAX } from "./limits.ts";

/** What a key and the serialised wrapping of a value are counted with; the limit has room for the difference. */
const OVERHEAD_BYTES = 120;

/**
 * Writes any number of keys in commits that Deno KV takes, each of which checks that this process still holds the
 * lease: a process that was paused and lost it cannot overwrite what its successor wrote.
 */
export class BatchWriter {
  readonly #kv: Deno.Kv;
  readonly #epoch: Deno.KvEntryMaybe<number>;
  #operation: Deno.AtomicOperation | null = null;
  #mutations = 0;
  #bytes = 0;
  /** Keys written or deleted so far. */
  written = 0;

  constructor(kv: Deno.Kv, epoch: Deno.KvEntryMaybe<number>) {
    this.#kv = kv;
    this.#epoch = epoch;
  }

  /** Adds a write, and commits first when the batch is full. */
  async set(key: Deno.KvKey, value: unknown, bytes: number): Promise<void> {
    await this.#reserve(bytes + OVERHEAD_BYTES);
    this.#operation!.set(key, value);
  }

  /** Adds a deletion, and commits first when the batch is full. */
  async delete(key: Deno.KvKey): Promise<void> {
    await this.#reserve(OVERHEAD_BYTES);
    this.#operation!.delete(key);
  }

  /**
   * Commits what is left.
   *
   * @throws {StoreError} `lease_lost` if another process took the lease
   */
  async flush(): Promise<void> {
    const operation = this.#operation;
    if (operation === null) return;
    this.#operation = null;
    this.#mutations = this.#bytes = 0;
    const result = await retrying("writing a batch", () => operation.commit());
    if (!result.ok) throw new StoreError("lease_lost", "another process took over the polling");
  }

  /** Makes room in the batch. Gives nothing back: an AtomicOperation must not pass through a promise. */
  async #reserve(bytes: number): Promise<void> {
    if (this.#mutations >= BATCH_MUTATIONS_MAX || this.#bytes + bytes > BATCH_BYTES_MAX) {
      await this.flush();
    }
    this.#operation ??= this.#kv.atomic().check(this.#epoch);
    this.#mutations++;
    this.#bytes += bytes;
    this.written++;
  }
}
