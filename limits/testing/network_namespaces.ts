/**
 * Network namespaces for tests and benches: hosts of their own, with their own packet filter, that vanish with all that
 * is in them. They need root and iproute2.
 *
 * @module
 */

/** One network namespace, with loopback; disposing of it takes its devices, rules and connections along. */
export class NetworkNamespace implements AsyncDisposable {
  /** As `ip netns` knows it. */
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /**
   * Makes one.
   *
   * @throws {Error} in the words of `ip` where that is not possible
   */
  static async make(): Promise<NetworkNamespace> {
    const name = `marquee-${crypto.randomUUID().slice(0, 8)}`;
    await runProgram("ip", ["netns", "add", name]);
    const made = new NetworkNamespace(name);
    try {
      await runProgram("ip", ["-n", name, "link", "set", "lo", "up"]);
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The arguments with which `ip` runs a program inside. */
  inside(program: string, args: readonly string[]): string[] {
    return ["netns", "exec", this.name, program, ...args];
  }

  /**
   * Runs a program inside, to its end.
   *
   * @returns What it printed
   * @throws {Error} in its own words where it fails
   */
  async run(program: string, args: readonly string[]): Promise<string> {
    return await runProgram("ip", this.inside(program, args));
  }

  /** Starts a program inside; its output is the caller's to read. `ip` becomes the program, so signals reach it. */
  spawn(program: string, args: readonly string[]): Deno.ChildProcess {
    return new Deno.Command("ip", {
      args: this.inside(program, args),
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runProgram("ip", ["netns", "delete", this.name]);
  }
}

/** Two hosts with a cable between them. */
export class JoinedNamespaces implements AsyncDisposable {
  readonly server: NetworkNamespace;
  readonly client: NetworkNamespace;
  /** Where the client reaches the server, by IPv4 and IPv6. */
  readonly serverAddresses = { ipv4: "10.99.0.2", ipv6: "fd99::2" };

  private constructor(server: NetworkNamespace, client: NetworkNamespace) {
    this.server = server;
    this.client = client;
  }

  /**
   * Makes both and joins them.
   *
   * @throws {Error} in the words of `ip` where that is not possible
   */
  static async make(): Promise<JoinedNamespaces> {
    const server = await NetworkNamespace.make();
    const client = await NetworkNamespace.make();
    const joined = new JoinedNamespaces(server, client);
    const { ipv4, ipv6 } = joined.serverAddresses;
    try {
      const pair = ["type", "veth", "peer", "name", "server", "netns", server.name];
      await runProgram("ip", ["link", "add", "client", "netns", client.name, ...pair]);
      for (
        const [{ name }, device, addresses] of [
          [server, "server", [`${ipv4}/24`, `${ipv6}/64`]],
          [client, "client", ["10.99.0.1/24", "fd99::1/64"]],
        ] as const
      ) {
        for (const address of addresses) {
          // Without duplicate address detection, which takes a second.
          const nodad = address.includes(":") ? ["nodad"] : [];
          await runProgram("ip", ["-n", name, "addr", "add", address, "dev", device, ...nodad]);
        }
        await runProgram("ip", ["-n", name, "link", "set", device, "up"]);
      }
      return joined;
    } catch (error) {
      await joined[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.client[Symbol.asyncDispose]();
  }
}

/**
 * Why there can be no network namespaces with a packet filter here, found out by making one.
 *
 * @returns `null` where there can, else one line
 */
export async function networkNamespaceProblem(): Promise<string | null> {
  try {
    await using namespace = await NetworkNamespace.make();
    await namespace.run("nft", ["list ruleset"]);
    return null;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

const PROGRAM_MS_MAX = 20_000;

async function runProgram(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    signal: AbortSignal.timeout(PROGRAM_MS_MAX),
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
