import { WorkerPool, type WorkerPoolOptions } from "../../workers/mod.ts";

/** The pool that counts primes. It tells the listener's threads when it is full, so that they refuse what is too much. */
export class PrimesPool extends WorkerPool<number, number> {
  /** One word, not 0 when a task more would be refused. */
  readonly full = new SharedArrayBuffer(4);
  readonly #word = new Int32Array(this.full);
  readonly #queueMax: number;

  constructor(options: Omit<WorkerPoolOptions, "name" | "module">) {
    const module = new URL("./primes_worker.ts", import.meta.url);
    super({ ...options, name: "primes", module });
    this.#queueMax = options.queueMax;
  }

  /** How many primes there are up to a limit; throws what {@linkcode WorkerPool.run} throws. */
  async count(limit: number, signal: AbortSignal): Promise<number> {
    const result = this.run(limit, { signal });
    this.#tell();
    try {
      return await result;
    } finally {
      this.#tell();
    }
  }

  #tell(): void {
    Atomics.store(this.#word, 0, this.queueDepth > 0 && this.queueDepth >= this.#queueMax ? 1 : 0);
  }
}
