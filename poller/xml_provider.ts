import { Turns } from "../event_loop.ts";
import type { FeedValidators } from "../store/port.ts";
import { TaskAbortedError, WorkerStartError } from "../workers/errors.ts";
import type { FeedPool } from "./feed_task.ts";
import { type HttpFeed, type HttpFeedReading, readHttpFeed } from "./http_feed.ts";
import { THREAD_FEED_BYTES_MIN } from "./limits.ts";
import {
  FeedError,
  type FeedResult,
  type Provider,
  ProviderError,
  type ProviderSink,
} from "./provider.ts";
import { providerNames } from "./provider_names.ts";

/** Where an XML feed is, the bounds on reading it, and who reads it. */
export interface XmlProviderOptions extends Omit<HttpFeed, "name"> {
  /** Defaults to the URL without its credentials and query. */
  name?: string;
  /** How requests are made; the global fetch by default. A feed that has its own is read in this thread. */
  fetch?: HttpFeedReading["fetch"];
  /** Where large feeds are read; in this thread, a few milliseconds at a time, without it. */
  pool?: FeedPool;
  /** Bytes from which on a feed is a large one. See limits.ts for the default. */
  threadBytesMin?: number;
  /** The pool has no threads here: feeds are read in this one from now on. */
  onThreadFailed?: (error: WorkerStartError) => void;
}

/** A provider that publishes the XML feed over HTTP. */
export class XmlProvider implements Provider {
  readonly name: string;
  readonly #options: XmlProviderOptions;
  readonly #feed: HttpFeed;
  #pool: FeedPool | null;
  /** Of the feed that was read last. One that is not known yet counts as large. */
  #bytes = Infinity;

  constructor(options: XmlProviderOptions) {
    const { url, timeoutMs, bytesMax } = options;
    this.#options = options;
    this.name = options.name ?? providerNames([url])[0];
    this.#feed = { name: this.name, url, timeoutMs, bytesMax };
    this.#pool = options.fetch === undefined ? options.pool ?? null : null;
  }

  /** See {@linkcode Provider.read}. */
  async read(
    validators: FeedValidators,
    sink: ProviderSink,
    signal: AbortSignal,
  ): Promise<FeedResult> {
    const isLarge = this.#bytes >= (this.#options.threadBytesMin ?? THREAD_FEED_BYTES_MIN);
    const result = isLarge && this.#pool !== null
      ? await this.#readInThread(this.#pool, validators, sink, signal)
      : await this.#readHere(validators, sink, signal);
    if (result.kind === "feed") this.#bytes = result.bytes;
    return result;
  }

  #readHere(
    validators: FeedValidators,
    sink: ProviderSink,
    signal: AbortSignal,
  ): Promise<FeedResult> {
    const { fetch } = this.#options;
    return readHttpFeed(this.#feed, validators, sink, { signal, fetch, turns: new Turns() });
  }

  async #readInThread(
    pool: FeedPool,
    validators: FeedValidators,
    sink: ProviderSink,
    signal: AbortSignal,
  ): Promise<FeedResult> {
    try {
      const answer = await pool.run({ feed: this.#feed, validators }, {
        signal,
        onBatch({ plans, rejections }) {
          sink.observeEncoded(plans);
          for (const rejection of rejections) sink.reject(rejection);
        },
      });
      if (answer.kind === "read") return answer.result;
      if (answer.kind === "refused") throw new FeedError(answer.code, answer.message);
      throw new ProviderError(answer.code, answer.message, answer.isTransient);
    } catch (error) {
      if (error instanceof TaskAbortedError) {
        const text = `the request to ${this.name} was broken off`;
        throw new ProviderError("provider_unreachable", text, true, { cause: error });
      }
      // The thread came to nothing before it began: nothing has gone to the sink.
      if (!(error instanceof WorkerStartError)) throw error;
      this.#pool = null;
      this.#options.onThreadFailed?.(error);
      return await this.#readHere(validators, sink, signal);
    }
  }
}
