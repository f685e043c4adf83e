import { promisify } from "node:util";
import { gzip, gzipSync } from "node:zlib";
import {
  ANSWER_OVERHEAD_BYTES,
  GZIP_CONCURRENCY_MAX,
  JOINED_BYTES_MAX,
  PIECE_BYTES,
  SYNC_GZIP_BYTES_MAX,
} from "./limits.ts";

const encoder = new TextEncoder();
const HEAD = encoder.encode('{"data":{"events":[');
const TAIL = encoder.encode(']},"error":null}');
const gzipInBackground = promisify(gzip);
let compressionsUnderWay = 0;

/**
 * The answer to one search: a list of runs of an edition's bytes between a head and a tail. It is a view: nothing is
 * copied until {@linkcode SearchAnswer.joined} or {@linkcode SearchAnswer.gzipped} is asked for.
 */
export class SearchAnswer {
  /** How many events it holds. */
  readonly count: number;
  /** Bytes of the whole body. */
  readonly byteLength: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** Pairs of begin and end in `#bytes`; the comma behind the last fragment is not part of the answer. */
  readonly #runs: number[];
  readonly #tail: Uint8Array<ArrayBuffer>;
  #joined: Uint8Array<ArrayBuffer> | null = null;
  #gzipped: Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> | null = null;

  /**
   * @param bytes Fragments, each with a comma behind it
   * @param runs Pairs of begin and end; kept, not copied
   * @param nextCursor `undefined` where the answer is no page, `null` on the last page
   */
  constructor(
    bytes: Uint8Array<ArrayBuffer>,
    runs: number[],
    count: number,
    nextCursor: string | null | undefined,
  ) {
    this.#bytes = bytes;
    this.#runs = runs;
    this.count = count;
    this.#tail = nextCursor === undefined
      ? TAIL
      : encoder.encode(`],"next_cursor":${JSON.stringify(nextCursor)}},"error":null}`);
    let length = HEAD.length + this.#tail.length;
    for (let i = 0; i < runs.length; i += 2) length += runs[i + 1] - runs[i];
    if (runs.length > 0) {
      runs[runs.length - 1]--;
      length--;
    }
    this.byteLength = length;
  }

  /** What keeping this answer costs, in bytes; a long answer is kept as its runs. */
  get cost(): number {
    const body = this.byteLength <= JOINED_BYTES_MAX ? this.byteLength * 1.3 : 0;
    return body + this.#runs.length * 8 + ANSWER_OVERHEAD_BYTES;
  }

  /** The body in one piece, or `null` when it is so long that it should be streamed. Valid for ever; not to be changed. */
  joined(): Uint8Array<ArrayBuffer> | null {
    if (this.byteLength > JOINED_BYTES_MAX) return null;
    return this.#joined ??= this.#join();
  }

  /** The body as a stream of views; they are valid for ever and not to be changed. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const pieces = this.#pieces();
    return new ReadableStream({
      pull(controller) {
        const { value, done } = pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    }, { highWaterMark: 1 });
  }

  /**
   * The body compressed with gzip, kept for the next request.
   *
   * @returns `null` when too many other answers are being compressed
   */
  gzipped(): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> | null {
    if (this.#gzipped !== null) return this.#gzipped;
    if (this.byteLength <= SYNC_GZIP_BYTES_MAX) {
      return this.#gzipped = new Uint8Array(gzipSync(this.joined()!, { level: 5 }));
    }
    if (compressionsUnderWay >= GZIP_CONCURRENCY_MAX) return null;
    compressionsUnderWay++;
    return this.#gzipped = gzipInBackground(this.#join(), { level: 5 })
      .then((bytes) => this.#gzipped = new Uint8Array(bytes))
      .finally(() => compressionsUnderWay--);
  }

  #join(): Uint8Array<ArrayBuffer> {
    const body = new Uint8Array(this.byteLength);
    let offset = 0;
    for (const piece of this.#pieces(Infinity)) {
      body.set(piece, offset);
      offset += piece.length;
    }
    return body;
  }

  *#pieces(bytesMax = PIECE_BYTES): Generator<Uint8Array<ArrayBuffer>> {
    yield HEAD;
    for (let i = 0; i < this.#runs.length; i += 2) {
      for (let from = this.#runs[i]; from < this.#runs[i + 1]; from += bytesMax) {
        yield this.#bytes.subarray(from, Math.min(from + bytesMax, this.#runs[i + 1]));
      }
    }
    yield this.#tail;
  }
}
