/**
 * Clients that send valid requests, broken ones, and parts of either, many at once, and look closely at what comes back.
 *
 * @module
 */
import {
  ConnectionEnded,
  latin1Text,
  type RawAnswer,
  RawClient,
  UNKNOWN_METHOD,
} from "./raw_client.ts";
import { type GeneratedRequest, generateRequest, joined, mutate } from "./request_generator.ts";
import { SeededRandom } from "./seeded_random.ts";

/** What a run of the fuzzer is. */
export interface FuzzOptions {
  port: number;
  /** The same seed makes the same clients; in which order they get to the server is up to the system. */
  seed: number;
  seconds: number;
  /** Clients at once; 24 unless said otherwise. */
  clients?: number;
  /** The first client, to begin in the middle of a run; 0 unless said otherwise. */
  firstClient?: number;
}

/** What a run did. */
export interface FuzzReport {
  clients: number;
  validAnswers: number;
  /** Answers to broken requests, by status. */
  brokenAnswers: Map<number, number>;
  vanished: number;
}

const CLIENTS = 24;
const REQUESTS_MAX = 12;
const CUTS_MAX = 12;
/** Requests are sent byte by byte up to this length. */
const BYTEWISE_MAX = 2_000;
const BODY_BYTES_MAX = 400_000;
/** A client that gets nothing for so long, in milliseconds, hangs. */
const HANG_MS = 10_000;
/** How long a client waits for another answer to what it broke, in milliseconds. */
const QUIET_MS_MAX = 40;
/** How long the rest of an answer that has begun may take before the client ends its side, in milliseconds. */
const PATIENCE_MS = 500;
/** Answers that a broken request can get. A handler that fails, 500, was given what it cannot have. */
const STATUSES = new Set([200, 204, 304, 400, 405, 413, 414, 417, 431, 501, 505]);
/** Bytes of a client's input that a failure shows. */
const SHOWN_BYTES = 1_000;

/** A client that saw what it must not see. */
export class FuzzFailure extends Error {
  override name = "FuzzFailure";
}

/**
 * Runs clients for a time.
 *
 * @throws {FuzzFailure} At the first answer that is wrong, missing or someone else's
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = {
    clients: 0,
    validAnswers: 0,
    brokenAnswers: new Map(),
    vanished: 0,
  };
  const end = performance.now() + options.seconds * 1_000;
  let next = options.firstClient ?? 0;
  let hasFailed = false;
  const lane = async () => {
    while (!hasFailed && performance.now() < end) {
      const number = next++;
      const client = new FuzzClient(options.port, options.seed, number, report);
      try {
        await client.run();
      } catch (error) {
        hasFailed = true;
        const { message } = error as Error;
        throw new FuzzFailure(
          `seed ${options.seed}, client ${number}, ${client.what}: ${message}\n${client.sent()}`,
          { cause: error },
        );
      }
      report.clients++;
    }
  };
  const lanes = Array.from({ length: options.clients ?? CLIENTS }, lane);
  const results = await Promise.allSettled(lanes);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return report;
}

/** One connection's life. */
class FuzzClient {
  /** What it does, for people. */
  what = "";
  readonly #port: number;
  readonly #number: number;
  readonly #random: SeededRandom;
  readonly #report: FuzzReport;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #tokens = 0;
  /** Answers that were read, the current one included. */
  #answers = 0;

  constructor(port: number, seed: number, number: number, report: FuzzReport) {
    this.#port = port;
    this.#number = number;
    this.#random = new SeededRandom(seed ^ Math.imul(number, 0x9e3779b1));
    this.#report = report;
  }

  /** What it sent, or was to send. */
  sent(): string {
    return `at answer ${this.#answers}, ${this.#bytes.length} bytes sent: ` +
      JSON.stringify(latin1Text(this.#bytes.subarray(0, SHOWN_BYTES)));
  }

  async run(): Promise<void> {
    const requests = Array.from(
      { length: 1 + this.#random.below(REQUESTS_MAX) },
      () =>
        generateRequest(this.#random, this.#makeToken(), {
          bodyBytesMax: BODY_BYTES_MAX,
          hasFastRoute: true,
          hasLate: true,
        }),
    );
    const kind = this.#random.below(10);
    if (kind < 4) await this.#valid(requests);
    else if (kind < 8) await this.#broken(requests);
    else await this.#vanishing(requests);
  }

  /** Everything is answered, in order, and the connection can still be used. */
  async #valid(requests: readonly GeneratedRequest[]): Promise<void> {
    this.what = `${requests.length} valid requests`;
    this.#bytes = joined(requests.map(({ bytes }) => bytes));
    await using client = await RawClient.open(this.#port, HANG_MS);
    const writing = this.#write(client, this.#bytes);
    try {
      await this.#readValid(client, requests);
    } finally {
      await Promise.race([writing, client[Symbol.asyncDispose]()]);
    }
    await writing;
  }

  /** Valid requests are answered; then comes one that is broken, and whatever follows must at least be HTTP. */
  async #broken(requests: readonly GeneratedRequest[]): Promise<void> {
    const validCount = this.#random.below(Math.min(4, requests.length));
    const valid = requests.slice(0, validCount);
    const rest = requests.slice(validCount);
    this.what = `${validCount} valid requests and a broken one`;
    const broken = mutate(this.#random, rest[0].bytes);
    const behind = rest.slice(1).map(({ bytes }) => bytes);
    this.#bytes = joined([...valid.map(({ bytes }) => bytes), broken, ...behind]);
    await using client = await RawClient.open(this.#port, HANG_MS);
    const writing = this.#write(client, this.#bytes);
    try {
      await this.#readValid(client, valid);
      await this.#readBroken(client);
    } finally {
      await Promise.race([writing, client[Symbol.asyncDispose]()]);
    }
    await writing;
  }

  async #readValid(client: RawClient, requests: readonly GeneratedRequest[]): Promise<void> {
    for (const request of requests) {
      this.#answers++;
      const answer = await client.answer(request.method);
      request.check(answer);
      this.#report.validAnswers++;
    }
  }

  async #readBroken(client: RawClient): Promise<void> {
    let isHalfClosed = false;
    for (;;) {
      if (!isHalfClosed && !await client.comesWithin(1 + this.#random.below(QUIET_MS_MAX))) {
        // It waits for more of the request, or for its handler.
        await client.endWriting();
        isHalfClosed = true;
      }
      if (isHalfClosed && !await client.comesWithin(HANG_MS)) throw new Error("it hangs");
      if (!client.hasBytes) return;
      this.#answers++;
      let answer: RawAnswer;
      // 100 Continue may have been all that can come.
      const timer = setTimeout(async () => {
        isHalfClosed = true;
        await client.endWriting();
      }, PATIENCE_MS);
      try {
        answer = await client.answer(UNKNOWN_METHOD);
      } catch (error) {
        if (error instanceof ConnectionEnded && (isHalfClosed || error.isReset)) return;
        throw error;
      } finally {
        clearTimeout(timer);
      }
      this.#checkBroken(answer);
      if (answer.framing === "close") return;
      const isLast = answer.fields.some(([name, value]) =>
        name === "connection" && value === "close"
      );
      if (isLast) {
        const ending = await client.ending();
        if (ending === "open") throw new Error("the connection stays open behind close");
        return;
      }
    }
  }

  #checkBroken(answer: RawAnswer): void {
    const { status, body, minorVersion } = answer;
    if (minorVersion !== 1) throw new Error(`an answer of HTTP/1.${minorVersion}`);
    const text = new TextDecoder().decode(body);
    if (!STATUSES.has(status)) throw new Error(`an answer of ${status}: ${text.slice(0, 500)}`);
    const counts = this.#report.brokenAnswers;
    counts.set(status, (counts.get(status) ?? 0) + 1);
    for (const [token] of text.matchAll(/t[0-9a-f]+x[0-9a-f]{8}/g)) {
      const owner = ownerOf(token);
      if (owner !== null && owner !== this.#number) {
        throw new Error(`the answer belongs to client ${owner}: ${text.slice(0, 500)}`);
      }
    }
  }

  /** Leaves at some moment. */
  async #vanishing(requests: readonly GeneratedRequest[]): Promise<void> {
    const random = this.#random;
    const whole = joined(requests.map(({ bytes }) => bytes));
    const isBroken = random.chance(0.3);
    this.#bytes = isBroken ? mutate(random, whole) : whole;
    if (random.chance(0.7)) this.#bytes = this.#bytes.slice(0, random.below(this.#bytes.length));
    const leaving = random.chance(0.5) ? "reset" : "close";
    const isReset = leaving === "reset" && this.#bytes.length === whole.length && !isBroken;
    this.what = `a client that vanishes with ${isReset ? "RST" : "FIN"}`;
    await using client = await RawClient.open(this.#port, HANG_MS, isReset);
    const writing = this.#write(client, this.#bytes);
    if (isReset) await client.leave("reset");
    else {
      const count = random.below(3);
      if (this.#bytes === whole) {
        for (const request of requests.slice(0, count)) {
          request.check(await client.answer(request.method));
        }
      }
      if (random.chance(0.5)) await pause(random.below(8));
      await client.leave("close");
    }
    await writing;
    this.#report.vanished++;
  }

  async #write(client: RawClient, bytes: Uint8Array): Promise<void> {
    const random = this.#random.fork();
    const isBytewise = bytes.length <= BYTEWISE_MAX && random.chance(0.1);
    const cuts = isBytewise
      ? Array.from({ length: Math.max(0, bytes.length - 1) }, (_, i) => i + 1)
      : random.cuts(bytes.length, CUTS_MAX);
    await client.writePieces(bytes, cuts, () => {
      if (!isBytewise && random.chance(0.3)) return pause(random.below(4));
    });
  }

  /** Names this client, with a check so that a broken token is not taken for another's. */
  #makeToken(): string {
    const own = `t${this.#number.toString(16)}x`;
    const number = (this.#tokens++ & 0xff).toString(16).padStart(2, "0");
    return own + number + check(own + number);
  }
}

/** The client that a token belongs to; `null` if it is broken. */
function ownerOf(token: string): number | null {
  const [name, rest] = token.split("x");
  const own = `${name}x${rest.slice(0, 2)}`;
  return check(own) === rest.slice(2) ? parseInt(name.slice(1), 16) : null;
}

function check(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (Math.imul(hash ^ (hash >>> 15), 0x735a2d97) >>> 8).toString(16).padStart(6, "0");
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
