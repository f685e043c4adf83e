import {
  decodeEvent,
  decodePlan,
  encodeEvent,
  encodePlan,
  type Event,
  eventId,
  type Instant,
  observePlan,
  type Plan,
  planKey,
  priceRange,
  type Rejection,
  type RejectionReason,
  unlistEvent,
  type Zone,
} from "../domain/mod.ts";
import { Turns } from "../event_loop.ts";
import { BatchWriter } from "./batch_writer.ts";
import { keys, type LogHeader, type VersionEntry } from "./keys.ts";
import { retrying, StoreError } from "./kv.ts";
import { LOG_VERSIONS_KEPT, POLLS_KEPT, REJECTIONS_KEPT } from "./limits.ts";
import { LineBlocks } from "./line_blocks.ts";
import { byteLinesOfChunk, LogChunks } from "./log_chunks.ts";
import { hashLine } from "./plan_encoder.ts";
import { PlanIndex } from "./plan_index.ts";
import type {
  EncodedPlans,
  FeedValidators,
  PollRecord,
  PollReport,
  PollTransaction,
  RejectionRecord,
} from "./port.ts";
import { listEvents, readVersionLog } from "./reader.ts";
import { decodeValue, encodeBytes, fitsValue } from "./value_codec.ts";

/** Keys of one `getMany`. */
const GET_MANY_KEYS = 10;
/** Concurrent `getMany` calls. */
const GET_MANY_CONCURRENCY = 32;
/** Plans worked on at a time: enough to keep the reads busy, few enough to die young. */
const PLANS_AT_ONCE = 250;

const countsOfNothing = {
  plans: 0,
  added: 0,
  changed: 0,
  unlisted: 0,
  rejected: 0,
  rejectedByReason: {},
  duplicates: 0,
};

/**
 * The one writer of a store, for one tenure of the lease. It knows what every plan looked like when it was last
 * stored, brings polls in as versions, and brings the `event` keys up behind them.
 */
export class Writer {
  readonly #kv: Deno.Kv;
  readonly #epoch: Deno.KvEntryMaybe<number>;
  readonly #activeProviders: ReadonlySet<string>;
  readonly #onError: (error: unknown) => void;
  readonly #index = new PlanIndex();
  readonly #knownRejections = new Set<string>();
  #pollKeys: Deno.KvKey[] = [];
  #versionEntry: Deno.KvEntryMaybe<VersionEntry> = {
    key: keys.version,
    value: null,
    versionstamp: null,
  };
  /** The version up to which the `event` keys are complete. */
  #applied = 0;
  #sightings: Record<string, Instant> = {};
  /** Writes run one after the other, whichever poll they belong to. */
  #queue: Promise<unknown> = Promise.resolve();
  /** What failed. The index may then be ahead of the store: this writer writes no more, and a new one reads it again. */
  #failure: unknown = null;

  private constructor(
    kv: Deno.Kv,
    epoch: Deno.KvEntryMaybe<number>,
    activeProviders: ReadonlySet<string>,
    onError: (error: unknown) => void,
  ) {
    this.#kv = kv;
    this.#epoch = epoch;
    this.#activeProviders = activeProviders;
    this.#onError = onError;
  }

  /**
   * Takes up the writing where the last writer left it: finishes what it had made visible but not yet brought up,
   * and learns what is stored.
   *
   * @param activeProviders The providers polled now; an event of another one is taken over by the first that lists it
   * @param onError Called when plans that were set aside could not be stored; the polls go on
   */
  static async open(
    kv: Deno.Kv,
    epoch: Deno.KvEntryMaybe<number>,
    activeProviders: ReadonlySet<string>,
    onError: (error: unknown) => void,
  ): Promise<Writer> {
    const writer = new Writer(kv, epoch, activeProviders, onError);
    await writer.#load();
    return writer;
  }

  async #load(): Promise<void> {
    const [version, applied, sightings] = await retrying(
      "reading the version",
      () =>
        this.#kv.getMany<[VersionEntry, number, Record<string, Instant>]>([
          keys.version,
          keys.applied,
          keys.sightings,
        ]),
    );
    this.#versionEntry = version;
    this.#applied = applied.value ?? 0;
    this.#sightings = sightings.value ?? {};
    await this.#bringUp();
    await this.#trimLogs();
    const turns = new Turns();
    for await (const text of listEvents(this.#kv)) {
      await turns.share();
      const event = decodeEvent(text);
      const provider = event.lastSeen === null ? event.provider : null;
      this.#index.set(planKey(event.plan), hashLine(encodePlan(event.plan)), provider);
    }
    for await (const { key } of this.#kv.list({ prefix: keys.polls }, { batchSize: 500 })) {
      this.#pollKeys.push(key);
    }
    for await (const { key } of this.#kv.list({ prefix: keys.rejections }, { batchSize: 500 })) {
      this.#knownRejections.add(JSON.stringify(key));
    }
  }

  get #version(): number {
    return this.#versionEntry.value?.version ?? 0;
  }

  /** Begins a poll; several may be under way at once, one a provider. */
  async begin(provider: string): Promise<PollTransaction> {
    const stored = await retrying(
      "reading the validators",
      () => this.#kv.get<FeedValidators>(keys.validators(provider)),
    );
    const observer = new PollObserver(this.#index, provider, this.#activeProviders);
    return {
      validators: stored.value ?? { etag: null, lastModified: null },
      observe: (plan) => observer.observe(plan),
      observeEncoded: (plans) => observer.observeEncoded(plans),
      reject: (rejection) => observer.reject(rejection),
      commit: (report, validators) =>
        this.#enqueue(() => this.#commit(provider, observer, report, validators)),
      conclude: (outcome, report) => this.#enqueue(() => this.#conclude(provider, outcome, report)),
    };
  }

  /** Resolves when everything that was visible is also brought up. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      if (this.#failure !== null) throw this.#failure;
      return task();
    });
    this.#queue = result.catch((error) => {
      this.#failure = error;
    });
    return result;
  }

  /** Work that no caller waits for. */
  #behind(task: () => Promise<void>): void {
    this.#enqueue(task).catch(() => {});
  }

  async #commit(
    provider: string,
    observer: PollObserver,
    report: PollReport,
    validators: FeedValidators,
  ): Promise<PollRecord> {
    const now = report.startedAt;
    // Another provider's poll may have been queued before the bringing up of the last one was.
    await this.#bringUp();
    // A feed that lists nothing says nothing of what it listed before.
    const isEmpty = observer.plans === 0;
    const log = new LogChunks();
    let added = 0, changed = 0, unlisted = 0;

    const turns = new Turns();
    for (const plans of inParts(observer.drain(), PLANS_AT_ONCE)) {
      await turns.share();
      const ids = await Promise.all(plans.map(eventId));
      const isKnown = plans.map((plan) => this.#index.rowOf(planKey(plan)) !== undefined);
      const known = await this.#read(ids.filter((_, i) => isKnown[i]));
      for (let i = 0; i < plans.length; i++) {
        const previous = known.get(ids[i]) ?? null;
        const event = observePlan(previous, { id: ids[i], provider, plan: plans[i], now });
        const line = fittingLine(event);
        if (line === null) {
          observer.reject({
            reason: "too_large",
            basePlanId: plans[i].basePlanId,
            planId: plans[i].planId,
            detail: `${plans[i].zones.length} zones`,
          });
          continue;
        }
        log.add(line);
        previous === null ? added++ : changed++;
        this.#index.set(planKey(plans[i]), hashLine(encodePlan(plans[i])), provider);
      }
    }
    const vanished = isEmpty ? [] : observer.vanished();
    for (let from = 0; from < vanished.length; from += PLANS_AT_ONCE) {
      await turns.share();
      const rows = vanished.slice(from, from + PLANS_AT_ONCE);
      const ids = await Promise.all(rows.map((row) => {
        const [basePlanId, planId] = this.#index.keyOf(row).split(":");
        return eventId({ basePlanId, planId });
      }));
      for (const event of (await this.#read(ids)).values()) {
        const line = fittingLine(unlistEvent(event, this.#sightings[provider] ?? now, now));
        // It fits as it is and not with its last sighting: it stays as it is.
        if (line === null) continue;
        log.add(line);
        unlisted++;
      }
      for (const row of rows) {
        this.#index.set(this.#index.keyOf(row), this.#index.hashOf(row), null);
      }
    }
    log.finish();

    const isChanged = log.chunks.length > 0;
    const version: VersionEntry | null = isChanged
      ? { version: this.#version + 1, pollId: crypto.randomUUID(), at: now }
      : null;
    const record: PollRecord = {
      ...this.#record(provider, report),
      outcome: isEmpty ? "empty" : isChanged ? "changed" : "unchanged",
      plans: observer.plans,
      added,
      changed,
      unlisted,
      rejected: observer.rejected,
      rejectedByReason: observer.rejectedByReason,
      duplicates: observer.duplicates,
    };
    const sightings = isEmpty ? this.#sightings : { ...this.#sightings, [provider]: now };
    const operation = this.#kv.atomic().check(this.#epoch).set(keys.sightings, sightings);
    // Otherwise the next polls would be told that nothing changed, and move the sightings.
    if (!isEmpty) operation.set(keys.validators(provider), validators);
    if (version !== null) {
      record.version = version.version;
      await this.#writeLog(record.version, log.chunks);
      operation.check(this.#versionEntry).set(keys.version, version);
    }
    this.#finishRecord(operation, record, report);
    const versionstamp = await this.#commitPoll(operation, version);
    this.#sightings = sightings;
    if (version !== null) {
      this.#versionEntry = { key: keys.version, value: version, versionstamp };
      // Behind the commit: the poll is visible, its caller need not wait for what readers do not read.
      this.#behind(() => this.#bringUp().then(() => this.#trimLogs()));
    }
    if (observer.rejections.length > 0) {
      this.#behind(() => this.#storeRejections(provider, observer.rejections, now));
    }
    return record;
  }

  async #conclude(
    provider: string,
    outcome: PollRecord["outcome"],
    report: PollReport,
  ): Promise<PollRecord> {
    const record = { ...this.#record(provider, report), outcome };
    const operation = this.#kv.atomic().check(this.#epoch);
    const isSeen = outcome === "not_modified" && this.#sightings[provider] !== undefined;
    const sightings = isSeen
      ? { ...this.#sightings, [provider]: report.startedAt }
      : this.#sightings;
    if (isSeen) operation.set(keys.sightings, sightings);
    this.#finishRecord(operation, record, report);
    await this.#commitPoll(operation, null);
    this.#sightings = sightings;
    return record;
  }

  #record(provider: string, report: PollReport): PollRecord {
    return {
      id: crypto.randomUUID(),
      provider,
      startedAt: report.startedAt,
      durationMs: 0,
      outcome: "failed",
      attempts: report.attempts,
      bytes: report.bytes,
      ...countsOfNothing,
      version: this.#version,
      error: report.error ?? null,
    };
  }

  /** Puts the poll's record, and the deletion of the oldest, into the commit that ends the poll. */
  #finishRecord(operation: Deno.AtomicOperation, record: PollRecord, report: PollReport): void {
    record.durationMs = Date.now() - report.startedAt;
    const key = keys.poll(record.startedAt, record.provider);
    operation.set(key, record);
    this.#pollKeys.push(key);
    for (const old of this.#pollKeys.splice(0, this.#pollKeys.length - POLLS_KEPT)) {
      operation.delete(old);
    }
  }

  /** Commits the end of a poll; returns the versionstamp of the commit. */
  async #commitPoll(
    operation: Deno.AtomicOperation,
    version: VersionEntry | null,
  ): Promise<string> {
    const result = await retrying("committing a poll", () => operation.commit());
    if (result.ok) return result.versionstamp;
    // A commit whose answer was lost and that was tried again fails its own check.
    const stored = await retrying(
      "reading the version",
      () => this.#kv.get<VersionEntry>(keys.version),
    );
    if (version !== null && stored.value?.pollId === version.pollId) return stored.versionstamp!;
    throw new StoreError("lease_lost", "another process took over the polling");
  }

  async #writeLog(
    version: number,
    chunks: Uint8Array<ArrayBuffer>[],
  ): Promise<void> {
    const batch = new BatchWriter(this.#kv, this.#epoch);
    for (let n = 0; n < chunks.length; n++) {
      await batch.set(keys.chunk(version, n), chunks[n], chunks[n].length);
    }
    const header: LogHeader = { chunks: chunks.length };
    await batch.set(keys.log(version), header, 100);
    await batch.flush();
  }

  /** Writes the events of every version that is visible but not yet applied. Doing it twice is harmless. */
  async #bringUp(): Promise<void> {
    for (let version = this.#applied + 1; version <= this.#version; version++) {
      const log = await readVersionLog(this.#kv, version);
      if (log === null) {
        throw new StoreError("store_failed", `the log of version ${version} is missing`);
      }
      const batch = new BatchWriter(this.#kv, this.#epoch);
      for (const chunk of log.chunks) {
        for (const line of byteLinesOfChunk(chunk)) {
          const value = encodeBytes(line)!;
          await batch.set(keys.event(idOfLine(line)), value, value.length);
        }
      }
      await batch.set(keys.applied, version, 8);
      await batch.flush();
      this.#applied = version;
    }
  }

  /** Deletes the log of versions that no reader should still need. */
  async #trimLogs(): Promise<void> {
    const end = this.#version - LOG_VERSIONS_KEPT;
    if (end < 1) return;
    const batch = new BatchWriter(this.#kv, this.#epoch);
    const old = this.#kv.list({ start: keys.logs, end: keys.log(end + 1) }, { batchSize: 500 });
    for await (const { key } of old) await batch.delete(key);
    await batch.flush();
  }

  /** Keeps plans that were set aside, for people to look at: a failure is reported and says nothing of the index. */
  async #storeRejections(
    provider: string,
    rejections: readonly Rejection[],
    now: Instant,
  ): Promise<void> {
    const names = new Set<string>();
    try {
      const batch = new BatchWriter(this.#kv, this.#epoch);
      for (const rejection of rejections) {
        const { basePlanId, planId, reason } = rejection;
        const key = keys.rejection(provider, basePlanId, planId, reason);
        const name = JSON.stringify(key);
        if (this.#knownRejections.has(name) || this.#knownRejections.size >= REJECTIONS_KEPT) {
          continue;
        }
        this.#knownRejections.add(name);
        names.add(name);
        const record: RejectionRecord = { ...rejection, provider, firstSeen: now };
        await batch.set(key, record, 1_000);
      }
      await batch.flush();
    } catch (error) {
      // The next poll that sets them aside tries again.
      for (const name of names) this.#knownRejections.delete(name);
      this.#onError(error);
    }
  }

  /** Reads stored events; all of them are at the current version, since a commit begins with bringing them up. */
  async #read(ids: readonly string[]): Promise<Map<string, Event>> {
    const found = new Map<string, Event>();
    let next = 0;
    const worker = async () => {
      while (next < ids.length) {
        const part = ids.slice(next, next += GET_MANY_KEYS);
        const entries = await retrying(
          "reading events",
          () => this.#kv.getMany<Uint8Array[]>(part.map(keys.event)),
        );
        for (const { value } of entries) {
          if (value === null) continue;
          const event = decodeEvent(decodeValue(value));
          found.set(event.id, event);
        }
      }
    };
    await Promise.all(Array.from({ length: GET_MANY_CONCURRENCY }, worker));
    return found;
  }
}

/** Compares the plans of one poll with what is stored, and keeps those that differ. */
class PollObserver {
  readonly rejections: Rejection[] = [];
  readonly rejectedByReason: Partial<Record<RejectionReason, number>> = {};
  plans = 0;
  rejected = 0;
  duplicates = 0;
  readonly #index: PlanIndex;
  readonly #provider: string;
  readonly #activeProviders: ReadonlySet<string>;
  /** The plans that differ, and for each key the number of the line that counts. */
  readonly #lines = new LineBlocks();
  readonly #pending = new Map<string, number>();
  /** By row: 1 where this poll listed the plan, 2 where it was only set aside, 0 where it was missing. */
  readonly #seen: Uint8Array;

  constructor(index: PlanIndex, provider: string, activeProviders: ReadonlySet<string>) {
    this.#index = index;
    this.#provider = provider;
    this.#activeProviders = activeProviders;
    this.#seen = new Uint8Array(index.size);
  }

  observe(plan: Plan): void {
    const key = planKey(plan);
    const text = encodePlan(plan);
    if (this.#differs(key, hashLine(text))) {
      this.#lines.add(text);
      this.#pending.set(key, this.#lines.count);
    }
  }

  observeEncoded({ keys, hashes, lines, ends }: EncodedPlans): void {
    for (let i = 0; i < keys.length; i++) {
      if (!this.#differs(keys[i], hashes[i])) continue;
      this.#lines.addBytes(lines.subarray(i === 0 ? 0 : ends[i - 1], ends[i]));
      this.#pending.set(keys[i], this.#lines.count);
    }
  }

  /** Whether a plan that the feed lists is another than the stored one. */
  #differs(key: string, hash: bigint): boolean {
    this.plans++;
    const row = this.#index.rowOf(key);
    if (row !== undefined && row < this.#seen.length) {
      if (this.#seen[row] === 1) this.duplicates++;
      this.#seen[row] = 1;
      const listedBy = this.#index.listedBy(row);
      if (
        this.#index.hashOf(row) === hash && listedBy !== null && this.#activeProviders.has(listedBy)
      ) {
        // An earlier line of this feed may have differed.
        this.#pending.delete(key);
        return false;
      }
    } else if (this.#pending.has(key)) {
      this.duplicates++;
    }
    return true;
  }

  reject(rejection: Rejection): void {
    this.rejected++;
    const { reason } = rejection;
    this.rejectedByReason[reason] = (this.rejectedByReason[reason] ?? 0) + 1;
    if (this.rejections.length < REJECTIONS_KEPT) this.rejections.push(rejection);
    // The feed lists it, though as something unreadable: what was known of it stays.
    const { basePlanId, planId } = rejection;
    if (basePlanId === null || planId === null) return;
    const row = this.#index.rowOf(planKey({ basePlanId, planId }));
    if (row !== undefined && row < this.#seen.length) this.#seen[row] ||= 2;
  }

  /** The plans to store, the last of each key, and gives their memory back on the way. */
  *drain(): Generator<Plan> {
    let number = 0;
    for (const line of this.#lines.drain()) {
      const plan = decodePlan(line);
      if (this.#pending.get(planKey(plan)) === ++number) yield plan;
    }
    this.#pending.clear();
  }

  /** The rows that this provider's feed listed before and does not list now. */
  vanished(): number[] {
    const rows: number[] = [];
    for (let row = 0; row < this.#seen.length; row++) {
      if (this.#seen[row] === 0 && this.#index.listedBy(row) === this.#provider) rows.push(row);
    }
    return rows;
  }
}

/**
 * The line of an event that fits a value: where it would not, without its history; then also with only the zones of
 * when it was last online that searches show. `null` when it cannot fit at all.
 */
function fittingLine(event: Event): string | null {
  const line = lineThatFits(event);
  if (line !== null) return line;
  const { changes, changesDropped, lastOnlinePlan } = event;
  const bare = { ...event, changes: [], changesDropped: changesDropped + changes.length };
  if (lastOnlinePlan === null) return lineThatFits(bare);
  const zones = cheapestAndDearest(lastOnlinePlan.zones);
  return lineThatFits(bare) ??
    lineThatFits({ ...bare, lastOnlinePlan: { ...lastOnlinePlan, zones } });
}

function lineThatFits(event: Event): string | null {
  const line = encodeEvent(event);
  return fitsValue(line) ? line : null;
}

/** At most two zones, with the price range of all of them. */
function cheapestAndDearest(zones: readonly Zone[]): Zone[] {
  const { minimum, maximum } = priceRange(zones);
  const prices = minimum === maximum ? [minimum] : [minimum, maximum];
  return prices.flatMap((price) => zones.find((zone) => zone.price === price) ?? []);
}

/** Cuts a sequence into arrays of `size`. */
function* inParts<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let part: T[] = [];
  for (const item of items) {
    part.push(item);
    if (part.length === size) {
      yield part;
      part = [];
    }
  }
  if (part.length > 0) yield part;
}

const decoder = new TextDecoder();

/** The id that an encoded event begins with: `["` and 36 characters. */
function idOfLine(line: Uint8Array): string {
  return decoder.decode(line.subarray(2, 38));
}
