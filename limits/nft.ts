import { COMMAND_MS_MAX } from "./limits.ts";

/**
 * What stood in the way: no `nft` to be run, no permission of Deno's to run it, no permission of the kernel's to change
 * its rules, rules that the kernel refuses, or no answer in time.
 */
export type PacketFilterErrorReason = "missing" | "not allowed" | "forbidden" | "refused" | "late";

/** The packet filter cannot do what it was asked; the message says what, why in nft's own words, and what to do. */
export class PacketFilterError extends Error {
  override readonly name = "PacketFilterError";
  /** What stood in the way. */
  readonly reason: PacketFilterErrorReason;

  constructor(reason: PacketFilterErrorReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Where nft is looked for: on the path, then where Debian has it, which is on the path of root only. */
const PROGRAMS = ["nft", "/usr/sbin/nft"];

/**
 * Runs `nft` once; several commands, one a line, are one transaction.
 *
 * @param task What it is for, to begin the message of an error with: "The packet filter cannot …"
 * @param args Options, then the commands
 * @returns What it printed
 * @throws {PacketFilterError}
 */
export async function runNft(task: string, args: string[]): Promise<string> {
  const fail = (reason: PacketFilterErrorReason, why: string) =>
    new PacketFilterError(reason, `The packet filter cannot ${task}: ${why}`);
  const output = await spawnNft(args).catch((error) => {
    if (error instanceof Deno.errors.NotCapable) {
      return fail(
        "not allowed",
        `no permission to run nft: run with --allow-run=${PROGRAMS.join(",")}`,
      );
    }
    if (error instanceof Deno.errors.NotFound) {
      return fail("missing", "there is no nft in PATH or /usr/sbin: install nftables");
    }
    return fail("missing", `nft cannot be run: ${(error as Error).message}`);
  });
  if (output instanceof PacketFilterError) throw output;
  if (output.success) return new TextDecoder().decode(output.stdout);
  if (output.signal !== null) {
    throw fail("late", `nft was ended by ${output.signal}, after at most ${COMMAND_MS_MAX} ms`);
  }
  // The first line tells; those after it repeat the rules.
  const [words] = new TextDecoder().decode(output.stderr).trim().split("\n");
  if (/not permitted|permission denied/i.test(words)) {
    throw fail("forbidden", `${words}: it needs CAP_NET_ADMIN in its network namespace`);
  }
  throw fail("refused", `nft says: ${words}`);
}

async function spawnNft(args: string[]): Promise<Deno.CommandOutput> {
  let missing: unknown;
  for (const program of PROGRAMS) {
    const deadline = AbortSignal.timeout(COMMAND_MS_MAX);
    try {
      return await new Deno.Command(program, {
        args,
        env: { LC_ALL: "C" },
        stdin: "null",
        signal: deadline,
      }).output();
    } catch (error) {
      // The second program is not granted to everybody: then the first one's error tells more.
      if (missing !== undefined && error instanceof Deno.errors.NotCapable) throw missing;
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      missing = error;
    }
  }
  throw missing;
}
