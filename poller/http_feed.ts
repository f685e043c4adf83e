import { Turns } from "../event_loop.ts";
import type { FeedValidators } from "../store/port.ts";
import { COMPRESSION_FREE_BYTES, COMPRESSION_RATIO_MAX } from "./limits.ts";
import { FeedError, type FeedResult, type FeedSink, ProviderError } from "./provider.ts";
import { readXmlFeed } from "./xml_feed.ts";

/** Where a feed is, and the bounds on reading it; may go to another thread. */
export interface HttpFeed {
  /** Names it in errors. */
  name: string;
  url: string;
  /** For one request, from its start to the last byte, in milliseconds. */
  timeoutMs: number;
  /** Bytes of the feed after decompression. */
  bytesMax: number;
}

/** How a feed is read where there is a choice. */
export interface HttpFeedReading {
  signal?: AbortSignal;
  /** How requests are made; the global fetch by default. */
  fetch?: (request: Request) => Promise<Response>;
  /** Gives others their turns of the event loop. */
  turns: Turns;
  /** Awaited between two chunks of the feed, so that a sink can hold the reading up. */
  onChunk?: () => void | Promise<void>;
}

/**
 * Reads a feed once, from its request to its last byte, in this thread.
 *
 * @throws {FeedError} If the feed came and is not acceptable
 * @throws {ProviderError} If the feed did not come
 */
export async function readHttpFeed(
  { name, url, timeoutMs, bytesMax }: HttpFeed,
  validators: FeedValidators,
  sink: FeedSink,
  reading: HttpFeedReading,
): Promise<FeedResult> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const body = new BoundedBody(bytesMax, reading);
  try {
    const { signal } = reading;
    const request = new Request(url, {
      headers: requestHeaders(validators),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const response = await (reading.fetch ?? fetch)(request);
    const isConditional = validators.etag !== null || validators.lastModified !== null;
    if (response.status === 304 && isConditional) return { kind: "not_modified" };
    if (response.status !== 200) {
      await response.body?.cancel();
      const { status } = response;
      const isTransient = status >= 500 || status === 408 || status === 429;
      throw new ProviderError(
        "provider_status",
        `${name} answered ${status} instead of 200`,
        isTransient,
      );
    }
    await readXmlFeed(body.read(response), sink);
    return {
      kind: "feed",
      bytes: body.bytes,
      validators: {
        etag: response.headers.get("etag"),
        lastModified: response.headers.get("last-modified"),
      },
    };
  } catch (error) {
    if (error instanceof FeedError || error instanceof ProviderError) throw error;
    if (timeout.aborted) {
      throw new ProviderError(
        "provider_timeout",
        `${name} took longer than ${timeoutMs} ms (PROVIDER_TIMEOUT)`,
        true,
        { cause: error },
      );
    }
    throw new ProviderError(
      "provider_unreachable",
      `${name} broke off or cannot be reached: ${reasonOf(error as Error)}`,
      true,
      { cause: error },
    );
  }
}

/** What went wrong with a request, down to its cause ("fetch failed" alone says nothing), without URLs: they may hold a key. */
function reasonOf({ message, cause }: Error): string {
  const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
  return reason.replace(/https?:\/\/\S+?(?=[)']?:?(?:\s|$))/g, "a URL");
}

function requestHeaders(validators: FeedValidators): Headers {
  const headers = new Headers({ accept: "application/xml, text/xml" });
  if (validators.etag !== null) headers.set("if-none-match", validators.etag);
  if (validators.lastModified !== null) headers.set("if-modified-since", validators.lastModified);
  return headers;
}

/** Counts the bytes of a body, and stops it where it is larger than it may be. */
class BoundedBody {
  bytes = 0;
  readonly #bytesMax: number;
  readonly #reading: HttpFeedReading;

  constructor(bytesMax: number, reading: HttpFeedReading) {
    this.#bytesMax = bytesMax;
    this.#reading = reading;
  }

  async *read(response: Response): AsyncGenerator<Uint8Array> {
    // fetch decompresses, and leaves the header of what came over the wire.
    const compressed = response.headers.has("content-encoding")
      ? Number(response.headers.get("content-length") ?? NaN)
      : NaN;
    const bombBytes = Math.max(COMPRESSION_FREE_BYTES, compressed * COMPRESSION_RATIO_MAX);
    const { turns, onChunk } = this.#reading;
    for await (const chunk of response.body ?? []) {
      await turns.share();
      await onChunk?.();
      this.bytes += chunk.length;
      if (this.bytes > this.#bytesMax) {
        throw new FeedError(
          "feed_too_large",
          `the feed is over ${this.#bytesMax} bytes (PROVIDER_MAX_BYTES)`,
        );
      }
      if (this.bytes > bombBytes) {
        throw new FeedError(
          "feed_too_large",
          `${compressed} compressed bytes became over ${bombBytes}: a compression bomb`,
        );
      }
      yield chunk;
    }
  }
}
