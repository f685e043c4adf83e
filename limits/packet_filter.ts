import {
  counterName,
  installRules,
  type Ladder,
  limitRules,
  readLadder,
  removeRules,
  tableName,
  tierFor,
} from "./ladder_rules.ts";
import type { InstalledLadder } from "./ladder_rules.ts";
import { PacketFilterError, runNft } from "./nft.ts";
import { WAITING_MAX } from "./limits.ts";

/** How a packet filter is opened. */
export interface PacketFilterOptions extends Ladder {
  /** The limit to begin with, rounded down to a tier. */
  readonly limit: number;
  /** Told in one line when somebody has removed the rules and they were installed again, with counts from zero. */
  readonly onReinstalled?: (reason: string) => void;
}

/** What an earlier run had left for the port: nothing, the same ladder, whose counts are kept, or another table. */
export type Leftover = "none" | "kept" | "replaced";

/**
 * A connection limit that the kernel keeps: past it new connections to the port are refused with a TCP reset, before
 * the server knows of them. Established ones are never touched. Connections are counted by conntrack: half-open and
 * half-closed ones have a place too.
 *
 * The rules belong to the network namespace that the process runs in and stay when it is killed: they go on limiting.
 * The next one that opens the same ladder takes them over with their counts, since connections may have outlived the
 * process that counted them; any other table of that name is replaced, in one transaction.
 *
 * One for each port and network namespace: a second takes the table from the first. Close it to remove the rules.
 *
 * @example
 * ```ts
 * import { chooseTiers } from "./ladder_rules.ts";
 * import { PacketFilter, packetFilterProblem } from "./packet_filter.ts";
 *
 * async function limitConnections(port: number): Promise<PacketFilter | null> {
 *   const problem = await packetFilterProblem();
 *   if (problem !== null) {
 *     console.warn(problem);
 *     return null;
 *   }
 *   const filter = await PacketFilter.open({ port, tiers: chooseTiers(50, 500), limit: 500 });
 *   await filter.apply(300);
 *   return filter;
 * }
 * ```
 */
export class PacketFilter implements AsyncDisposable {
  /** What an earlier run had left. */
  readonly leftover: Leftover;
  /**
   * Why half-open and half-closed connections keep their place for up to two minutes, in one line: the kernel was built
   * without timeouts for single ports. `null` where they lose it after seconds.
   */
  get timeoutsProblem(): string | null {
    return this.#timeoutsProblem;
  }
  /** The limit in force. */
  get limit(): number {
    return this.#limit;
  }

  readonly #ladder: Ladder;
  readonly #onReinstalled: (reason: string) => void;
  #limit: number;
  #timeoutsProblem: string | null;
  /** What was counted in tables that somebody has removed, and what was last read of this one. */
  #rejectionsBefore = 0;
  #rejectionsRead = 0;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closing: Promise<void> | null = null;

  private constructor(
    options: PacketFilterOptions,
    limit: number,
    leftover: Leftover,
    timeoutsProblem: string | null,
  ) {
    this.#ladder = { port: options.port, tiers: options.tiers };
    this.#onReinstalled = options.onReinstalled ?? (() => {});
    this.#limit = limit;
    this.leftover = leftover;
    this.#timeoutsProblem = timeoutsProblem;
  }

  /**
   * Installs the rules.
   *
   * @throws {PacketFilterError} where that cannot be done; nothing is left behind then
   * @throws {RangeError} where the port or the limit is none
   */
  static async open(options: PacketFilterOptions): Promise<PacketFilter> {
    checkPort(options.port);
    const limit = tierFor(options.tiers, options.limit);
    const left = await installedLadder(options.port);
    if (left !== null && isSame(left, options)) {
      await runNft(`limit port ${options.port} to ${limit}`, [limitRules(options, limit)]);
      const problem = left.hasTimeouts ? null : "the rules that were found have none";
      return new PacketFilter(options, limit, "kept", problem);
    }
    const problem = await install(options, limit);
    return new PacketFilter(options, limit, left === null ? "none" : "replaced", problem);
  }

  /**
   * Moves the limit; who is connected stays connected and counted. Calls take effect in the order in which they are made.
   * Where somebody has removed the rules (`nft flush ruleset`), they are installed again.
   *
   * @returns The limit in force: the wanted one, rounded down to a tier, or the lowest tier
   * @throws {PacketFilterError} where the rules cannot be changed; the limit is then what it was
   * @throws {RangeError} where the limit is no number
   */
  async apply(limit: number): Promise<number> {
    const tier = tierFor(this.#ladder.tiers, limit);
    return await this.#inTurn(async () => {
      const { port } = this.#ladder;
      try {
        await runNft(`limit port ${port} to ${tier}`, [limitRules(this.#ladder, tier)]);
      } catch (error) {
        await this.#reinstall(tier, error);
      }
      return this.#limit = tier;
    });
  }

  /**
   * Connections refused so far, those of a table that was taken over included; never fewer than before. Where somebody
   * has removed the table, as by flushing the ruleset, it is installed again with the limit in force.
   *
   * @throws {PacketFilterError} where the counter cannot be read, or the rules cannot be installed again
   */
  async rejections(): Promise<number> {
    return await this.#inTurn(async () => {
      const { port } = this.#ladder;
      try {
        const listing = await runNft(
          `count what port ${port} refused`,
          ["--json", `list counter ${counterName(port)}`],
        );
        this.#rejectionsRead = readLadder(port, listing).rejections;
      } catch (error) {
        await this.#reinstall(this.#limit, error);
      }
      return this.#rejectionsBefore + this.#rejectionsRead;
    });
  }

  /**
   * Removes the rules after what waits is done; then everything is admitted.
   *
   * @throws {PacketFilterError} where they cannot be removed
   */
  close(): Promise<void> {
    return this.#closing ??= this.#inTurn(() => removePacketFilter(this.#ladder.port));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Installs rules again that are gone; anything else that an error says is thrown. */
  async #reinstall(tier: number, error: unknown): Promise<void> {
    if (!isGone(error)) throw error;
    this.#timeoutsProblem = await install(this.#ladder, tier);
    this.#rejectionsBefore += this.#rejectionsRead;
    this.#rejectionsRead = 0;
    this.#onReinstalled(
      `The rules of port ${this.#ladder.port} were gone and are installed again`,
    );
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const { port } = this.#ladder;
    if (this.#closing !== null) {
      throw new PacketFilterError("refused", `The packet filter of port ${port} is closed`);
    }
    if (this.#waiting >= WAITING_MAX) {
      throw new PacketFilterError(
        "late",
        `${WAITING_MAX} changes of the packet filter of port ${port} wait already: ask less often`,
      );
    }
    this.#waiting++;
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}).finally(() => this.#waiting--);
    return await result;
  }
}

/**
 * Why the kernel cannot keep a limit here, found out by having it check the rules without installing them.
 *
 * @returns `null` where it can, else why not and what to do, in one line
 */
export async function packetFilterProblem(): Promise<string | null> {
  const ladder = { port: 1, tiers: [1, 2] };
  try {
    await runNft("be used", ["--check", installRules(ladder, 1, false)]);
    return null;
  } catch (error) {
    if (!(error instanceof PacketFilterError)) throw error;
    return error.reason === "refused"
      ? `${error.message}: the kernel needs CONFIG_NFT_CONNLIMIT, CONFIG_NFT_CT and CONFIG_NFT_REJECT_INET`
      : error.message;
  }
}

/**
 * The ladder that is installed for a port, by whomever.
 *
 * @returns `null` where there is none
 * @throws {PacketFilterError} where the rules cannot be read
 */
export async function installedLadder(port: number): Promise<InstalledLadder | null> {
  checkPort(port);
  try {
    const listing = await runNft(
      `look for rules of port ${port}`,
      ["--json", `list table ${tableName(port)}`],
    );
    return readLadder(port, listing);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** Whether nft names something that is not there. Installing it again after any other error would forget who is connected. */
function isGone(error: unknown): boolean {
  return error instanceof PacketFilterError && error.reason === "refused" &&
    /no such file/i.test(error.message);
}

/**
 * Removes the rules of a port, whoever installed them and whether there are any or not.
 *
 * @throws {PacketFilterError} where they cannot be removed
 */
export async function removePacketFilter(port: number): Promise<void> {
  checkPort(port);
  await runNft(`remove the rules of port ${port}`, [removeRules(port)]);
}

/** Installs a ladder, without timeouts of its own where the kernel has none for single ports, and then says why. */
async function install(ladder: Ladder, limit: number): Promise<string | null> {
  const task = `limit port ${ladder.port} to ${limit}`;
  try {
    await runNft(task, [installRules(ladder, limit)]);
    return null;
  } catch (error) {
    if (!(error instanceof PacketFilterError && error.reason === "refused")) throw error;
    await runNft(task, [installRules(ladder, limit, false)]);
    return error.message;
  }
}

function isSame(left: InstalledLadder, { tiers }: Ladder): boolean {
  return left.isComplete && left.tiers.length === tiers.length &&
    left.tiers.every((tier, i) => tier === tiers[i]);
}

function checkPort(port: number): void {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`port ${port}: give a whole number from 1 to 65535`);
  }
}
