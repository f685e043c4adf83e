import { keys, STORE_LAYOUT, type StoreIdentity } from "./keys.ts";
import { retrying, StoreError } from "./kv.ts";
import { Lease } from "./lease.ts";
import { LEASE_MS } from "./limits.ts";
import type {
  CatalogueChange,
  FollowableStore,
  PollLog,
  PollRecord,
  PollStore,
  PollTransaction,
  RejectionRecord,
} from "./port.ts";
import { follow } from "./reader.ts";
import { Writer } from "./writer.ts";

/** How a store is opened. */
export interface StoreOptions {
  /**
   * The SQLite file, `:memory:`, or the URL of a KV Connect server (its token in DENO_KV_ACCESS_TOKEN); without a
   * path, the host's own KV.
   */
  path?: string;
  /** The providers polled from here; their names are keys of the store. */
  providers?: readonly string[];
  /** How long the lease is held without being renewed, in milliseconds. Default {@linkcode LEASE_MS}. */
  leaseMs?: number;
  /** How often a reader reads the version key, in milliseconds. Default 250; 2,000 on a server. */
  followIntervalMs?: number;
  /** Called when a follower cannot read the store, or plans that were set aside cannot be stored. It is tried again. */
  onError?: (error: unknown) => void;
}

/** The writer of one tenure of the lease: its writes check that epoch, so it is of no use in another. */
interface Tenure {
  epoch: Deno.KvEntryMaybe<number>;
  writer: Promise<Writer>;
}

/**
 * Every event that was ever seen, in Deno KV, behind one atomic version key.
 *
 * @example
 * ```ts
 * import { Store } from "./store.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await Store.open({ path: ":memory:", providers: ["demo"] });
 * const poll = await store.beginPoll("demo");
 * poll!.observe({ basePlanId: "1", planId: "2", title: "Tosca", sellMode: "online", organizerCompanyId: null,
 *   start: 0, end: 60, sellFrom: null, sellTo: null, soldOut: false, zones: [] });
 * const report = { startedAt: Date.now(), attempts: 1, bytes: 0 };
 * const record = await poll!.commit(report, { etag: null, lastModified: null });
 * assertEquals([record.outcome, record.version, record.added], ["changed", 1, 1]);
 * ```
 */
export class Store implements PollStore, FollowableStore, PollLog, AsyncDisposable {
  readonly id: string;
  readonly #kv: Deno.Kv;
  readonly #lease: Lease;
  readonly #providers: ReadonlySet<string>;
  readonly #followIntervalMs: number;
  readonly #onError: (error: unknown) => void;
  #tenure: Tenure | null = null;
  #closed = false;

  private constructor(kv: Deno.Kv, identity: StoreIdentity, options: StoreOptions) {
    this.#kv = kv;
    this.id = identity.id;
    this.#lease = new Lease(kv, options.leaseMs ?? LEASE_MS);
    this.#providers = new Set(options.providers ?? []);
    const isRemote = /^https?:/.test(options.path ?? "");
    this.#followIntervalMs = options.followIntervalMs ?? (isRemote ? 2_000 : 250);
    this.#onError = options.onError ?? (() => {});
  }

  /**
   * Opens a store, and makes it when there is none.
   *
   * @throws {StoreError} If it cannot be opened, or its layout is another version's
   */
  static async open(options: StoreOptions = {}): Promise<Store> {
    const { path } = options;
    const place = path ?? "the host's KV";
    let kv: Deno.Kv;
    try {
      kv = await Deno.openKv(path);
    } catch (error) {
      throw new StoreError(
        "store_failed",
        `KV_PATH ${place} cannot be opened: ${
          (error as Error).message
        } (its folder must exist and be writable)`,
        { cause: error },
      );
    }
    try {
      const identity = await identify(kv);
      if (identity.layout !== STORE_LAYOUT) {
        throw new StoreError(
          "store_failed",
          `KV_PATH ${place} has layout ${identity.layout}, this version of Marquee reads ${STORE_LAYOUT}: ` +
            "use the version that wrote it, or another KV_PATH",
        );
      }
      return new Store(kv, identity, options);
    } catch (error) {
      kv.close();
      throw error;
    }
  }

  /** See {@linkcode FollowableStore.follow}. */
  follow(signal: AbortSignal): AsyncGenerator<CatalogueChange> {
    return follow(this.#kv, signal, {
      intervalMs: this.#followIntervalMs,
      onError: this.#onError,
    });
  }

  /** See {@linkcode PollStore.beginPoll}. */
  async beginPoll(provider: string): Promise<PollTransaction | null> {
    if (this.#closed || !await this.#lease.acquire()) return null;
    const epoch = this.#lease.epoch;
    if (epoch === null) return null;
    if (this.#tenure?.epoch !== epoch) {
      this.#tenure = {
        epoch,
        writer: Writer.open(this.#kv, epoch, this.#providers, this.#onError),
      };
    }
    const tenure = this.#tenure;
    return await this.#guarded(tenure, async () => {
      const poll = await (await tenure.writer).begin(provider);
      return {
        validators: poll.validators,
        observe: poll.observe,
        observeEncoded: poll.observeEncoded,
        reject: poll.reject,
        commit: (report, validators) =>
          this.#guarded(tenure, () => poll.commit(report, validators)),
        conclude: (outcome, report) => this.#guarded(tenure, () => poll.conclude(outcome, report)),
      };
    });
  }

  /** See {@linkcode PollLog.polls}. */
  async polls(limit: number): Promise<PollRecord[]> {
    return await this.#list<PollRecord>(keys.polls, limit, true);
  }

  /** See {@linkcode PollLog.rejections}. */
  async rejections(limit: number): Promise<RejectionRecord[]> {
    return await this.#list<RejectionRecord>(keys.rejections, limit, false);
  }

  /** Resolves when what was made visible is also brought up behind the version. */
  async settled(): Promise<void> {
    await (await this.#tenure?.writer)?.settled();
  }

  /** Finishes the writes under way, gives the lease back and closes the store. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.settled().catch(() => {});
    await this.#lease.release().catch(() => {});
    this.#kv.close();
  }

  /** Closes the store. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * A write that failed leaves the writer's picture of the store in doubt: the next poll reads it again. A poll of an
   * earlier tenure says nothing of the writer there is now, and must not end it.
   */
  async #guarded<T>(tenure: Tenure, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      if (this.#tenure === tenure) {
        this.#tenure = null;
        this.#lease.lose();
      }
      throw error;
    }
  }

  async #list<T>(prefix: Deno.KvKey, limit: number, reverse: boolean): Promise<T[]> {
    return await retrying("listing", async () => {
      const values: T[] = [];
      for await (const { value } of this.#kv.list<T>({ prefix }, { limit, reverse })) {
        values.push(value);
      }
      return values;
    });
  }
}

/** Reads who a store is, and says so in a new one. */
async function identify(kv: Deno.Kv): Promise<StoreIdentity> {
  const entry = await retrying("reading the store", () => kv.get<StoreIdentity>(keys.store));
  if (entry.value !== null) return entry.value;
  const identity = { id: crypto.randomUUID().slice(0, 8), layout: STORE_LAYOUT };
  const result = await retrying(
    "making the store",
    () => kv.atomic().check(entry).set(keys.store, identity).commit(),
  );
  // Another process made it meanwhile.
  return result.ok ? identity : await identify(kv);
}
