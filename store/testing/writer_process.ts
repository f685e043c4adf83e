/** A `poll_writer.ts` at work. */
export class WriterProcess implements AsyncDisposable {
  /** The lines printed so far. */
  readonly lines: string[] = [];
  /** Settles when the process has ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #wake: () => void = () => {};

  constructor(
    options: { path: string; plans: number; first: number; last: number; leaseMs: number },
  ) {
    const { path, plans, first, last, leaseMs } = options;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-read",
        "--allow-write",
        "--allow-env",
        new URL("poll_writer.ts", import.meta.url).pathname,
        ...[path, plans, first, last, leaseMs].map(String),
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reading = this.#read();
    this.ended = this.#child.status;
  }

  /** Waits for a line; rejects if the process ends first. */
  async line(wanted: string): Promise<void> {
    let isOver = false;
    this.#reading.then(() => {
      isOver = true;
      this.#wake();
    });
    while (!this.lines.includes(wanted)) {
      if (isOver) throw new Error(`the writer ended without "${wanted}"`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Sends a signal, to a process that may have ended. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It ended by itself.
    }
  }

  /** Kills it, and resolves when it is gone and all that it printed is read. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
    await this.#reading;
  }

  /** Kills it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
      this.#wake();
    }
  }
}
