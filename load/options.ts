import {
  ATTEMPTS_MAX,
  CONNECTIONS_MAX,
  DURATION_MS_DEFAULT,
  DURATION_MS_MAX,
  OUTSTANDING_MAX,
  PATHS_MAX,
  PAUSE_MS_MAX,
  PIPELINE_MAX,
  RATE_MAX,
  REQUEST_BYTES_MAX,
  REQUESTS_MAX,
  TIMEOUT_MS_MAX,
} from "./limits.ts";
import type { LoadEngine, LoadSample } from "./report.ts";

/** An option that makes no sense. Its message names the option, its value and what may stand there. */
export class LoadOptionsError extends TypeError {
  override name = "LoadOptionsError";
}

/** What answers have to be like. An answer that is not counts as an error beside being counted as answered. */
export interface ExpectedAnswers {
  /** Statuses that are right; any if left out. */
  statuses?: readonly number[];
  /** Bytes of the body of every answer with status 200. */
  length?: number;
  /** The body of every answer with status 200. */
  body?: string | Uint8Array;
  /**
   * A module whose default export is a {@linkcode BodyOracle}: it sees every answer. It costs what it costs; a load
   * with an oracle is no measurement of speed.
   */
  oracle?: string | URL;
}

/**
 * Says what is wrong with an answer.
 *
 * @param path What was asked for
 * @param body Valid during the call
 * @returns What is wrong, in words, or `null`
 */
export type BodyOracle = (path: string, status: number, body: Uint8Array) => string | null;

/** A load to make. */
export interface LoadOptions {
  /** Scheme, host, port and, where `paths` is left out, path and query. */
  url: string | URL;
  /** Connections held; 50 if left out. */
  connections?: number;
  /** The most that {@linkcode RunningLoad.setConnections} may ask for; `connections` if left out. */
  connectionsMax?: number;
  /** Requests a second in all, sent when they are due (an open loop). `null` or left out: as fast as answers come. */
  rate?: number | null;
  /**
   * How long requests are sent, warm-up not counted; 10 s if left out, an hour at most where `requests` is given. Answers
   * that are under way then are waited for, `timeoutMs` at most.
   */
  durationMs?: number | null;
  /** How many requests are sent, warm-up not counted; with `close` those count whose connection fails, too. */
  requests?: number | null;
  /** A connection for each request. */
  close?: boolean;
  /**
   * Answers after which a connection is closed and made again, as clients come and go; `null` or left out: never. On
   * fetch it is up to its pool.
   */
  answersPerConnection?: number | null;
  /** Requests that a connection may have unanswered at a time; 1 if left out. */
  pipeline?: number;
  /** What is asked for, one after the other, round and round. */
  paths?: readonly string[] | null;
  method?: "GET" | "HEAD" | "POST";
  /** What every POST carries. */
  body?: string;
  /** Header fields beside Host. */
  headers?: Readonly<Record<string, string>>;
  /** How long the same load runs before it is counted; 0 if left out. */
  warmupMs?: number;
  /** How long an answer may take from when its request was sent; 10 s if left out. */
  timeoutMs?: number;
  /** How long a connection may take to be made; 3 s if left out. */
  connectTimeoutMs?: number;
  /** What happens with a connection that fails before it had an answer, or whose last answer was 503. */
  reconnect?: {
    /** How long it waits before it is tried again; 100 ms if left out. */
    pauseMs?: number;
    /** Times that it may fail in a row before it is given up; 50 if left out. */
    attemptsMax?: number;
  };
  expect?: ExpectedAnswers;
  /** Stops the load: what there is by then is reported. */
  signal?: AbortSignal | null;
  /** Called once a second; not during warm-up. */
  onProgress?: ((sample: LoadSample) => void) | null;
  /** `auto` is io_uring where it works and the URL is http, else fetch. */
  engine?: LoadEngine | "auto";
}

/** Options with nothing left open; it can be sent to another thread. */
export interface ResolvedOptions {
  url: string;
  hostname: string;
  port: number;
  isSecure: boolean;
  connections: number;
  connectionsMax: number;
  rate: number | null;
  durationMs: number;
  requests: number;
  close: boolean;
  answersPerConnection: number;
  pipeline: number;
  paths: readonly string[];
  method: "GET" | "HEAD" | "POST";
  /** A character for each byte. */
  body: string;
  headers: Readonly<Record<string, string>>;
  warmupMs: number;
  timeoutMs: number;
  connectTimeoutMs: number;
  pauseMs: number;
  attemptsMax: number;
  expect: {
    statuses: readonly number[] | null;
    length: number | null;
    body: Uint8Array | null;
    oracle: string | null;
  };
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** A field's value (RFC 9110 section 5.5), as far as requests need one. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const PATH = /^\/[\x21-\x7e]*$/;

/**
 * Checks options and fills in what was left out.
 *
 * @throws {LoadOptionsError} If one makes no sense
 */
export function resolveOptions(options: LoadOptions): ResolvedOptions {
  const url = urlOf(options.url);
  const connections = whole("connections", options.connections ?? 50, 1, CONNECTIONS_MAX);
  const connectionsMax = whole(
    "connectionsMax",
    options.connectionsMax ?? connections,
    connections,
    CONNECTIONS_MAX,
  );
  const requests = options.requests ?? null;
  const pipeline = whole("pipeline", options.pipeline ?? 1, 1, PIPELINE_MAX);
  const close = options.close ?? false;
  if (close && pipeline > 1) {
    throw new LoadOptionsError(
      `pipeline: ${pipeline} with close: a connection for each request can carry one only; leave one out`,
    );
  }
  if (options.body !== undefined && options.method !== "POST") {
    throw new LoadOptionsError(`body: ${options.method ?? "GET"} has none: make the method POST`);
  }
  if (connectionsMax * pipeline > OUTSTANDING_MAX) {
    throw new LoadOptionsError(
      `connections times pipeline is ${connectionsMax * pipeline}: at most ${OUTSTANDING_MAX}`,
    );
  }
  const { expect = {} } = options;
  return {
    url: url.href,
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    isSecure: url.protocol === "https:",
    connections,
    connectionsMax,
    rate: options.rate === undefined || options.rate === null
      ? null
      : number("rate", options.rate, 0.01, RATE_MAX),
    durationMs: number(
      "durationMs",
      options.durationMs ?? (requests === null ? DURATION_MS_DEFAULT : DURATION_MS_MAX),
      1,
      DURATION_MS_MAX,
    ),
    requests: requests === null ? Infinity : whole("requests", requests, 1, REQUESTS_MAX),
    close,
    answersPerConnection: whole(
      "answersPerConnection",
      options.answersPerConnection ?? REQUESTS_MAX,
      1,
      REQUESTS_MAX,
    ),
    pipeline,
    paths: pathsOf(options.paths ?? [url.pathname + url.search]),
    method: options.method ?? "GET",
    body: Array.from(
      new TextEncoder().encode(options.body ?? ""),
      (byte) => String.fromCharCode(byte),
    ).join(""),
    headers: headersOf(options.headers ?? {}),
    warmupMs: number("warmupMs", options.warmupMs ?? 0, 0, DURATION_MS_MAX),
    timeoutMs: number("timeoutMs", options.timeoutMs ?? 10_000, 1, TIMEOUT_MS_MAX),
    connectTimeoutMs: number(
      "connectTimeoutMs",
      options.connectTimeoutMs ?? 3_000,
      1,
      TIMEOUT_MS_MAX,
    ),
    pauseMs: number("reconnect.pauseMs", options.reconnect?.pauseMs ?? 100, 0, PAUSE_MS_MAX),
    attemptsMax: whole(
      "reconnect.attemptsMax",
      options.reconnect?.attemptsMax ?? 50,
      1,
      ATTEMPTS_MAX,
    ),
    expect: {
      statuses: expect.statuses?.map((status) => whole("expect.statuses", status, 100, 599)) ??
        null,
      length: expect.length === undefined
        ? null
        : whole("expect.length", expect.length, 0, Number.MAX_SAFE_INTEGER),
      body: typeof expect.body === "string"
        ? new TextEncoder().encode(expect.body)
        : expect.body ?? null,
      oracle: expect.oracle === undefined ? null : String(expect.oracle),
    },
  };
}

/**
 * The requests as they go over the wire, one text each.
 *
 * @throws {LoadOptionsError} If they are too large together
 */
export function requestTexts(options: ResolvedOptions): string[] {
  const { method, headers, body, close, paths, url } = options;
  const fields = new Map([["host", `Host: ${new URL(url).host}`]]);
  for (const [name, value] of Object.entries(headers)) {
    fields.set(name.toLowerCase(), `${name}: ${value}`);
  }
  if (close) fields.set("connection", "Connection: close");
  if (method === "POST") fields.set("content-length", `Content-Length: ${body.length}`);
  const rest = [...fields.values(), `\r\n${body}`].join("\r\n");
  const texts = paths.map((path) => `${method} ${path} HTTP/1.1\r\n${rest}`);
  const bytes = texts.reduce((sum, { length }) => sum + length, 0);
  if (bytes > REQUEST_BYTES_MAX) {
    throw new LoadOptionsError(
      `paths: the requests have ${bytes} bytes together: at most ${REQUEST_BYTES_MAX}, ask for less`,
    );
  }
  return texts;
}

function urlOf(value: string | URL): URL {
  const text = String(value);
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) {
    throw new LoadOptionsError(
      `URL: ${JSON.stringify(text)} is none: write http://host:port/path`,
    );
  }
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    throw new LoadOptionsError("URL: a name and password go into an Authorization header field");
  }
  url.hash = "";
  return url;
}

function pathsOf(paths: readonly string[]): readonly string[] {
  if (paths.length < 1 || paths.length > PATHS_MAX) {
    throw new LoadOptionsError(`paths: there are ${paths.length}: from 1 to ${PATHS_MAX}`);
  }
  for (const path of paths) {
    if (!PATH.test(path)) {
      throw new LoadOptionsError(
        `paths: ${
          JSON.stringify(path)
        } is none: it begins with / and has no spaces, others coded as %20`,
      );
    }
  }
  return paths;
}

function headersOf(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name) || !FIELD_VALUE.test(value)) {
      throw new LoadOptionsError(
        `headers: ${JSON.stringify(`${name}: ${value}`)} is no header field`,
      );
    }
    if (/^(connection|content-length|transfer-encoding)$/i.test(name)) {
      throw new LoadOptionsError(`headers: ${name} is the load generator's: see close`);
    }
  }
  return headers;
}

function number(name: string, value: number, min: number, max: number): number {
  if (!(value >= min && value <= max)) {
    throw new LoadOptionsError(`${name}: ${value} is not between ${min} and ${max}`);
  }
  return value;
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(number(name, value, min, max))) {
    throw new LoadOptionsError(`${name}: ${value} is no whole number`);
  }
  return value;
}
