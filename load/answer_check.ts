import { ORACLE_BODY_BYTES_MAX } from "./limits.ts";
import type { BodyOracle, ResolvedOptions } from "./options.ts";
import type { LoadErrorKind } from "./report.ts";

/** What an oracle's module has to export. */
interface OracleModule {
  default?: unknown;
}

/**
 * Compares answers with what is expected. Bodies are compared as they come; only an oracle has them kept until they
 * are whole.
 */
export class AnswerCheck {
  /** Whether {@linkcode AnswerCheck.body} has to be called. */
  readonly areBodiesWanted: boolean;
  /** Whether there is anything to check. */
  readonly isNeeded: boolean;
  /** What was wrong with the answer that was checked last. */
  problem = "";

  readonly #expect: ResolvedOptions["expect"];
  readonly #isHead: boolean;
  readonly #oracle: BodyOracle | null;
  /** Of each connection: how much of the body has come, and where it first was another; -1 where it was not. */
  readonly #lengths: Float64Array;
  readonly #wrongAt: Float64Array;
  readonly #bodies: (Uint8Array | null)[];

  private constructor(options: ResolvedOptions, oracle: BodyOracle | null) {
    const { expect, connectionsMax } = options;
    this.#expect = expect;
    this.#isHead = options.method === "HEAD";
    this.#oracle = oracle;
    this.areBodiesWanted = expect.body !== null || oracle !== null;
    this.isNeeded = this.areBodiesWanted || expect.statuses !== null || expect.length !== null;
    this.#lengths = new Float64Array(this.areBodiesWanted ? connectionsMax : 0);
    this.#wrongAt = new Float64Array(this.#lengths.length).fill(-1);
    this.#bodies = new Array(this.#lengths.length).fill(null);
  }

  /**
   * Makes one, and loads the oracle if there is one.
   *
   * @throws {TypeError} If the oracle's module exports none
   */
  static async load(options: ResolvedOptions): Promise<AnswerCheck> {
    const { oracle } = options.expect;
    if (oracle === null) return new AnswerCheck(options, null);
    const module: OracleModule = await import(oracle);
    if (typeof module.default !== "function") {
      throw new TypeError(`expect.oracle: ${oracle} has no function as its default export`);
    }
    return new AnswerCheck(options, module.default as BodyOracle);
  }

  /** Forgets what has come of a body. */
  reset(connection: number): void {
    if (!this.areBodiesWanted) return;
    this.#lengths[connection] = 0;
    this.#wrongAt[connection] = -1;
    this.#bodies[connection] = null;
  }

  /** Takes a part of a body. */
  body(connection: number, bytes: Uint8Array, from: number, to: number): void {
    const before = this.#lengths[connection];
    this.#lengths[connection] += to - from;
    const expected = this.#expect.body;
    if (expected !== null && this.#wrongAt[connection] < 0) {
      for (let i = from, at = before; i < to; i++, at++) {
        if (bytes[i] === expected[at]) continue;
        this.#wrongAt[connection] = at;
        break;
      }
    }
    if (this.#oracle !== null && before + to - from <= ORACLE_BODY_BYTES_MAX) {
      this.#keep(connection, before, bytes.subarray(from, to));
    }
  }

  /** What kind of wrong an answer is that has come whole, or `null`. */
  answered(
    connection: number,
    path: string,
    status: number,
    bodyBytes: number,
  ): LoadErrorKind | null {
    const kind = this.#check(connection, path, status, bodyBytes);
    this.reset(connection);
    return kind;
  }

  #check(
    connection: number,
    path: string,
    status: number,
    bodyBytes: number,
  ): LoadErrorKind | null {
    const { statuses, length, body } = this.#expect;
    if (statuses !== null && !statuses.includes(status)) {
      this.problem = `${path} was answered with ${status}, not ${statuses.join(" or ")}`;
      return "wrongStatus";
    }
    if (status === 200 && !this.#isHead) {
      const expected = length ?? body?.length ?? bodyBytes;
      if (bodyBytes !== expected) {
        this.problem = `${path} was answered with ${bodyBytes} bytes, not ${expected}`;
        return "wrongLength";
      }
      if (body !== null && this.#wrongAt[connection] >= 0) {
        this.problem = `${path}: byte ${this.#wrongAt[connection]} of the body is another`;
        return "wrongBody";
      }
    }
    if (this.#oracle === null) return null;
    if (bodyBytes > ORACLE_BODY_BYTES_MAX) {
      this.problem = `${path}: a body of ${bodyBytes} bytes is too long for an oracle`;
      return "wrongBody";
    }
    const kept = this.#bodies[connection] ?? new Uint8Array(0);
    const problem = this.#oracle(path, status, kept.subarray(0, bodyBytes));
    if (problem === null) return null;
    this.problem = `${path}: ${problem}`;
    return "wrongBody";
  }

  #keep(connection: number, before: number, part: Uint8Array): void {
    let kept = this.#bodies[connection];
    if (kept === null || kept.length < before + part.length) {
      const larger = new Uint8Array(Math.max(2 * before, before + part.length, 1_024));
      if (kept !== null) larger.set(kept);
      this.#bodies[connection] = kept = larger;
    }
    kept.set(part, before);
  }
}
