import { parseArgs } from "node:util";
import { LoadOptionsError } from "./options.ts";

/** What the command line asks for. `paths` and `oracle` are files. */
export interface LoadArguments {
  isHelp: boolean;
  isJson: boolean;
  url: string;
  connections?: number;
  rate?: number;
  durationMs?: number;
  requests?: number;
  close?: boolean;
  pipeline?: number;
  pathsFile?: string;
  method?: "GET" | "HEAD";
  headers: Record<string, string>;
  warmupMs?: number;
  timeoutMs?: number;
  connectTimeoutMs?: number;
  statuses?: number[];
  length?: number;
  oracle?: string;
  engine?: "auto" | "io_uring" | "fetch";
}

/** What `--help` says. */
export const USAGE = `deno task load -- URL [options]

Asks a server over HTTP/1.1 and says how it did. Without --rate each connection asks again as soon as
it is answered (closed loop); with it, requests are sent when they are due, and latencies count from then
(open loop), so that a server that stops is late for all who would have asked.

  -c, --connections N       connections held                                    50
  -r, --rate N              requests a second in all, as 500 or 20k             as fast as it goes
  -d, --duration TIME       how long, as 500ms, 10s, 2m; at most 1h             10s
  -n, --requests N          how many requests, as 1000 or 1M                    as many as there is time for
      --close               a connection for each request
      --pipeline N          requests in flight on a connection                  1
      --paths FILE          a path a line, asked one after the other            that of the URL
      --warmup TIME         how long it runs before it is counted               0s
  -H, --header 'NAME: V'    a header field, any number of times
      --head                HEAD instead of GET
      --timeout TIME        how long an answer may take                         10s
      --connect-timeout T   how long a connection may take                      3s
      --expect-status LIST  statuses that are right, as 200,304                 any
      --expect-length N     bytes of every body with status 200                 any
      --oracle MODULE       its default export (path, status, body) says what is wrong, or null
      --engine NAME         auto, io_uring or fetch                             auto
      --json                the report as JSON on standard output
      --help                this

Ctrl-C ends it and shows what there is. It exits with 1 when nothing was answered, with 2 when it was
asked for what makes no sense.`;

/**
 * Reads the command line. A `--` before everything, which `deno task load --` passes on, is dropped.
 *
 * @throws {LoadOptionsError} If it cannot be understood
 */
export function readArguments(args: readonly string[]): LoadArguments {
  const { values, positionals } = parse(args[0] === "--" ? args.slice(1) : [...args]);
  const isHelp = values.help ?? false;
  if (positionals.length !== 1 && !isHelp) {
    throw new LoadOptionsError(
      positionals.length === 0
        ? "a URL is missing: deno task load -- http://127.0.0.1:8080/search"
        : `one URL is asked at a time, not ${positionals.join(" and ")}`,
    );
  }
  const count = (name: string, text?: string) =>
    text === undefined ? undefined : readCount(name, text);
  const time = (name: string, text?: string) =>
    text === undefined ? undefined : readDuration(name, text);
  return {
    isHelp,
    isJson: values.json ?? false,
    url: positionals[0] ?? "",
    connections: count("--connections", values.connections),
    rate: count("--rate", values.rate),
    durationMs: time("--duration", values.duration),
    requests: count("--requests", values.requests),
    close: values.close,
    pipeline: count("--pipeline", values.pipeline),
    pathsFile: values.paths,
    method: values.head ? "HEAD" : "GET",
    headers: readHeaders(values.header ?? []),
    warmupMs: time("--warmup", values.warmup),
    timeoutMs: time("--timeout", values.timeout),
    connectTimeoutMs: time("--connect-timeout", values["connect-timeout"]),
    statuses: values["expect-status"]?.split(",").map((text) => readCount("--expect-status", text)),
    length: count("--expect-length", values["expect-length"]),
    oracle: values.oracle,
    engine: readEngine(values.engine),
  };
}

/**
 * Reads a number as people write it: `500`, `10k`, `1.5M`.
 *
 * @throws {LoadOptionsError} If it is none
 *
 * @example
 * ```ts
 * import { readCount } from "./arguments.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(readCount("--rate", "20k"), 20_000);
 * ```
 */
export function readCount(name: string, text: string): number {
  const match = text.match(/^(\d+(?:\.\d+)?)([kKmM]?)$/);
  if (match === null) {
    throw new LoadOptionsError(
      `${name}: ${JSON.stringify(text)} is no number: write 500, 10k or 1.5M`,
    );
  }
  const factor = { "": 1, k: 1e3, m: 1e6 }[match[2].toLowerCase()]!;
  // 1.1k is 1100, whatever a fraction is in binary.
  return Number((Number(match[1]) * factor).toPrecision(12));
}

/**
 * Reads a time as people write it, in milliseconds: `500ms`, `10s`, `2m`, `1h`; a number alone is in seconds.
 *
 * @throws {LoadOptionsError} If it is none
 */
export function readDuration(name: string, text: string): number {
  const match = text.match(/^(\d+(?:\.\d+)?)(ms|s|m|h|)$/);
  if (match === null) {
    throw new LoadOptionsError(
      `${name}: ${JSON.stringify(text)} is no time: write 500ms, 10s, 2m or 1h`,
    );
  }
  const factor = { ms: 1, s: 1_000, "": 1_000, m: 60_000, h: 3_600_000 }[match[2]]!;
  return Number(match[1]) * factor;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        connections: { type: "string", short: "c" },
        rate: { type: "string", short: "r" },
        duration: { type: "string", short: "d" },
        requests: { type: "string", short: "n" },
        close: { type: "boolean" },
        pipeline: { type: "string" },
        paths: { type: "string" },
        warmup: { type: "string" },
        header: { type: "string", short: "H", multiple: true },
        head: { type: "boolean" },
        timeout: { type: "string" },
        "connect-timeout": { type: "string" },
        "expect-status": { type: "string" },
        "expect-length": { type: "string" },
        oracle: { type: "string" },
        engine: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new LoadOptionsError(`${(error as Error).message.split(". ")[0]}; --help lists all`);
  }
}

function readHeaders(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    if (colon < 1) {
      throw new LoadOptionsError(`--header: ${JSON.stringify(line)} is none: write 'Name: value'`);
    }
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
}

function readEngine(text: string | undefined): LoadArguments["engine"] {
  if (text === undefined || text === "auto" || text === "io_uring" || text === "fetch") return text;
  throw new LoadOptionsError(`--engine: ${text} is none of auto, io_uring and fetch`);
}
