import type { SellModePolicy } from "../domain/mod.ts";
import { type Builder, type BuildStep, type BuiltEdition, EditionBuilder } from "./builder.ts";
import { BUILDER_REQUESTS_MAX, LINES_IN_FLIGHT_MAX } from "./limits.ts";
import type { MemorySource } from "./memory.ts";

/** What is asked of the thread; every request gets one reply, in order. */
type BuilderRequest =
  | { kind: "open"; policy: SellModePolicy }
  | { kind: "take"; lines: Uint8Array<ArrayBuffer> }
  | { kind: "build"; step: BuildStep }
  | { kind: "compress" }
  | { kind: "recycle"; ids: number[] };

type BuilderReply =
  | { kind: "done"; built: BuiltEdition | null }
  | { kind: "failed"; message: string };

/** A builder that failed, or whose thread ended. What it published stays; it cannot go on. */
export class BuilderError extends Error {
  override name = "BuilderError";
}

/** A builder in a thread of its own, so that requests are answered while it works. */
export class BuilderThread implements Builder {
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<BuiltEdition | null>[] = [];
  #failure: BuilderError | null = null;

  /** @param worker A worker whose module calls {@linkcode serveBuilder}; the thread ends it */
  constructor(worker: Worker, policy: SellModePolicy) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<BuilderReply>) => {
      if (data.kind === "failed") this.#fail(data.message);
      else this.#waiting.shift()!.resolve(data.built);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
    this.#ask({ kind: "open", policy }).catch(() => {});
  }

  get queueDepth(): number {
    return Math.max(0, this.#waiting.length - 1);
  }

  async take(lines: Uint8Array<ArrayBuffer>): Promise<void> {
    const reply = this.#ask({ kind: "take", lines }, [lines.buffer]);
    // Whether it was taken well is told with the build.
    reply.catch(() => {});
    if (this.#waiting.length > LINES_IN_FLIGHT_MAX) await this.#waiting[0].promise;
  }

  async build(step: BuildStep): Promise<BuiltEdition> {
    return (await this.#ask({ kind: "build", step }))!;
  }

  compress(): Promise<BuiltEdition | null> {
    return this.#ask({ kind: "compress" });
  }

  recycle(ids: number[]): void {
    this.#ask({ kind: "recycle", ids }).catch(() => {});
  }

  close(): void {
    this.#fail("the builder was closed");
  }

  #ask(request: BuilderRequest, transfer: Transferable[] = []): Promise<BuiltEdition | null> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#waiting.length === BUILDER_REQUESTS_MAX) {
      this.#fail(
        `${BUILDER_REQUESTS_MAX} requests wait for it, more than steps one by one can ask`,
      );
      return Promise.reject(this.#failure);
    }
    const reply = Promise.withResolvers<BuiltEdition | null>();
    this.#waiting.push(reply);
    this.#worker.postMessage(request, transfer);
    return reply.promise;
  }

  #fail(message: string): void {
    this.#failure ??= new BuilderError(`the builder of editions failed: ${message}`);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    this.#worker.terminate();
  }
}

/** What of a worker's global scope {@linkcode serveBuilder} needs. */
export interface BuilderScope {
  onmessage: ((event: MessageEvent) => unknown) | null;
  postMessage(message: unknown): void;
}

/** Builds editions for the thread at the other end of a scope's messages. */
export function serveBuilder(scope: BuilderScope, source: MemorySource): void {
  let builder: EditionBuilder;
  let before: Promise<void> = Promise.resolve();
  const answer = async (request: BuilderRequest): Promise<BuiltEdition | null> => {
    switch (request.kind) {
      case "open":
        builder = new EditionBuilder({ policy: request.policy, source, turnMs: Infinity });
        return null;
      case "take":
        builder.take(request.lines);
        return null;
      case "build":
        return await builder.build(request.step);
      case "compress":
        return await builder.compress();
      case "recycle":
        builder.recycle(request.ids);
        return null;
    }
  };
  scope.onmessage = ({ data }: MessageEvent<BuilderRequest>) => {
    before = before.then(async () => {
      let reply: BuilderReply;
      try {
        reply = { kind: "done", built: await answer(data) };
      } catch (error) {
        reply = { kind: "failed", message: (error as Error).message };
      }
      scope.postMessage(reply);
    });
  };
}
