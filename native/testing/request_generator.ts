/**
 * Requests made up from a seed, valid ones and ones that were valid once.
 *
 * @module
 */
import { checksum, type Echo } from "./echo_handler.ts";
import { latin1Bytes, type RawAnswer } from "./raw_client.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** A valid request, and what its answer must be. */
export interface GeneratedRequest {
  bytes: Uint8Array<ArrayBuffer>;
  method: string;
  /** Is in the target, and must be in the answer. */
  token: string;
  /**
   * Looks at an answer.
   *
   * @throws {Error} If it is not the one to this request
   */
  check(answer: RawAnswer): void;
}

/** What a generator makes. */
export interface GeneratorOptions {
  /** Bytes of the longest body. */
  bodyBytesMax: number;
  /** Whether the fast route is asked for as well. */
  hasFastRoute: boolean;
  /** Whether requests may be among them that leave the server time to answer. */
  hasLate: boolean;
}

const METHODS = ["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
const PATHS = [
  "/a",
  "/a",
  "/b/c.d",
  "/stream",
  "/length",
  "/ignored",
  "//c",
  "/status/204",
  "/status/304",
];
const FIELDS = [
  "Accept: */*",
  "User-Agent: fuzz/1.0 (of no kind)",
  "Connection: keep-alive",
  "Cookie: a=b; c=d",
  "X-Empty:",
  'X-Quoted: "a, b; c"',
  "X-Blank: \t a \t b \t ",
  "X-Old: \xe4\xf6\xfc",
  'If-None-Match: W/"1", "2"',
  "Range: bytes=0-10",
  "X-Long: " + "abcdefgh".repeat(40),
];
/** What mutations put in: bytes and words that mean something. */
const WORDS = [
  "\r\n",
  "\n",
  "\r",
  "\r\n\r\n",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "\0",
  "\x7f",
  "\xff",
  "0",
  "-1",
  "ffffffffffffffff",
  "GET ",
  "HEAD ",
  " HTTP/1.1",
  " HTTP/1.0",
  " HTTP/2.0",
  "Host: b.test\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Connection: close\r\n",
  "Connection: keep-alive\r\n",
  "Expect: 100-continue\r\n",
  "Expect: b\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  "http://",
  "*",
  "%00",
  "#",
  "?",
  "//",
];
/** Bytes of a body that nobody reads; a server may end the connection of a longer one. */
const UNREAD_BYTES_MAX = 100_000;
/** Changes that one mutation makes at most. */
const CHANGES_MAX = 4;
/** Bytes that one change takes away or doubles at most. */
const RUN_BYTES_MAX = 64;

/** Makes a valid request that leaves the connection open. */
export function generateRequest(
  random: SeededRandom,
  token: string,
  options: GeneratorOptions,
): GeneratedRequest {
  if (options.hasFastRoute && random.chance(0.3)) return fastRequest(random, token);
  const method = random.pick(METHODS);
  const isLate = options.hasLate && random.chance(0.05);
  const path = isLate ? "/late" : random.pick(PATHS);
  const query = `?${token}${random.chance(0.1) ? "&" + "q".repeat(random.below(3_000)) : ""}`;
  const isOld = random.chance(0.05) && path !== "/stream";
  const isAbsolute = random.chance(0.05);
  const target = `${isAbsolute ? "http://b.test" : ""}${path}${query}`;
  let head = `${method} ${target} HTTP/1.${isOld ? 0 : 1}\r\n`;
  const fields = ["Host: a.test", ...picked(random)];
  if (isOld && !fields.includes("Connection: keep-alive")) fields.push("Connection: keep-alive");
  const isRead = hasBody(method) && path !== "/ignored";
  const most = isRead ? options.bodyBytesMax : Math.min(options.bodyBytesMax, UNREAD_BYTES_MAX);
  const body = makeBody(random, method, most);
  let content = body;
  if (body.length > 0 || (method === "POST" && random.chance(0.5))) {
    const isChunked = !isOld && random.chance(0.5);
    if (isChunked) content = chunk(random, body);
    fields.push(isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`);
    // To a handler that leaves it unread the body would not be sent, and the connection would end.
    if (!isOld && body.length > 0 && isRead && random.chance(0.2)) {
      fields.push("Expect: 100-continue");
    }
  }
  shuffle(random, fields);
  head += fields.map((field) => `${field}\r\n`).join("") + "\r\n";
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(latin1Bytes(head));
  bytes.set(content, head.length);
  const expected: Expected = {
    method,
    url: `http://${isAbsolute ? "b.test" : "a.test"}${path}${query}`,
    status: Number(path.match(/^\/status\/(\d+)$/)?.[1] ?? 200),
    body: path === "/ignored" ? null : isRead ? body : new Uint8Array(0),
  };
  return { bytes, method, token, check: (answer) => checkEcho(answer, expected) };
}

/** Changes some bytes of a message. */
export function mutate(random: SeededRandom, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let mutated = bytes.slice() as Uint8Array<ArrayBuffer>;
  for (let changes = 1 + random.below(CHANGES_MAX); changes > 0; changes--) {
    mutated = changed(random, mutated);
  }
  return mutated;
}

function changed(random: SeededRandom, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { length } = bytes;
  // Heads are where a byte matters; bodies can be long.
  const reach = random.chance(0.8) ? Math.min(length, 300) : length;
  const at = random.below(reach + 1);
  const run = Math.min(length - at, 1 + random.below(random.chance(0.7) ? 4 : RUN_BYTES_MAX));
  switch (random.below(8)) {
    case 0: {
      if (at === length) return bytes;
      const flipped = bytes.slice();
      flipped[at] ^= 1 << random.below(8);
      return flipped;
    }
    case 1: {
      if (at === length) return bytes;
      const replaced = bytes.slice();
      replaced[at] = random.below(256);
      return replaced;
    }
    case 2:
      return spliced(bytes, at, at + run, new Uint8Array(0));
    case 3:
      return spliced(bytes, at, at, bytes.slice(at, at + run));
    case 4:
      return random.chance(0.3) ? bytes.slice(0, at) : bytes;
    case 5: {
      const from = random.below(length + 1);
      return spliced(bytes, at, at, bytes.slice(from, from + RUN_BYTES_MAX));
    }
    default: {
      const lineEnd = bytes.indexOf(10, at) + 1;
      const place = random.chance(0.5) ? lineEnd : at;
      return spliced(bytes, place, place, latin1Bytes(random.pick(WORDS)));
    }
  }
}

function spliced(
  bytes: Uint8Array,
  from: number,
  to: number,
  middle: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(from + middle.length + bytes.length - to);
  whole.set(bytes.subarray(0, from));
  whole.set(middle, from);
  whole.set(bytes.subarray(to), from + middle.length);
  return whole;
}

function fastRequest(random: SeededRandom, token: string): GeneratedRequest {
  if (random.chance(0.3)) return postedRequest(random, token);
  const method = random.chance(0.8) ? "GET" : "HEAD";
  const query = `${token}${random.chance(0.2) ? "&" + "f".repeat(random.below(400)) : ""}`;
  const isOld = random.chance(0.1);
  const fields = ["Host: a.test", ...picked(random)];
  if (isOld && !fields.includes("Connection: keep-alive")) fields.push("Connection: keep-alive");
  shuffle(random, fields);
  const lines = fields.map((field) => `${field}\r\n`).join("");
  const text = `{"fast":"${query}"}`;
  return {
    bytes: latin1Bytes(`${method} /fast?${query} HTTP/1.${isOld ? 0 : 1}\r\n${lines}\r\n`),
    method,
    token,
    check(answer) {
      const got = new TextDecoder().decode(answer.body);
      if (answer.status !== 200 || (method === "GET" ? got !== text : got !== "")) {
        throw new Error(`${method} /fast?${query} was answered with ${answer.status} ${got}`);
      }
    },
  };
}

/** A POST with a body that a fast route answers. */
function postedRequest(random: SeededRandom, token: string): GeneratedRequest {
  const body = `${token}${"p".repeat(random.below(900))}`;
  const fields = ["Host: a.test", `Content-Length: ${body.length}`, ...picked(random)];
  shuffle(random, fields);
  const lines = fields.map((field) => `${field}\r\n`).join("");
  const text = `{"fast":"${body}"}`;
  return {
    bytes: latin1Bytes(`POST /posted?${token} HTTP/1.1\r\n${lines}\r\n${body}`),
    method: "POST",
    token,
    check(answer) {
      const got = new TextDecoder().decode(answer.body);
      if (answer.status !== 200 || got !== text) {
        throw new Error(`POST /posted?${token} was answered with ${answer.status} ${got}`);
      }
    },
  };
}

interface Expected {
  method: string;
  url: string;
  status: number;
  /** `null` if it is not read. */
  body: Uint8Array | null;
}

function checkEcho(answer: RawAnswer, { method, url, status, body }: Expected): void {
  const text = new TextDecoder().decode(answer.body);
  const fail = (what: string) => {
    throw new Error(`${what} of ${method} ${url} is wrong: ${answer.status} ${text.slice(0, 500)}`);
  };
  if (answer.status !== status) fail("the status");
  if (method === "HEAD" || status !== 200) {
    if (text !== "") fail("the body");
    return;
  }
  const echo: Echo = JSON.parse(text);
  if (echo.method !== method || echo.url !== url) fail("the request line");
  if (echo.bodyLength !== (body?.length ?? -1)) fail("the length of the body");
  if (echo.bodyChecksum !== (body === null ? 0 : checksum(body))) fail("the body");
}

function hasBody(method: string): boolean {
  return method !== "GET" && method !== "HEAD";
}

function picked(random: SeededRandom): string[] {
  return FIELDS.filter(() => random.chance(0.2));
}

function shuffle(random: SeededRandom, values: string[]): void {
  for (let i = values.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [values[i], values[other]] = [values[other], values[i]];
  }
}

function makeBody(random: SeededRandom, method: string, most: number): Uint8Array<ArrayBuffer> {
  if (!hasBody(method) ? !random.chance(0.05) : random.chance(0.2)) return new Uint8Array(0);
  const length = random.chance(0.9) ? random.below(200) : random.below(most);
  const body = new Uint8Array(length);
  const isText = random.chance(0.5);
  let bits = random.bits();
  for (let i = 0; i < length; i++) {
    bits = Math.imul(bits, 1_664_525) + 1_013_904_223 | 0;
    body[i] = isText ? 97 + (bits >>> 24) % 26 : bits >>> 24;
  }
  return body;
}

/** A body in chunks, some with extensions, with trailers or without. */
function chunk(random: SeededRandom, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let start = 0;
  for (const cut of [...random.cuts(body.length, 5), body.length]) {
    if (cut === start) continue;
    const size = (cut - start).toString(16);
    const extension = random.chance(0.2) ? ';a="b"' : "";
    parts.push(latin1Bytes(`${random.chance(0.5) ? size.toUpperCase() : size}${extension}\r\n`));
    parts.push(body.slice(start, cut), latin1Bytes("\r\n"));
    start = cut;
  }
  parts.push(latin1Bytes(random.chance(0.2) ? "0\r\nX-Trailer: a\r\n\r\n" : "0\r\n\r\n"));
  return joined(parts);
}

/** Bytes behind each other, in one piece. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
