import process from "node:process";
import { AnswerCheck } from "./answer_check.ts";
import { BACKLOG_MS_MAX, TICK_MS } from "./limits.ts";
import type { LoadOptions, ResolvedOptions } from "./options.ts";
import { LoadRecorder } from "./recorder.ts";
import type { LoadErrorKind, LoadReport } from "./report.ts";
import { Schedule } from "./schedule.ts";
import { CONTROL } from "./uring_engine.ts";

/** How an engine is made. */
export interface FetchEngineOptions {
  options: ResolvedOptions;
  control: Int32Array;
  onSample: NonNullable<LoadOptions["onProgress"]>;
  /** Why it is this engine, in words. */
  reason: string;
}

/**
 * Makes a load by Deno's fetch, where there is no io_uring, and over TLS: the same options and the same report, with the
 * client as the limit. Each connection is a lane that has one request under way; which sockets carry them is up to
 * fetch's pool, so connections are counted as lanes, and pipelining is none.
 */
export class FetchEngine {
  readonly #options: ResolvedOptions;
  readonly #control: Int32Array;
  readonly #recorder: LoadRecorder;
  readonly #reason: string;
  readonly #client: Deno.HttpClient;
  readonly #headers: Headers;
  readonly #origin: string;
  readonly #stopping = new AbortController();
  /** Lanes that wait for something to ask. */
  #waiting: (() => void)[] = [];
  #check!: AnswerCheck;
  #schedule: Schedule | null = null;
  #requestsMax = Infinity;
  #lanes = 0;
  #busy = 0;
  #givenUp = 0;
  #taken = 0;
  #countedFrom = 0;
  /** Whether what happens is counted. */
  #isCounting = false;
  #isEnding = false;
  #due = 0;
  #sentUntilMs = 0;

  constructor({ options, control, onSample, reason }: FetchEngineOptions) {
    this.#options = options;
    this.#control = control;
    this.#reason = reason;
    this.#recorder = new LoadRecorder(options, onSample);
    this.#client = Deno.createHttpClient({
      poolMaxIdlePerHost: options.close ? 0 : options.connectionsMax,
      http1: true,
      http2: false,
    });
    // Bodies as they are on the wire, unless another coding is asked for.
    this.#headers = new Headers({ "accept-encoding": "identity" });
    // One by one: a record with two spellings of a name would send both.
    for (const [name, value] of Object.entries(options.headers)) this.#headers.set(name, value);
    if (options.close) this.#headers.set("connection", "close");
    this.#origin = new URL(options.url).origin;
  }

  /** Makes the load. To be called once. */
  async run(): Promise<LoadReport> {
    const { warmupMs, durationMs, requests } = this.#options;
    try {
      this.#check = await AnswerCheck.load(this.#options);
      this.#begin(Infinity, performance.now());
      const warmUntilMs = performance.now() + warmupMs;
      while (performance.now() < warmUntilMs && !this.#isStopped()) await this.#tick();
      const startMs = performance.now(), endMs = startMs + durationMs;
      this.#begin(requests, startMs);
      this.#recorder.start(startMs);
      this.#isCounting = true;
      const before = process.cpuUsage();
      const { sums } = this.#recorder;
      let after = before, answeredBefore = -1;
      let ended: LoadReport["ended"] | null = this.#isStopped() ? "stopped" : null;
      while (ended === null) {
        await this.#tick();
        const nowMs = performance.now();
        const taken = this.#taken - this.#countedFrom;
        if (!this.#isEnding && (nowMs >= endMs || taken >= requests)) {
          this.#end(Math.min(nowMs, endMs));
        }
        if (this.#isStopped()) ended = "stopped";
        else if (this.#isEnding && this.#busy === 0) {
          ended = taken >= requests ? "requests" : "duration";
        } else if (this.#givenUp > 0 && this.#lanes === 0) ended = "connections";
        // Up to the last answer, as the time is, and not on while one is waited for that never comes.
        if (this.#isEnding && sums.answered !== answeredBefore) {
          after = process.cpuUsage();
          answeredBefore = sums.answered;
        }
      }
      const nowMs = performance.now();
      if (!this.#isEnding) {
        this.#end(nowMs);
        after = process.cpuUsage();
      }
      const userMs = (after.user - before.user) / 1_000;
      const systemMs = (after.system - before.system) / 1_000;
      return this.#recorder.report(nowMs, {
        engine: "fetch",
        engineReason: this.#reason,
        ended,
        due: this.#due,
        unsent: Math.max(0, this.#due - sums.sent),
        unanswered: sums.sent - sums.answered - sums.failed,
        sentUntilMs: this.#sentUntilMs,
        connectionsWanted: this.#wanted(),
        cpu: { userMs, systemMs, processMs: userMs + systemMs },
      });
    } finally {
      this.#isEnding = true;
      this.#stopping.abort();
      this.#wake();
      this.#client.close();
    }
  }

  #begin(requestsMax: number, nowMs: number): void {
    const { rate } = this.#options;
    this.#countedFrom = this.#taken;
    this.#requestsMax = requestsMax;
    this.#schedule = rate === null ? null : new Schedule(rate, requestsMax, nowMs);
  }

  #end(atMs: number): void {
    this.#isEnding = true;
    this.#sentUntilMs = atMs;
    this.#due = this.#schedule?.dueBy(atMs) ?? 0;
    this.#wake();
  }

  async #tick(): Promise<void> {
    const nowMs = performance.now();
    const taken = this.#taken - this.#countedFrom;
    const nextMs = this.#schedule?.timeOf(Math.max(taken, this.#schedule.dueBy(nowMs))) ?? Infinity;
    const pauseMs = Math.min(TICK_MS, this.#isEnding ? TICK_MS : nextMs - nowMs);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, pauseMs)));
    while (!this.#isEnding && this.#lanes + this.#givenUp < this.#wanted()) this.#startLane();
    if (this.#schedule !== null) {
      const backlog = this.#backlog();
      const backlogMax = Math.ceil(this.#options.rate! * BACKLOG_MS_MAX / 1_000);
      if (backlog > backlogMax) this.#taken += backlog - backlogMax;
      for (let n = Math.min(backlog, this.#waiting.length); n > 0; n--) this.#waiting.shift()!();
      const { sums } = this.#recorder;
      sums.backlogMost = Math.max(sums.backlogMost, this.#backlog() - this.#waiting.length);
    }
    if (this.#isCounting) this.#recorder.tick(performance.now(), this.#backlog());
  }

  #wanted(): number {
    return Atomics.load(this.#control, CONTROL.connections);
  }

  #isStopped(): boolean {
    return Atomics.load(this.#control, CONTROL.stop) === 1;
  }

  #backlog(): number {
    if (this.#schedule === null || this.#isEnding) return 0;
    const taken = this.#taken - this.#countedFrom;
    return Math.max(0, this.#schedule.dueBy(performance.now()) - taken);
  }

  #mayTake(): boolean {
    if (this.#isEnding) return false;
    if (this.#schedule !== null) return this.#backlog() > 0;
    return this.#taken - this.#countedFrom < this.#requestsMax;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #startLane(): void {
    this.#lanes++;
    this.#recorder.opened();
    this.#lane().finally(() => {
      this.#lanes--;
      this.#recorder.connectionsOpen--;
    });
  }

  async #lane(): Promise<void> {
    const { attemptsMax, pauseMs } = this.#options;
    for (let failures = 0; !this.#isEnding && this.#lanes <= this.#wanted();) {
      if (!this.#mayTake()) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      this.#busy++;
      const isAnswered = await this.#ask();
      this.#busy--;
      if (isAnswered) {
        failures = 0;
        continue;
      }
      if (++failures >= attemptsMax) {
        this.#givenUp++;
        this.#recorder.sums.givenUp++;
        return;
      }
      this.#recorder.sums.retried++;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** @returns Whether an answer came that is no cut-off */
  async #ask(): Promise<boolean> {
    const { paths, method, body, timeoutMs } = this.#options;
    const number = this.#taken++;
    const path = paths[number % paths.length];
    const dueMs = this.#schedule?.timeOf(number - this.#countedFrom) ?? performance.now();
    const countedFrom = this.#countedFrom;
    const isCounted = () => number >= this.#countedFrom;
    this.#recorder.sums.sent++;
    if (this.#schedule !== null) this.#recorder.late(performance.now() - dueMs);
    try {
      const response = await fetch(this.#origin + path, {
        method,
        body: method === "POST" ? Uint8Array.from(body, (byte) => byte.charCodeAt(0)) : undefined,
        headers: this.#headers,
        client: this.#client,
        redirect: "manual",
        signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(timeoutMs)]),
      });
      const answer = await response.bytes();
      if (!isCounted() || this.#stopping.signal.aborted) return true;
      this.#recorder.sums.bytesReceived += answer.length;
      const nowMs = performance.now();
      this.#recorder.answered(response.status, nowMs - dueMs, nowMs);
      const { close } = this.#options;
      const isCutOff = response.status === 503 && !close &&
        response.headers.get("connection") === "close";
      if (!this.#check.isNeeded) return !isCutOff;
      // Each in one go, so one place serves all.
      if (this.#check.areBodiesWanted) this.#check.body(0, answer, 0, answer.length);
      const wrong = this.#check.answered(0, path, response.status, answer.length);
      if (wrong !== null) this.#recorder.failed(wrong, 1, () => this.#check.problem);
      return !isCutOff;
    } catch (error) {
      if (!isCounted() || countedFrom !== this.#countedFrom || this.#stopping.signal.aborted) {
        return false;
      }
      const kind = kindOf(error as Error);
      if (kind === "refused") this.#recorder.sums.sent--;
      else this.#recorder.sums.failed++;
      this.#recorder.failed(kind, 1, () => (error as Error).message);
      return false;
    }
  }
}

/** fetch tells by words only. */
function kindOf(error: Error): LoadErrorKind {
  if (error.name === "TimeoutError") return "timeout";
  const text = `${error.message} ${error.cause ?? ""}`;
  if (/refused/i.test(text)) return "refused";
  if (/reset|broken pipe/i.test(text)) return "reset";
  if (/reading a body|closed|eof|end of file|incomplete|unexpected end/i.test(text)) {
    return "closedEarly";
  }
  if (!/certificate/i.test(text) && /invalid|parse/i.test(text)) return "malformed";
  return "other";
}
