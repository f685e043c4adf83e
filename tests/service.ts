/**
 * The service as a child process, for tests that know nothing of it but its contract: its settings, its log, its ports
 * and the signals that it takes.
 *
 * @module
 */

/** One line of the log. */
export interface LogLine {
  level: string;
  logger: string;
  message: string;
  [name: string]: unknown;
}

/** How a service is started. */
export interface ServiceOptions {
  /** Settings by name, beside those that every test has. */
  settings?: Record<string, string>;
  /** Arguments behind the program. */
  args?: readonly string[];
  /** Permissions for `deno run`; those of `deno task start` by default. */
  permissions?: readonly string[];
  /** A program that runs it, with its arguments. */
  wrapper?: readonly string[];
  /** Modules that run before the program. */
  preload?: readonly string[];
  /** The folder to run in; a new one, removed afterwards, by default. */
  folder?: string;
}

/** How a process ended. */
export interface Ending {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

/** The permissions of the start task. */
export const START_PERMISSIONS: readonly string[] = [
  "--allow-net",
  "--allow-env",
  "--allow-read",
  "--allow-write",
  "--allow-sys",
  "--allow-run=nft,/usr/sbin/nft",
  "--allow-ffi",
];

/** The longest that anything here waits for the service, in milliseconds. */
export const WAIT_MS_MAX = 20_000;

/** A program of this repository, as `deno run` starts it; further flags come from MARQUEE_DENO_FLAGS. */
export function denoRun(
  program: string,
  flags: readonly string[],
  args: readonly string[],
): string[] {
  const more = Deno.env.get("MARQUEE_DENO_FLAGS")?.split(" ").filter((flag) => flag !== "") ?? [];
  const path = new URL(`../${program}`, import.meta.url).pathname;
  return [Deno.execPath(), "run", "--no-prompt", ...more, ...flags, path, ...args];
}

/** What the tests themselves decide; everything else (TRANSPORT, PATH, DENO_DIR) is handed through. */
const USUAL_SETTINGS: Record<string, string> = {
  HOST: "127.0.0.1",
  PORT: "0",
  ADMIN_HOST: "127.0.0.1",
  ADMIN_PORT: "0",
  KV_PATH: ":memory:",
  POLL_INTERVAL: "24h",
  LOG_FORMAT: "json",
  NO_COLOR: "1",
};
const NOT_HANDED_THROUGH =
  /^(WORKERS|ADMIN_TOKEN|PROVIDER_.*|SELL_MODE_POLICY|MAX_CONNECTIONS|SHED|CONNECTION_LIMIT.*|LIMIT_.*|TRUSTED_PROXIES|RATE_LIMIT.*|.*_TIMEOUT|LOG_.*|SLOW_REQUEST|CERT_FILE|KEY_FILE|OTEL_.*|DENO_DEPLOYMENT_ID)$/;

function spawn(options: ServiceOptions, folder: string): Deno.ChildProcess {
  const {
    settings = {},
    args = [],
    permissions = START_PERMISSIONS,
    preload = [],
    wrapper = [],
  } = options;
  const flags = [...permissions, ...preload.map((module) => `--preload=${module}`)];
  const [program, ...rest] = [...wrapper, ...denoRun("main.ts", flags, args)];
  const inherited = Object.entries(Deno.env.toObject())
    .filter(([name]) => !NOT_HANDED_THROUGH.test(name));
  return new Deno.Command(program, {
    args: rest,
    cwd: folder,
    clearEnv: true,
    env: { ...Object.fromEntries(inherited), ...USUAL_SETTINGS, ...settings },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** A process that was started and writes lines. */
class Running {
  readonly child: Deno.ChildProcess;
  readonly ended: Promise<Ending>;
  readonly lines: LogLine[] = [];
  hasEnded = false;
  #stdout = "";
  #stderr = "";
  #changed = Promise.withResolvers<void>();

  constructor(child: Deno.ChildProcess) {
    this.child = child;
    const reading = Promise.all([
      this.#read(child.stdout, (text) => this.#stdout += text),
      this.#read(child.stderr, (text) => this.#stderr += text),
    ]);
    this.ended = Promise.all([child.status, reading]).then(([{ code, signal }]) => {
      this.hasEnded = true;
      this.#wake();
      return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get output(): string {
    return `${this.#stdout}\n${this.#stderr}`;
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      take(text);
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith("{")) this.lines.push(JSON.parse(line));
      this.#wake();
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** The first line that fits. */
  async line(fits: (line: LogLine) => boolean, what: string): Promise<LogLine> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#wake();
    }, WAIT_MS_MAX);
    try {
      for (;;) {
        const found = this.lines.find(fits);
        if (found !== undefined) return found;
        if (this.hasEnded || isLate) {
          const reason = this.hasEnded ? "it ended first" : `not within ${WAIT_MS_MAX} ms`;
          throw new Error(`the service never logged ${what} (${reason}):\n${this.output}`);
        }
        await this.#changed.promise;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Runs the program to its end, which must come by itself. */
export async function runToEnd(options: ServiceOptions): Promise<Ending> {
  const folder = options.folder ?? await Deno.makeTempDir();
  const running = new Running(spawn(options, folder));
  const timer = setTimeout(() => running.child.kill("SIGKILL"), WAIT_MS_MAX);
  const ending = await running.ended;
  clearTimeout(timer);
  if (options.folder === undefined) await Deno.remove(folder, { recursive: true });
  return ending;
}

/** The service, listening. */
export class Service implements AsyncDisposable {
  /** The base of the public routes, without a slash at its end. */
  readonly url: string;
  /** The base of the admin routes; `null` where there is only one port. */
  readonly adminUrl: string | null;
  /** Where it runs. */
  readonly folder: string;
  readonly #running: Running;
  readonly #isFolderOurs: boolean;

  private constructor(
    running: Running,
    options: ServiceOptions,
    folder: string,
    ports: { port: number; adminPort: number | null },
  ) {
    this.#running = running;
    this.folder = folder;
    this.#isFolderOurs = options.folder === undefined;
    const scheme = options.settings?.CERT_FILE === undefined ? "http" : "https";
    this.url = `${scheme}://127.0.0.1:${ports.port}`;
    this.adminUrl = ports.adminPort === null ? null : `http://127.0.0.1:${ports.adminPort}`;
  }

  /** Starts the service and resolves when it has logged its ports and has loaded what is stored. */
  static async start(options: ServiceOptions = {}): Promise<Service> {
    const folder = options.folder ?? await Deno.makeTempDir();
    const running = new Running(spawn(options, folder));
    try {
      const { port } = await running.line(({ message }) => /^Search: /.test(message), "its port");
      // The store is named after the ports, and the catalogue is loaded after that.
      await running.line(({ message }) => /^Store: /.test(message), "its store");
      const admin = running.lines.find(({ message, port }) => /^Admin: /.test(message) && port);
      const adminPort = admin === undefined ? null : Number(admin.port);
      await running.line(({ message }) => /^Loaded \d+ events/.test(message), "what it loaded");
      return new Service(running, options, folder, { port: Number(port), adminPort });
    } catch (error) {
      if (!running.hasEnded) running.child.kill("SIGKILL");
      await running.ended;
      throw error;
    }
  }

  /** Every line of the log so far, oldest first. */
  get lines(): readonly LogLine[] {
    return this.#running.lines;
  }

  /** Whether the process has ended. */
  get hasEnded(): boolean {
    return this.#running.hasEnded;
  }

  /** Resolves when the process has ended. */
  get ended(): Promise<Ending> {
    return this.#running.ended;
  }

  /** The first line of the log that fits, now or soon. */
  line(fits: (line: LogLine) => boolean, what: string): Promise<LogLine> {
    return this.#running.line(fits, what);
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#running.child.kill(signal);
  }

  /** Ends it with SIGTERM, or SIGKILL where that does not. */
  async stop(): Promise<Ending> {
    if (this.hasEnded) return await this.ended;
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.hasEnded || this.signal("SIGKILL"), WAIT_MS_MAX);
    const ending = await this.ended;
    clearTimeout(timer);
    return ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) this.signal("SIGKILL");
    await this.ended;
    if (this.#isFolderOurs) await Deno.remove(this.folder, { recursive: true });
  }
}
