/**
 * The command behind `deno task limiter`: the connection limit in the packet filter, for any server on a port.
 *
 * @module
 */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import type { LogLevel } from "@logtape/logtape";
import { configureLogging, type LogFormat, parseLogLevel } from "../telemetry/mod.ts";
import { chooseTiers, installRules, tierFor } from "./ladder_rules.ts";
import { parseDuration } from "./duration.ts";
import { LIMIT_ALGORITHMS } from "./limit_algorithms.ts";
import { LIMIT_INITIAL, LIMIT_MINIMUM, PERIOD_MS, PERIOD_MS_MAX, PERIOD_MS_MIN } from "./limits.ts";
import { PacketFilterError } from "./nft.ts";
import { installedLadder, PacketFilter, removePacketFilter } from "./packet_filter.ts";
import { runSidecar, type SidecarOptions } from "./sidecar.ts";

/** Every setting: its default and what it is. */
const SETTINGS = {
  PORT: ["8080", "the port whose new connections are counted"],
  CONNECTION_LIMIT: ["500", "a number, or auto (the default of run): between the next two"],
  CONNECTION_LIMIT_MINIMUM: [String(LIMIT_MINIMUM), "the lowest that auto may choose"],
  CONNECTION_LIMIT_MAXIMUM: ["1000", "the highest that auto may choose"],
  LIMIT_ALGORITHM: ["gradient", "how auto chooses: gradient or step"],
  LIMIT_PERIOD: [`${PERIOD_MS / 1_000}s`, "time between two decisions"],
  METRICS_URL: ["http://127.0.0.1:9090/metrics", "where the service has its metrics"],
  LIMITER_METRICS_PORT: ["9091", "port of the limiter's own metrics; 0 picks a free one"],
  LIMITER_METRICS_HOST: ["127.0.0.1", "address of the limiter's own metrics"],
  LOG_FORMAT: ["", "text or json; text on a terminal if empty"],
  LOG_LEVEL: ["info", "debug (each decision), info, warning or error"],
} as const;

type SettingName = keyof typeof SETTINGS;

const HELP = `Limits the connections to a port in the kernel's packet filter.

  deno task limiter -- COMMAND [--port=8080] [--connection-limit=500]

Commands
  run      (the default) keeps the limit while it runs, and moves it by what the service measures
  print    prints the rules that would be installed; needs no privileges
  install  installs them; they stay until they are removed
  remove   removes them
  status   tells the limit in force, the tiers and how many connections were refused

Settings, as --kebab-case=value or from the environment
${
  Object.entries(SETTINGS).map(([name, [value, help]]) =>
    `  ${name.padEnd(25)} ${(value === "" ? "-" : value).padEnd(9)} ${help}`
  ).join("\n")
}

All but print need nft (Debian: nftables) and CAP_NET_ADMIN in the network namespace of the server.`;

/** What the command was asked to do. */
interface Asked extends Omit<SidecarOptions, "signal"> {
  command: string;
  logFormat: LogFormat;
  logLevel: LogLevel;
}

class UsageError extends Error {}

try {
  const text = await perform(Deno.args);
  if (text !== "") console.log(text);
} catch (error) {
  const isUsage = error instanceof UsageError || error instanceof RangeError;
  const isTaken = error instanceof Deno.errors.AddrInUse;
  if (!isUsage && !isTaken && !(error instanceof PacketFilterError)) throw error;
  console.error(isTaken ? "LIMITER_METRICS_PORT is in use: give another, or 0" : error.message);
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
      await run(asked);
      return "";
    default:
      throw new UsageError(`${command}: there is no such command.`);
  }
}

/** Until somebody ends it; the rules go with it. */
async function run(asked: Asked): Promise<void> {
  configureLogging({ format: asked.logFormat, level: asked.logLevel });
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stopping.abort());
  }
  await runSidecar({ ...asked, signal: stopping.signal });
  Deno.exit(0);
}

async function install(asked: Asked): Promise<string> {
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
function readArguments(args: string[]): Asked | null {
  const { values, positionals } = parse(args);
  if (values.help === true) return null;
  if (positionals.length > 1) throw new UsageError(`${positionals[1]}: one command at a time.`);
  const command = positionals[0] ?? "run";
  const read = (name: SettingName, fallback: string = SETTINGS[name][0]): string => {
    const value = values[flagOf(name)] ?? Deno.env.get(name);
    return typeof value === "string" && value !== "" ? value : fallback;
  };
  const readNumber = (name: SettingName): number => {
    const text = read(name);
    if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${name}: "${text}" is no whole number.`);
    return Number(text);
  };
  const readPort = (name: SettingName, lowest: number): number => {
    const port = readNumber(name);
    if (port >= lowest && port <= 65_535) return port;
    throw new UsageError(`${name}: ${port} is no port: ${lowest} to 65535.`);
  };
  const readOne = <T extends string>(name: SettingName, values: readonly T[]): T => {
    const text = read(name);
    const found = values.find((value) => value === text);
    if (found !== undefined) return found;
    throw new UsageError(`${name}: "${text}" is none of ${values.join(", ")}.`);
  };
  const readAs = <T>(name: SettingName, parse: (text: string) => T): T => {
    const text = read(name);
    try {
      return parse(text);
    } catch (error) {
      throw new UsageError(`${name}: "${text}": ${(error as Error).message}.`);
    }
  };
  const isAuto = read("CONNECTION_LIMIT", command === "run" ? "auto" : undefined) === "auto";
  const [minimum, maximum] = isAuto
    ? [readNumber("CONNECTION_LIMIT_MINIMUM"), readNumber("CONNECTION_LIMIT_MAXIMUM")]
    : [readNumber("CONNECTION_LIMIT"), readNumber("CONNECTION_LIMIT")];
  const tiers = chooseTiers(minimum, maximum);
  const metricsUrl = read("METRICS_URL");
  if (!URL.canParse(metricsUrl) || !/^https?:/.test(metricsUrl)) {
    throw new UsageError(`METRICS_URL: "${metricsUrl}" is no http or https URL.`);
  }
  return {
    command,
    port: readPort("PORT", 1),
    tiers,
    limit: tierFor(tiers, LIMIT_INITIAL),
    algorithm: isAuto ? readOne("LIMIT_ALGORITHM", LIMIT_ALGORITHMS) : null,
    metricsUrl,
    periodMs: readAs(
      "LIMIT_PERIOD",
      (text) => parseDuration(text, PERIOD_MS_MIN, PERIOD_MS_MAX),
    ),
    hostname: read("LIMITER_METRICS_HOST"),
    metricsPort: readPort("LIMITER_METRICS_PORT", 0),
    logFormat: read("LOG_FORMAT") === ""
      ? Deno.stdout.isTerminal() ? "text" : "json"
      : readOne("LOG_FORMAT", ["text", "json"]),
    logLevel: readAs("LOG_LEVEL", parseLogLevel),
  };
}

function flagOf(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

function parse(args: string[]) {
  const options: ParseArgsOptionsConfig = { help: { type: "boolean", short: "h" } };
  for (const name of Object.keys(SETTINGS)) options[flagOf(name)] = { type: "string" };
  try {
    // `deno task limiter -- print` hands the two dashes on.
    return parseArgs({
      args: args[0] === "--" ? args.slice(1) : args,
      allowPositionals: true,
      options,
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
