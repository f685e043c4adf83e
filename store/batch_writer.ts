import { retrying, StoreError } from "./kv.ts";
import { BATCH_BYTES_MAX, BATCH_KEY_BYTES_MAX, BATCH_MUTATIONS_MAX } from "./limits.ts";

/** What the serialised wrapping of a value is counted with; the limit has room for the difference. */
const WRAPPING_BYTES = 40;

const encoder = new TextEncoder();

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
  #keyBytes = 0;
  /** Keys written or deleted so far. */
  written = 0;

  constructor(kv: Deno.Kv, epoch: Deno.KvEntryMaybe<number>) {
    this.#kv = kv;
    this.#epoch = epoch;
  }

  /** Adds a write, and commits first when the batch is full. */
  async set(key: Deno.KvKey, value: unknown, bytes: number): Promise<void> {
    await this.#reserve(key, bytes + WRAPPING_BYTES);
    this.#operation!.set(key, value);
  }

  /** Adds a deletion, and commits first when the batch is full. */
  async delete(key: Deno.KvKey): Promise<void> {
    await this.#reserve(key, 0);
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
    this.#mutations = this.#bytes = this.#keyBytes = 0;
    const result = await retrying("writing a batch", () => operation.commit());
    if (!result.ok) throw new StoreError("lease_lost", "another process took over the polling");
  }

  /** Makes room in the batch. Gives nothing back: an AtomicOperation must not pass through a promise. */
  async #reserve(key: Deno.KvKey, valueBytes: number): Promise<void> {
    const keyBytes = bytesOfKey(key);
    const bytes = keyBytes + valueBytes;
    if (
      this.#mutations >= BATCH_MUTATIONS_MAX || this.#bytes + bytes > BATCH_BYTES_MAX ||
      this.#keyBytes + keyBytes > BATCH_KEY_BYTES_MAX
    ) {
      await this.flush();
    }
    this.#operation ??= this.#kv.atomic().check(this.#epoch);
    this.#mutations++;
    this.#bytes += bytes;
    this.#keyBytes += keyBytes;
    this.written++;
  }
}

/** The bytes of a key as Deno KV encodes it: a string between a tag and an end, a number of 8 bytes behind a tag. */
function bytesOfKey(key: Deno.KvKey): number {
  let bytes = 0;
  for (const part of key) bytes += typeof part === "string" ? encoder.encode(part).length + 2 : 9;
  return bytes;
}
