/**
 * The command behind `deno task limiter`: the connection limit in the packet filter, for any server on a port.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { chooseTiers, installRules, type Ladder } from "./ladder_rules.ts";
import { PacketFilterError } from "./nft.ts";
import { installedLadder, PacketFilter, removePacketFilter } from "./packet_filter.ts";

const HELP = `Limits the connections to a port in the kernel's packet filter.

  deno task limiter -- COMMAND [--port=8080] [--connection-limit=500]

Commands
  run      (the default) moves the limit by itself for as long as it runs
  print    prints the rules that would be installed; needs no privileges
  install  installs them; they stay until they are removed
  remove   removes them
  status   tells the limit in force, the tiers and how many connections were refused

Settings, as --name=value or from the environment
  PORT                      8080  the port whose new connections are counted
  CONNECTION_LIMIT          500   a number, or auto: between the next two
  CONNECTION_LIMIT_MINIMUM  20    the lowest that auto may choose
  CONNECTION_LIMIT_MAXIMUM  1000  the highest that auto may choose, and the one that it begins with

All but print need nft (Debian: nftables) and CAP_NET_ADMIN in the network namespace of the server.`;

/** What the command was asked to do. */
interface Limits extends Ladder {
  command: string;
  limit: number;
}

class UsageError extends Error {}

try {
  const text = await perform(Deno.args);
  if (text !== "") console.log(text);
} catch (error) {
  const isUsage = error instanceof UsageError || error instanceof RangeError;
  if (!isUsage && !(error instanceof PacketFilterError)) throw error;
  console.error(error.message);
  if (isUsage) console.error("--help lists commands and settings.");
  Deno.exit(isUsage ? 2 : 1);
}

async function perform(args: string[]): Promise<string> {
  const asked = readArguments(args);
  if (asked === null) return HELP;
  const { command, port, limit } = asked;
  switch (command) {
    case "print":
      return installRules(asked, limit);
    case "install":
      return await install(asked);
    case "remove":
      await removePacketFilter(port);
      return `Port ${port} has no limit in the packet filter.`;
    case "status":
      return await status(port);
    case "run":
      // THE ADAPTIVE SIDECAR GOES HERE: open PacketFilter with these tiers, and let AdaptiveLimiter move its limit.
      throw new UsageError("run: not there yet; install keeps a fixed limit.");
    default:
      throw new UsageError(`${command}: there is no such command.`);
  }
}

async function install(asked: Limits): Promise<string> {
  // Not closed: the rules outlive the command.
  const filter = await PacketFilter.open(asked);
  const found = {
    none: "",
    kept: " The same rules were there already: connections keep their count.",
    replaced: " Other rules for the port were replaced.",
  }[filter.leftover];
  const timeouts = filter.timeoutsProblem === null
    ? ""
    : ` Half-open connections keep their place for up to two minutes: ${filter.timeoutsProblem}.`;
  return `Port ${asked.port} is limited to ${filter.limit} connections.${found}${timeouts}`;
}

async function status(port: number): Promise<string> {
  const found = await installedLadder(port);
  if (found === null) return `Port ${port} has no limit in the packet filter.`;
  const { tiers, limit, rejections } = found;
  return [
    `Port ${port} is limited to ${limit ?? "any number of"} connections.`,
    `tiers: ${tiers.join(", ")}`,
    `refused: ${rejections}`,
  ].join("\n");
}

/** @returns `null` where help was asked for */
function readArguments(args: string[]): Limits | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  if (positionals.length > 1) throw new UsageError(`${positionals[1]}: one command at a time.`);
  const read = (name: string, fallback: string): string => {
    const flag = name.toLowerCase().replaceAll("_", "-") as Exclude<keyof typeof values, "help">;
    return values[flag] ?? Deno.env.get(name) ?? fallback;
  };
  const readNumber = (name: string, fallback: string): number => {
    const text = read(name, fallback);
    if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${name}: "${text}" is no whole number.`);
    return Number(text);
  };
  const isAuto = read("CONNECTION_LIMIT", "500") === "auto";
  const [minimum, maximum] = isAuto
    ? [readNumber("CONNECTION_LIMIT_MINIMUM", "20"), readNumber("CONNECTION_LIMIT_MAXIMUM", "1000")]
    : [readNumber("CONNECTION_LIMIT", "500"), readNumber("CONNECTION_LIMIT", "500")];
  const port = readNumber("PORT", "8080");
  if (port < 1 || port > 65_535) throw new UsageError(`PORT: ${port} is no port: 1 to 65535.`);
  return {
    command: positionals[0] ?? "run",
    port,
    tiers: chooseTiers(minimum, maximum),
    limit: maximum,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      // `deno task limiter -- print` hands the two dashes on.
      args: args[0] === "--" ? args.slice(1) : args,
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        port: { type: "string" },
        "connection-limit": { type: "string" },
        "connection-limit-minimum": { type: "string" },
        "connection-limit-maximum": { type: "string" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
