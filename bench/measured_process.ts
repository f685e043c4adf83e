const encoder = new TextEncoder();

/** A process under measurement: started on one core, its log read for a line, its CPU time and memory read from /proc. */
export class MeasuredProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  /**
   * @param core The core that it is pinned to with taskset; `null` for any
   * @param args What `deno run` gets, program and its arguments included; or, with `program`, what that gets
   * @param program What is started instead of `deno run`
   */
  constructor(
    core: number | null,
    args: readonly string[],
    env: Record<string, string> = {},
    program: readonly string[] = [Deno.execPath(), "run", "--no-prompt"],
  ) {
    const pinned = core === null ? [] : ["taskset", "-c", String(core)];
    const [command, ...rest] = [...pinned, ...program, ...args];
    this.#child = new Deno.Command(command, {
      args: rest,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /**
   * The first line of its output that a pattern matches.
   *
   * @throws {Error} If it ends, or `limitMs` pass, before there is one
   */
  async line(pattern: RegExp, limitMs = 60_000): Promise<RegExpMatchArray> {
    const deadline = setTimeout(() => this.#child.kill("SIGKILL"), limitMs);
    let last = "none";
    try {
      for (;;) {
        for (let end = this.#text.indexOf("\n"); end >= 0; end = this.#text.indexOf("\n")) {
          const line = this.#text.slice(0, end);
          this.#text = this.#text.slice(end + 1);
          const match = line.match(pattern);
          if (match !== null) return match;
          last = line;
        }
        const { value, done } = await this.#reader.read();
        if (done) {
          throw new Error(
            `it ended, or took over ${limitMs} ms, without ${pattern}; its last words: ${last}`,
          );
        }
        this.#text += value;
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Reads what it prints from now on and drops it, so that it never waits for a reader. */
  async discardOutput(): Promise<void> {
    this.#text = "";
    while (!(await this.#reader.read()).done);
  }

  /** Gives it a line on its standard input, which ends when this process does. */
  async write(line: string): Promise<void> {
    await this.#input.write(encoder.encode(`${line}\n`));
  }

  /** CPU time so far, in microseconds. */
  async cpuMicroseconds(): Promise<number> {
    const fields = (await proc(this.#child.pid, "stat")).split(") ")[1].split(" ");
    // utime and stime, proc(5), in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }

  /** Waits until it has nothing left to do, or for a minute: what runs behind would count as the requests'. */
  async idle(): Promise<void> {
    for (let second = 0, before = await this.cpuMicroseconds(); second < 60; second++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const now = await this.cpuMicroseconds();
      if (now - before <= 30_000) return;
      before = now;
    }
  }

  /** The most memory that was resident so far, in MB of 10^6 bytes. */
  async peakMegabytes(): Promise<number> {
    const match = (await proc(this.#child.pid, "status")).match(/VmHWM:\s+(\d+) kB/);
    // What proc(5) calls kB are 1,024 bytes.
    return Math.round(Number(match?.[1]) * 1_024 / 1e6);
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      // It has ended by itself: why, is the error to see.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#input.abort().catch(() => {});
    await this.#reader.cancel();
    await this.#child.status;
  }
}

/** Deno keeps /proc to itself; cat does not. */
async function proc(pid: number, file: string): Promise<string> {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/${file}`] }).output();
  return new TextDecoder().decode(stdout);
}
