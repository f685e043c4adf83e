import { keys } from "./keys.ts";
import { retrying } from "./kv.ts";

/** The value of the lease key. */
interface LeaseEntry {
  holder: string;
  /** Until when it is held, in milliseconds since the Unix epoch, by the holder's clock. */
  until: number;
}

/**
 * The right to poll, held by one process at a time. It lapses by itself when its holder stops renewing it, and each
 * new holder moves the epoch, which every write checks: that, not anyone's clock, keeps two processes from
 * both writing. Deno KV's own `expireIn` is lazy, so the end is part of the value.
 */
export class Lease {
  readonly #kv: Deno.Kv;
  readonly #holder = crypto.randomUUID();
  readonly #durationMs: number;
  #entry: Deno.KvEntryMaybe<LeaseEntry> | null = null;
  #epoch: Deno.KvEntryMaybe<number> | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  #acquiring: Promise<boolean> | null = null;

  constructor(kv: Deno.Kv, durationMs: number) {
    this.#kv = kv;
    this.#durationMs = durationMs;
  }

  /** The epoch of this process's tenure, to be checked in every write; `null` while another process holds the lease. */
  get epoch(): Deno.KvEntryMaybe<number> | null {
    return this.#epoch;
  }

  /**
   * Takes the lease if nobody holds it. Calls at the same time share one attempt: two of one process would otherwise
   * see each other as rivals.
   *
   * @returns Whether it is held now
   * @throws {StoreError} If the store cannot be read or written
   */
  acquire(): Promise<boolean> {
    if (this.#epoch !== null) return Promise.resolve(true);
    return this.#acquiring ??= this.#acquire().finally(() => {
      this.#acquiring = null;
    });
  }

  async #acquire(): Promise<boolean> {
    const [lease, epoch] = await retrying(
      "reading the lease",
      () => this.#kv.getMany<[LeaseEntry, number]>([keys.lease, keys.epoch]),
    );
    const isAnothers = lease.value !== null && lease.value.holder !== this.#holder;
    if (isAnothers && lease.value!.until > Date.now()) return false;
    const value = { holder: this.#holder, until: Date.now() + this.#durationMs };
    const next = (epoch.value ?? 0) + 1;
    const result = await retrying(
      "taking the lease",
      () =>
        this.#kv.atomic().check(lease).check(epoch).set(keys.lease, value).set(keys.epoch, next)
          .commit(),
    );
    if (!result.ok) return false;
    this.#entry = { key: keys.lease, value, versionstamp: result.versionstamp };
    this.#epoch = { key: keys.epoch, value: next, versionstamp: result.versionstamp };
    this.#timer = setInterval(() => this.#renew(), this.#durationMs / 3);
    return true;
  }

  /** Forgets a lease that turned out to be another's. */
  lose(): void {
    this.#entry = this.#epoch = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Gives the lease back, so that the next process need not wait for it to lapse. */
  async release(): Promise<void> {
    const entry = this.#entry;
    this.lose();
    if (entry === null) return;
    await this.#kv.atomic().check(entry).delete(keys.lease).commit();
  }

  async #renew(): Promise<void> {
    const entry = this.#entry;
    if (entry === null) return;
    const value = { holder: this.#holder, until: Date.now() + this.#durationMs };
    const result = await retrying(
      "renewing the lease",
      () => this.#kv.atomic().check(entry).set(keys.lease, value).commit(),
    ).catch(() => null);
    // Renewed, lost or taken anew meanwhile: this answer is of no lease that there is.
    if (this.#entry !== entry) return;
    if (!result?.ok) return this.lose();
    this.#entry = { key: keys.lease, value, versionstamp: result.versionstamp };
  }
}
