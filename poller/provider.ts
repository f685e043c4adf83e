import type { Plan, Rejection } from "../domain/mod.ts";
import type { EncodedPlans, FeedValidators } from "../store/port.ts";

/** Where the plans of a feed go, one by one, as they are read. */
export interface FeedSink {
  observe(plan: Plan): void;
  reject(rejection: Rejection): void;
}

/** Where they go from a provider, which may have had them read and encoded elsewhere. */
export interface ProviderSink extends FeedSink {
  observeEncoded(plans: EncodedPlans): void;
}

/** What came of reading a feed to its end. */
export type FeedResult =
  | { kind: "not_modified" }
  | { kind: "feed"; bytes: number; validators: FeedValidators };

/**
 * A source of plans. It knows its protocol and its format; the poller knows neither, so another kind of feed is one
 * more class with this interface.
 */
export interface Provider {
  /** Names the provider in the store, the metrics and the log: no secrets, and the same at every start. */
  readonly name: string;
  /**
   * Reads the feed once, from beginning to end. What went to the sink counts only if this resolves.
   *
   * @param validators What the feed came with when it was last stored
   * @throws {FeedError} If the feed came and is not acceptable
   * @throws {ProviderError} If the feed did not come
   * @throws {PoolFullError} If it would have to wait for a thread, and too many do already
   */
  read(validators: FeedValidators, sink: ProviderSink, signal: AbortSignal): Promise<FeedResult>;
}

/** Why a feed was refused as a whole. */
export type FeedErrorCode =
  | "malformed_feed"
  | "doctype_refused"
  | "wrong_root"
  | "feed_too_large"
  | "feed_too_deep";

/** A feed that came and is refused as a whole. */
export class FeedError extends Error {
  override name = "FeedError";
  readonly code: FeedErrorCode;
  constructor(code: FeedErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Why a feed did not come. */
export type ProviderErrorCode = "provider_status" | "provider_timeout" | "provider_unreachable";

/** A provider that did not give its feed. */
export class ProviderError extends Error {
  override name = "ProviderError";
  readonly code: ProviderErrorCode;
  /** Whether asking again soon may help. */
  readonly isTransient: boolean;
  constructor(
    code: ProviderErrorCode,
    message: string,
    isTransient: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.isTransient = isTransient;
  }
}
