import { MeasuredProcess } from "../measured_process.ts";

/** Says its process id and becomes the program. */
const TELL_PID = `printf '{"pid":%d}\\n' $$; exec "$@"`;

/** The lines of /proc/PID/stat of a process and of all that it has started. */
const TREE = `tree() {
  cat "/proc/$1/stat" || return
  for child in $(cat /proc/"$1"/task/*/children); do tree "$child"; done
}
tree "$1" 2>/dev/null`;

/** nginx says its port before it listens: it has as long to do so. */
const LISTEN_MS_MAX = 5_000;
const RETRY_MS = 20;

/** A server that listens, with the processes it has started. */
export class RunningPeer implements AsyncDisposable {
  readonly #process: MeasuredProcess;
  readonly #pid: number;
  /** Of 127.0.0.1. */
  readonly port: number;

  private constructor(process: MeasuredProcess, pid: number, port: number) {
    this.#process = process;
    this.#pid = pid;
    this.port = port;
  }

  /**
   * Starts a server on one core.
   *
   * @param command What prints `"port":` and a number once it runs
   * @throws {Error} If it ends before that, or does not listen soon after
   */
  static async start(
    core: number,
    command: readonly string[],
    env: Record<string, string> = {},
  ): Promise<RunningPeer> {
    const process = new MeasuredProcess(core, command, env, ["sh", "-c", TELL_PID, "sh"]);
    try {
      const [, pid] = await process.line(/^\{"pid":(\d+)\}$/);
      const [, port] = await process.line(/"port":(\d+)/);
      await waitUntilListening(Number(port));
      return new RunningPeer(process, Number(pid), Number(port));
    } catch (error) {
      // It has often ended by itself.
      await process[Symbol.asyncDispose]().catch(() => {});
      throw error;
    }
  }

  /** CPU time so far of all its processes, in microseconds. */
  async cpuMicroseconds(): Promise<number> {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", TREE, "sh", String(this.#pid)],
    }).output();
    // utime and stime, proc(5), in ticks of 10 ms.
    return new TextDecoder().decode(stdout).trim().split("\n").reduce((sum, line) => {
      const fields = line.split(") ")[1].split(" ");
      return sum + (Number(fields[11]) + Number(fields[12])) * 10_000;
    }, 0);
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

async function waitUntilListening(port: number): Promise<void> {
  for (let waited = 0;; waited += RETRY_MS) {
    try {
      return (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) || waited > LISTEN_MS_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
