import type { LogLevel } from "@logtape/logtape";
import type { SellModePolicy } from "./domain/mod.ts";
import { parseAddressRange } from "./limits/client_address.ts";
import { parseDuration } from "./limits/duration.ts";
import { LIMIT_ALGORITHMS, type LimitAlgorithm } from "./limits/limit_algorithms.ts";
import { RATE_MAX } from "./limits/limits.ts";
import { type LogFormat, parseLogLevel } from "./telemetry/log.ts";

/** Every setting, read and checked. Durations are in milliseconds, sizes in bytes. */
export interface Settings {
  port: number;
  host: string;
  adminPort: number;
  adminHost: string;
  adminToken: string | null;
  transport: "auto" | "uring" | "epoll" | "deno";
  workers: number;
  /** `null` for the default: data/marquee.kv, or the host's own KV where there is no file system. */
  kvPath: string | null;
  /** Empty for the built-in demo provider. */
  providerUrls: string[];
  pollIntervalMs: number;
  providerTimeoutMs: number;
  providerMaxBytes: number;
  sellModePolicy: SellModePolicy;
  maxConnections: number;
  shed: "none" | "app" | "kernel";
  /** `auto`: the service moves it. */
  connectionLimit: number | "auto";
  /** Bounds within which `auto` may choose. */
  connectionLimitMinimum: number;
  connectionLimitMaximum: number;
  limitAlgorithm: LimitAlgorithm;
  limitPeriodMs: number;
  /** Requests a second; `null` for no limit. */
  rateLimit: number | null;
  rateLimitPerClient: number | null;
  /** Addresses and ranges whose X-Forwarded-For is believed. */
  trustedProxies: string[];
  headerTimeoutMs: number;
  idleTimeoutMs: number;
  requestTimeoutMs: number;
  writeTimeoutMs: number;
  shutdownTimeoutMs: number;
  /** `null` for the default: text on a terminal, JSON elsewhere. */
  logFormat: LogFormat | null;
  logLevel: LogLevel;
  /** The share of requests that are logged though nothing is wrong with them, 0 to 1. */
  logRequests: number;
  slowRequestMs: number;
  certFile: string | null;
  keyFile: string | null;
  /** The names of settings that were given, in the environment or on the command line. */
  given: ReadonlySet<string>;
}

/** A setting that cannot be used. The message names the setting, the value and the remedy. */
export class SettingsError extends Error {
  override name = "SettingsError";
}

interface Definition {
  name: string;
  default: string;
  help: string;
  parse: (text: string) => unknown;
}

const cores = () => String(navigator.hardwareConcurrency);

/** By the member of Settings that each one fills. */
const definitions: Record<Exclude<keyof Settings, "given">, Definition> = {
  port: setting("PORT", "8080", "port of the public routes; 0 picks a free one", port),
  host: setting("HOST", "0.0.0.0", "address of the public routes", text),
  adminPort: setting("ADMIN_PORT", "9090", "port of the admin routes; 0 picks a free one", port),
  adminHost: setting("ADMIN_HOST", "127.0.0.1", "address of the admin routes", text),
  adminToken: setting("ADMIN_TOKEN", "", "Bearer token that admin POSTs need", optional(text)),
  transport: setting(
    "TRANSPORT",
    "auto",
    "auto (the best that works here), uring, epoll or deno",
    oneOf(["auto", "uring", "epoll", "deno"]),
  ),
  workers: setting(
    "WORKERS",
    "cores",
    "listener threads; the deno transport has one",
    (value) => whole(1, 1_024)(value === "cores" ? cores() : value),
  ),
  kvPath: setting(
    "KV_PATH",
    "",
    "SQLite file (data/marquee.kv), :memory:, or the URL of a KV Connect server",
    optional(text),
  ),
  providerUrls: setting(
    "PROVIDER_URL",
    "",
    "feeds, comma-separated; the built-in demo if empty",
    urls,
  ),
  pollIntervalMs: setting(
    "POLL_INTERVAL",
    "60s",
    "time between polls, from 1s",
    duration(1_000, 86_400_000),
  ),
  providerTimeoutMs: setting(
    "PROVIDER_TIMEOUT",
    "30s",
    "time for one request to a provider",
    duration(1, 3_600_000),
  ),
  providerMaxBytes: setting("PROVIDER_MAX_BYTES", "1GiB", "largest feed, uncompressed", bytes),
  sellModePolicy: setting(
    "SELL_MODE_POLICY",
    "latest",
    "latest (online when last listed) or ever (ever online)",
    oneOf(["latest", "ever"]),
  ),
  maxConnections: setting(
    "MAX_CONNECTIONS",
    "100000",
    "most connections, more wait; not on the deno transport",
    whole(1, 10_000_000),
  ),
  shed: setting(
    "SHED",
    "none",
    "what happens past the limit: none, app (503) or kernel (TCP reset)",
    oneOf(["none", "app", "kernel"]),
  ),
  connectionLimit: setting(
    "CONNECTION_LIMIT",
    "500",
    "connections past which SHED acts; auto finds it",
    (value) => value === "auto" ? value : whole(1, 10_000_000)(value),
  ),
  connectionLimitMinimum: setting(
    "CONNECTION_LIMIT_MINIMUM",
    "100",
    "the lowest limit that auto may find",
    whole(1, 1_000_000),
  ),
  connectionLimitMaximum: setting(
    "CONNECTION_LIMIT_MAXIMUM",
    "1000",
    "the highest limit that auto may find",
    whole(1, 1_000_000),
  ),
  limitAlgorithm: setting(
    "LIMIT_ALGORITHM",
    "gradient",
    "how CONNECTION_LIMIT=auto finds it: gradient or step",
    oneOf(LIMIT_ALGORITHMS),
  ),
  limitPeriodMs: setting(
    "LIMIT_PERIOD",
    "5s",
    "time between two decisions of CONNECTION_LIMIT=auto",
    duration(100, 3_600_000),
  ),
  rateLimit: setting("RATE_LIMIT", "off", "requests a second, of all clients together", rate),
  rateLimitPerClient: setting(
    "RATE_LIMIT_PER_CLIENT",
    "off",
    "requests a second of each client address, IPv6 by /64",
    rate,
  ),
  trustedProxies: setting(
    "TRUSTED_PROXIES",
    "",
    "addresses and ranges, comma-separated, whose X-Forwarded-For is believed",
    addressRanges,
  ),
  headerTimeoutMs: setting(
    "HEADER_TIMEOUT",
    "10s",
    "time for a request's head; not on the deno transport",
    duration(1, 3_600_000),
  ),
  idleTimeoutMs: setting(
    "IDLE_TIMEOUT",
    "60s",
    "time between requests; not on the deno transport",
    duration(1, 86_400_000),
  ),
  requestTimeoutMs: setting(
    "REQUEST_TIMEOUT",
    "30s",
    "time to make an answer",
    duration(1, 3_600_000),
  ),
  writeTimeoutMs: setting(
    "WRITE_TIMEOUT",
    "15s",
    "time without the client taking a byte of an answer; not on the deno transport",
    duration(1, 3_600_000),
  ),
  shutdownTimeoutMs: setting(
    "SHUTDOWN_TIMEOUT",
    "30s",
    "time for requests in flight after SIGTERM",
    duration(0, 3_600_000),
  ),
  logFormat: setting(
    "LOG_FORMAT",
    "",
    "text or json; text on a terminal if empty",
    optional(oneOf(["text", "json"])),
  ),
  logLevel: setting(
    "LOG_LEVEL",
    "info",
    "debug, info, warning or error",
    parseLogLevel,
  ),
  logRequests: setting(
    "LOG_REQUESTS",
    "0",
    "share of requests to log, 0 to 1; errors and slow ones always are",
    share,
  ),
  slowRequestMs: setting(
    "SLOW_REQUEST",
    "1s",
    "a request that takes longer is logged",
    duration(1, 3_600_000),
  ),
  certFile: setting("CERT_FILE", "", "TLS certificate chain (PEM), with KEY_FILE", optional(text)),
  keyFile: setting("KEY_FILE", "", "TLS private key (PEM), with CERT_FILE", optional(text)),
};

/**
 * Reads the settings: the command line first, then the environment, then the defaults.
 *
 * @param args `--kebab-case value` or `--kebab-case=value`
 * @param env Reads an environment variable; an empty one counts as not given
 * @throws {SettingsError} If one is unknown or cannot be used
 *
 * @example
 * ```ts
 * import { readSettings } from "./settings.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const settings = readSettings(["--poll-interval", "5m"], () => undefined);
 * assertEquals(settings.pollIntervalMs, 300_000);
 * ```
 */
export function readSettings(
  args: readonly string[],
  env: (name: string) => string | undefined,
): Settings {
  const flags = readFlags(args);
  const given = new Set<string>();
  const settings: Record<string, unknown> = { given };
  for (const [member, definition] of Object.entries(definitions)) {
    const flag = flags.get(flagOf(definition.name));
    const value = flag ?? env(definition.name)?.trim();
    if (value !== undefined && value !== "") given.add(definition.name);
    const origin = flag === undefined ? definition.name : flagOf(definition.name);
    try {
      settings[member] = definition.parse(
        value === undefined || value === "" ? definition.default : value,
      );
    } catch (error) {
      const shown = definition.parse === urls ? withoutCredentials(value ?? "") : value ?? "";
      throw new SettingsError(`${origin}=${JSON.stringify(shown)}: ${(error as Error).message}`);
    }
  }
  const checked = settings as unknown as Settings;
  if ((checked.certFile === null) !== (checked.keyFile === null)) {
    throw new SettingsError("CERT_FILE and KEY_FILE go together: give both or neither");
  }
  if (checked.connectionLimitMinimum > checked.connectionLimitMaximum) {
    throw new SettingsError(
      "CONNECTION_LIMIT_MINIMUM is above CONNECTION_LIMIT_MAXIMUM: give it a lower number",
    );
  }
  if (checked.connectionLimit === "auto" && checked.shed === "none") {
    throw new SettingsError("CONNECTION_LIMIT=auto moves what SHED keeps: give SHED=app or kernel");
  }
  return checked;
}

/** What `--help` prints: every setting with its default. */
export function settingsHelp(): string {
  const rows = Object.values(definitions).map(({ name, default: value, help }) =>
    `  ${name.padEnd(22)} ${(value === "" ? "-" : value).padEnd(10)} ${help}`
  );
  return `Marquee, an event-search service.

Usage: deno task start [--setting value ...]

Each setting is an environment variable, or the same in kebab-case on the command line: PORT=8081 or --port 8081.

  Setting                Default
${rows.join("\n")}
  DENO_KV_ACCESS_TOKEN   -          token of the KV Connect server in KV_PATH (environment only)
  OTEL_DENO              -          true sends OpenTelemetry traces; costs throughput (environment only)
`;
}

function setting(
  name: string,
  defaultText: string,
  help: string,
  parse: (text: string) => unknown,
): Definition {
  return { name, default: defaultText, help, parse };
}

function flagOf(name: string): string {
  return `--${name.toLowerCase().replaceAll("_", "-")}`;
}

function readFlags(args: readonly string[]): Map<string, string> {
  const known = new Set(Object.values(definitions).map(({ name }) => flagOf(name)));
  const flags = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") continue;
    const equals = args[i].indexOf("=");
    const flag = equals < 0 ? args[i] : args[i].slice(0, equals);
    if (!known.has(flag)) {
      throw new SettingsError(`${flag} is no setting: --help lists them`);
    }
    const value = equals < 0 ? args[++i] : args[i].slice(equals + 1);
    if (value === undefined) throw new SettingsError(`${flag} needs a value`);
    if (flags.has(flag)) throw new SettingsError(`${flag} is given twice: give it once`);
    flags.set(flag, value);
  }
  return flags;
}

function text(value: string): string {
  return value;
}

function optional<T>(parse: (text: string) => T): (text: string) => T | null {
  return (value) => value === "" ? null : parse(value);
}

function port(value: string): number {
  return whole(0, 65_535)(value);
}

function whole(minimum: number, maximum: number): (text: string) => number {
  return (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (number >= minimum && number <= maximum) return number;
    throw new Error(`give a whole number from ${minimum} to ${maximum}`);
  };
}

function share(value: string): number {
  const number = /^(0|1|0?\.\d+|1\.0+)$/.test(value) ? Number(value) : NaN;
  if (number >= 0 && number <= 1) return number;
  throw new Error("give a number from 0 to 1, such as 0.01");
}

function rate(value: string): number | null {
  if (value === "off") return null;
  try {
    return whole(1, RATE_MAX)(value);
  } catch (error) {
    throw new Error(`${(error as Error).message}, or off`);
  }
}

function addressRanges(value: string): string[] {
  const all = value.split(",").map((one) => one.trim()).filter((one) => one !== "");
  all.forEach(parseAddressRange);
  return all;
}

function oneOf<T extends string>(values: readonly T[]): (text: string) => T {
  return (value) => {
    const found = values.find((one) => one === value);
    if (found !== undefined) return found;
    throw new Error(`give ${values.join(" or ")}`);
  };
}

function duration(minimumMs: number, maximumMs: number): (text: string) => number {
  return (value) => parseDuration(value, minimumMs, maximumMs);
}

const BYTES: Record<string, number> = {
  "": 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
};

function bytes(value: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(|B|[kK]B|MB|GB|KiB|MiB|GiB)$/.exec(value);
  const size = match === null ? NaN : Math.round(Number(match[1]) * BYTES[match[2]]);
  if (size >= 1 && size <= Number.MAX_SAFE_INTEGER) return size;
  throw new Error("give a size such as 64MiB, 1GiB or a number of bytes");
}

function urls(value: string): string[] {
  const all = value.split(",").map((one) => one.trim()).filter((one) => one !== "");
  const byHref = new Map<string, string>();
  for (const [i, one] of all.entries()) {
    const url = URL.canParse(one) ? new URL(one) : null;
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new Error(`entry ${i + 1} of ${all.length} is no http or https URL`);
    }
    if (!byHref.has(url.href)) byHref.set(url.href, one);
  }
  return [...byHref.values()];
}

/**
 * What may be shown of a text with URLs: no userinfo, no query. It may well be malformed, so rather too much is left
 * out: all from the beginning of a URL to its last @, and all from a ? or # to the next URL.
 */
function withoutCredentials(text: string): string {
  return text.replace(/(^|:\/\/)(?:(?!:\/\/).)*@/gs, "$1")
    .replace(/[?#](?:(?!,\s*https?:\/\/).)*/gis, "");
}
