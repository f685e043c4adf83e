/** The service as a process of its own, for its test and its load. */
export class RunningService implements AsyncDisposable {
  readonly url: string;
  readonly transport: string;
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;

  private constructor(
    url: string,
    transport: string,
    process: Deno.ChildProcess,
    output: ReadableStreamDefaultReader<string>,
  ) {
    this.url = url;
    this.transport = transport;
    this.#process = process;
    this.#output = output;
  }

  /**
   * Starts it on a free port.
   *
   * @param args What `main.ts` is told besides
   * @throws {Error} If it does not start
   */
  static async start(...args: string[]): Promise<RunningService> {
    const main = new URL("main.ts", import.meta.url).pathname;
    const permissions = ["--no-prompt", "--allow-net", "--allow-ffi", "--allow-read"];
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", ...permissions, main, "--port", "0", ...args],
      stdout: "piped",
    }).spawn();
    const output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const found = text.match(/(http:\S+), by (\w+)\n/);
      if (found !== null) return new RunningService(found[1], found[2], process, output);
      const { value, done } = await output.read();
      if (done) throw new Error(`${main} did not start, and said why`);
      text += value;
    }
  }

  /** Posts JSON. */
  post(path: string, value: unknown, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, { method: "POST", body: JSON.stringify(value), ...init });
  }

  /** The value of a metric; 0 where it is not there. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split("\n").find((line) => line.startsWith(`${name} `));
    return Number(line?.slice(name.length) ?? 0);
  }

  /** CPU time that it has taken so far, in microseconds, as Linux tells it. */
  async cpuMicroseconds(): Promise<number> {
    // Deno keeps /proc to itself; cat does not.
    const { stdout } = await new Deno.Command("cat", {
      args: [`/proc/${this.#process.pid}/stat`],
    }).output();
    const fields = new TextDecoder().decode(stdout).split(") ")[1].split(" ");
    // utime and stime, proc(5), in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }

  /** Stops it as its host would; resolves with its exit code. */
  async stop(): Promise<number> {
    this.#process.kill("SIGTERM");
    const { code } = await this.#process.status;
    await this.#output.cancel();
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.stop();
    } catch {
      // It was stopped already.
    }
  }
}
