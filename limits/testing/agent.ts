import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { NetworkNamespace } from "./network_namespaces.ts";
import type { AgentCommands } from "./namespace_agent.ts";

/** How an agent is started. */
export interface AgentOptions {
  /** A program, with arguments, that starts Deno in its turn: to take privileges away. */
  through?: readonly string[];
  /** Variables of its environment. */
  environment?: Record<string, string>;
  /** Permissions of Deno's; those of `deno task limiter` unless said otherwise. */
  permissions?: readonly string[];
}

/** A process in a network namespace that does what it is told (namespace_agent.ts). */
export class Agent implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncIterator<string>;

  /** Starts one; commands wait until it runs. */
  constructor(namespace: NetworkNamespace, options: AgentOptions = {}) {
    const { through = [], environment = {}, permissions } = options;
    const [program, ...args] = [
      ...through,
      Deno.execPath(),
      "run",
      "--no-prompt",
      ...permissions ?? ["--allow-net", "--allow-env", "--allow-run=nft,/usr/sbin/nft"],
      new URL("./namespace_agent.ts", import.meta.url).pathname,
    ];
    this.#child = new Deno.Command("ip", {
      args: namespace.inside(program, args),
      env: environment,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    const output = Readable.fromWeb(this.#child.stdout as Parameters<typeof Readable.fromWeb>[0]);
    this.#answers = createInterface({ input: output })[Symbol.asyncIterator]();
  }

  /**
   * Has it do something; one command at a time.
   *
   * @throws {Error} with the agent's own message where it could not
   */
  async tell<Name extends keyof AgentCommands>(
    name: Name,
    ...args: Parameters<AgentCommands[Name]>
  ): Promise<Awaited<ReturnType<AgentCommands[Name]>>> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify([name, ...args])}\n`));
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the agent ended instead of doing "${name}"`);
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value;
  }

  /** Ends it as the kernel would. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
  }
}
