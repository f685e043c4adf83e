/**
 * What RFC 9110 and RFC 9112 ask of a server, as bytes and what must come of them.
 *
 * @module
 */
import { FIELDS_MAX, HEAD_BYTES_MAX, TARGET_BYTES_MAX } from "../limits.ts";

/** What one answer must be. */
export interface ExpectedAnswer {
  status: number;
  /** Of the request, as far as it decides how the answer is read; GET unless said otherwise. */
  method?: "HEAD";
  /** What the handler saw; only what is named is compared. */
  echo?: {
    method?: string;
    url?: string;
    /** The body as text. */
    body?: string;
    /** Values by name; `null` where there must be none. */
    fields?: Record<string, string | null>;
  };
  /** The body itself. */
  text?: string;
  /** Fields of the answer by name; `null` where there must be none. */
  fields?: Record<string, string | null>;
  framing?: "none" | "length" | "chunked" | "close";
  /** Interim answers that may come before; none unless said otherwise. */
  interim?: number;
}

/** One case: what is sent, and all that comes of it. */
export interface ConformanceCase {
  /** Of RFC 9112, or with "9110 " of RFC 9110; "limits" for bounds of this listener. */
  section: string;
  name: string;
  /** Each character is a byte. */
  bytes: string;
  answers: readonly ExpectedAnswer[];
  /** What becomes of the connection after the last answer. */
  ending: "open" | "closed";
  /** The last answer is a refusal: nothing that follows may be answered. */
  isRefused: boolean;
}

/** The body that the listener under test takes. */
export const BODY_BYTES_MAX_TESTED = 100_000;
/** What every refusal is followed by in one of its runs. */
export const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";

const HOST = "Host: a.test\r\n";
const cases: ConformanceCase[] = [];

/** Every case. */
export const CONFORMANCE_CASES: readonly ConformanceCase[] = cases;

/** A request that is answered with 200, and leaves the connection open unless said otherwise. */
function accepts(
  section: string,
  name: string,
  bytes: string,
  echo?: ExpectedAnswer["echo"],
  more: Partial<ExpectedAnswer> & { ending?: "closed" } = {},
): void {
  const { ending = "open", ...answer } = more;
  const answers = [{ status: 200, echo, ...answer }];
  cases.push({ section, name, bytes, answers, ending, isRefused: false });
}

/** A request that is refused, which ends the connection. */
function refuses(
  section: string,
  name: string,
  bytes: string,
  status = 400,
  more: Partial<ExpectedAnswer> = {},
): void {
  const answers = [{ status, fields: { connection: "close" }, ...more }];
  cases.push({ section, name, bytes, answers, ending: "closed", isRefused: true });
}

/** Several requests on one connection. */
function sequence(
  section: string,
  name: string,
  bytes: string,
  answers: readonly ExpectedAnswer[],
  ending: "open" | "closed" = "open",
  isRefused = false,
): void {
  cases.push({ section, name, bytes, answers, ending, isRefused });
}

function get(target: string, fields = ""): string {
  return `GET ${target} HTTP/1.1\r\n${HOST}${fields}\r\n`;
}

function line(requestLine: string): string {
  return `${requestLine}\r\n${HOST}\r\n`;
}

function post(fields: string, body = "", target = "/p"): string {
  return `POST ${target} HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
}

function chunked(body: string): string {
  return post("Transfer-Encoding: chunked\r\n", body);
}

function withHost(value: string): string {
  return `GET /h HTTP/1.1\r\nHost: ${value}\r\n\r\n`;
}

// Empty lines and what stands before a request.
accepts("2.2", "an empty line before a request is ignored", "\r\n" + get("/a"), {
  url: "http://a.test/a",
});
accepts("2.2", "two empty lines before a request are ignored", "\r\n\r\n" + get("/a"));
sequence("2.2", "an empty line between two requests is ignored", `${get("/a")}\r\n${get("/b")}`, [
  { status: 200, echo: { url: "http://a.test/a" } },
  { status: 200, echo: { url: "http://a.test/b" } },
]);
refuses("2.2", "a space before the request line", " " + get("/a"));
refuses("2.2", "a tab before the request line", "\t" + get("/a"));
refuses("2.2", "a CR without its LF before the request line", "\r" + get("/a"));
refuses("2.2", "a NUL before the request line", "\0" + get("/a"));
refuses("2.2", "a space between request line and first field", `GET / HTTP/1.1\r\n ${HOST}\r\n`);
refuses("2.2", "request line that ends with LF", `GET / HTTP/1.1\n${HOST}\r\n`);
refuses("2.2", "request line that ends with CR CR LF", `GET / HTTP/1.1\r\r\n${HOST}\r\n`);
refuses("2.2", "a field that ends with LF", "GET / HTTP/1.1\r\nHost: a.test\nA: b\r\n\r\n");
refuses("2.2", "a head that ends with LF", `GET / HTTP/1.1\r\n${HOST}\n`);
refuses("2.2", "a head that ends with CR and another byte", `GET / HTTP/1.1\r\n${HOST}\rX\r\n`);
refuses("2.2", "a greeting of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
refuses("2.3", "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);

// Methods.
for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "M-SEARCH"]) {
  accepts("3.1", `the method ${method}`, line(`${method} /m HTTP/1.1`), { method });
}
accepts(
  "3.1",
  "a method of all kinds of token characters",
  line("!#$%&'*+-.^_`|~09aZ /m HTTP/1.1"),
  {
    method: "!#$%&'*+-.^_`|~09aZ",
  },
);
accepts("3.1", "methods are case-sensitive", line("get /m HTTP/1.1"), { method: "get" });
accepts("3.1", "a method like another one in lower case", line("Post /m HTTP/1.1"), {
  method: "Post",
});
accepts("9110 9.3.8", "TRACE is a method like others", line("TRACE /m HTTP/1.1"), {
  method: "TRACE",
});
refuses("3.1", "an empty method", line(" /m HTTP/1.1"));
refuses("3.1", "a method with a colon", line("GE:T /m HTTP/1.1"));
refuses("3.1", "a method with a slash", line("GE/T /m HTTP/1.1"));
refuses("3.1", "a method with a control character", line("GE\x01T /m HTTP/1.1"));
refuses("3.1", "a method beyond ASCII", line("G\xc9T /m HTTP/1.1"));
refuses("3.1", "a method of 1,000 letters", line(`${"G".repeat(1_000)} /m HTTP/1.1`));

// The request line and its target.
refuses("3", "two spaces before the target", line("GET  /a HTTP/1.1"));
refuses("3", "two spaces before the version", line("GET /a  HTTP/1.1"));
refuses("3", "a tab before the target", line("GET\t/a HTTP/1.1"));
refuses("3", "a tab before the version", line("GET /a\tHTTP/1.1"));
refuses("3", "a space behind the version", line("GET /a HTTP/1.1 "));
refuses("3", "something behind the version", line("GET /a HTTP/1.1 HTTP/1.1"));
refuses("3", "a request line without a version", line("GET /a"));
refuses("3", "a request line of a method", line("GET"));
refuses("3.2", "a space within the target", line("GET /a b HTTP/1.1"));
refuses("3.2", "a control character within the target", line("GET /a\x01 HTTP/1.1"));
refuses("3.2", "a NUL within the target", line("GET /a\0b HTTP/1.1"));
refuses("3.2", "DEL within the target", line("GET /a\x7f HTTP/1.1"));
refuses("3.2", "a byte beyond ASCII within the target", line("GET /\xe4 HTTP/1.1"));
refuses("3.2", "a CR within the target", line("GET /a\rb HTTP/1.1"));
refuses("3.2", "a target without a slash", line("GET a HTTP/1.1"));
refuses("3.2", "a target that is a query", line("GET ?a HTTP/1.1"));
refuses("3.2", "a fragment within the target", line("GET /a#b HTTP/1.1"));
accepts("3.2.1", "origin-form", get("/a/b.c"), { url: "http://a.test/a/b.c" });
accepts("3.2.1", "origin-form with a query", get("/a?b=c&d=%20?/"), {
  url: "http://a.test/a?b=c&d=%20?/",
});
accepts("3.2.1", "origin-form with an empty query", get("/a?"), { url: "http://a.test/a?" });
accepts("3.2.1", "a path that begins with two slashes is a path", get("//b.test/a"), {
  url: "http://a.test//b.test/a",
});
accepts("3.2.1", "a path is taken as it is", get("/a/../b/./c//d%2e%2E"), {
  url: "http://a.test/a/../b/./c//d%2e%2E",
});
accepts("3.2.2", "absolute-form", get("http://b.test/a?c"), { url: "http://b.test/a?c" });
accepts("3.2.2", "absolute-form goes before Host", get("http://b.test:81/a"), {
  url: "http://b.test:81/a",
  fields: { host: "a.test" },
});
accepts("3.2.2", "absolute-form in upper case", get("HTTP://b.test/a"));
accepts("3.2.2", "absolute-form of https", get("https://b.test/a"));
accepts("3.2.2", "absolute-form without a path", get("http://b.test"));
refuses("3.2.2", "absolute-form of another scheme", get("ftp://b.test/a"));
refuses("9110 4.2.1", "absolute-form without a host", get("http:///a"));
refuses("9110 4.2.4", "absolute-form with a user", get("http://user@b.test/a"));
refuses("3.2.2", "absolute-form without Host", "GET http://b.test/ HTTP/1.1\r\n\r\n");
accepts("3.2.3", "authority-form", line("CONNECT b.test:443 HTTP/1.1"), { method: "CONNECT" }, {
  status: 405,
});
refuses("3.2.3", "authority-form of GET", line("GET b.test:443 HTTP/1.1"));
refuses("3.2.3", "CONNECT without a port", line("CONNECT b.test HTTP/1.1"));
refuses("3.2.3", "CONNECT with a path", line("CONNECT /a HTTP/1.1"));
accepts("3.2.4", "asterisk-form", line("OPTIONS * HTTP/1.1"), { method: "OPTIONS" });
refuses("3.2.4", "asterisk-form of GET", line("GET * HTTP/1.1"));
refuses("3.2.4", "asterisk-form with more", line("OPTIONS *a HTTP/1.1"));
accepts(
  "limits",
  "the longest target",
  get("/" + "a".repeat(TARGET_BYTES_MAX - 1)),
  { url: "http://a.test/" + "a".repeat(TARGET_BYTES_MAX - 1) },
);
refuses("3", "a target that is too long", get("/" + "a".repeat(TARGET_BYTES_MAX)), 414);
refuses("3", "a query that is too long", get("/?" + "a".repeat(TARGET_BYTES_MAX)), 414);
refuses("3", "a target without an end", "GET /" + "a".repeat(2 * TARGET_BYTES_MAX), 414);

// Versions.
accepts("9110 2.5", "a later minor version", line("GET /a HTTP/1.2"));
accepts("9110 2.5", "the last minor version", line("GET /a HTTP/1.9"));
for (const version of ["HTTP/2.0", "HTTP/0.9", "HTTP/3.0", "HTTP/9.9"]) {
  refuses("9110 15.6.6", version, line(`GET /a ${version}`), 505);
}
for (
  const version of [
    "http/1.1",
    "Http/1.1",
    "HTTP/1.10",
    "HTTP/11",
    "HTTP/1",
    "HTTP/1.",
    "HTTP/.1",
    "HTTP/01.1",
    "HTTP/1,1",
    "HTTP/1.x",
    "HTTP /1.1",
    "HTTPS/1.1",
    "HTTP-1.1",
    "ICAP/1.0",
  ]
) refuses("2.3", `the version ${version}`, line(`GET /a ${version}`));

// Fields.
accepts("5.1", "a field without a blank", get("/a", "X-A:b\r\n"), { fields: { "x-a": "b" } });
accepts("5.1", "a field with blanks around its value", get("/a", "X-A: \t b c \t \r\n"), {
  fields: { "x-a": "b c" },
});
accepts("5.1", "a field without a value", get("/a", "X-A:\r\nX-B: \t\r\n"), {
  fields: { "x-a": "", "x-b": "" },
});
accepts("9110 5.1", "names of fields are case-insensitive", get("/a", "x-A: 1\r\nX-b: 2\r\n"), {
  fields: { "x-a": "1", "x-b": "2" },
});
accepts("9110 5.1", "the name of a field is a token", get("/a", "!#$%&'*+-.^_`|~09aZ: 1\r\n"), {
  fields: { "!#$%&'*+-.^_`|~09az": "1" },
});
accepts(
  "9110 5.3",
  "fields of one name are a list, in order",
  get("/a", "X: 1\r\nY: 2\r\nX: 3\r\n"),
  {
    fields: { x: "1, 3", y: "2" },
  },
);
accepts("9110 5.5", "a tab within a value", get("/a", "X: a\tb\r\n"), { fields: { x: "a\tb" } });
accepts("9110 5.5", "obs-text within a value", get("/a", "X: \xa0\xe4\xff\r\n"), {
  fields: { x: "\xa0\xe4\xff" },
});
accepts("9110 5.5", "obs-text from 80 to 9F within a value", get("/a", "X: \x80\x85\x9f\r\n"), {
  fields: { x: "\x80\x85\x9f" },
});
accepts(
  "9110 5.5",
  "a value with colons, quotes and commas",
  get("/a", 'X: :"a:b", c;d="\\""\r\n'),
  {
    fields: { x: ':"a:b", c;d="\\""' },
  },
);
refuses("5.1", "a space before the colon", get("/a", "X-A : b\r\n"));
refuses("5.1", "a tab before the colon", get("/a", "X-A\t: b\r\n"));
refuses("5.1", "a space within a name", get("/a", "X A: b\r\n"));
refuses("5.1", "a field without a colon", get("/a", "X-A\r\n"));
refuses("5.1", "a field without a name", get("/a", ": b\r\n"));
for (
  const character of [
    "(",
    ")",
    ",",
    "/",
    ";",
    "<",
    "=",
    ">",
    "?",
    "@",
    "[",
    "\\",
    "]",
    "{",
    "}",
    '"',
  ]
) {
  refuses("5.1", `${character} within a name`, get("/a", `X${character}A: b\r\n`));
}
refuses("5.1", "a NUL within a name", get("/a", "X\0: b\r\n"));
refuses("5.1", "a name beyond ASCII", get("/a", "X\xe4: b\r\n"));
refuses("5.2", "obs-fold with a space", get("/a", "X: a\r\n b\r\n"));
refuses("5.2", "obs-fold with a tab", get("/a", "X: a\r\n\tb\r\n"));
refuses("5.2", "obs-fold of nothing", get("/a", "X: a\r\n \r\n"));
for (
  const [name, character] of [["NUL", "\0"], ["BEL", "\x07"], ["ESC", "\x1b"], ["DEL", "\x7f"]]
) {
  refuses("9110 5.5", `${name} within a value`, get("/a", `X: a${character}b\r\n`));
}
refuses("9110 5.5", "CR within a value", get("/a", "X: a\rb\r\n"));
refuses("9110 5.5", "LF within a value", get("/a", "X: a\nb: c\r\n"));
refuses("9110 5.5", "CR before CR LF", get("/a", "X: a\r\r\n"));
accepts("limits", "as many fields as may be", get("/a", "X: 1\r\n".repeat(FIELDS_MAX - 1)));
refuses("9110 5.4", "one field too many", get("/a", "X: 1\r\n".repeat(FIELDS_MAX)), 431);
refuses("9110 5.4", "thousands of fields", get("/a", "X:\r\n".repeat(5_000)), 431);
accepts("limits", "the longest head", fitted(HEAD_BYTES_MAX));
refuses("9110 5.4", "a head that is one byte too long", fitted(HEAD_BYTES_MAX + 1), 431);
refuses("9110 5.4", "a field without an end", get("/a", "X: " + "a".repeat(HEAD_BYTES_MAX)), 431);
refuses(
  "9110 5.4",
  "a name without an end",
  `${get("/a").slice(0, -2)}${"a".repeat(200_000)}`,
  431,
);

// Host.
accepts("3.2", "a Host with a port", withHost("a.test:8080"), { url: "http://a.test:8080/h" });
accepts("3.2", "a Host that is an IPv4 address", withHost("127.0.0.1:80"));
accepts("3.2", "a Host that is an IPv6 address", withHost("[::1]:8080"), {
  url: "http://[::1]:8080/h",
});
accepts("3.2", "a Host with an empty port", withHost("a.test:"));
accepts("3.2", "an empty Host", withHost(""), { method: "GET" });
accepts("3.2", "a Host in upper case", withHost("A.TEST"));
accepts("3.2", "HTTP/1.0 without Host", "GET /h HTTP/1.0\r\n\r\n", { method: "GET" }, {
  ending: "closed",
});
refuses("3.2", "no Host", "GET /h HTTP/1.1\r\n\r\n");
refuses("3.2", "no Host but other fields", "GET /h HTTP/1.1\r\nX: a.test\r\n\r\n");
refuses("3.2", "two Hosts", get("/a", "Host: b.test\r\n"));
refuses("3.2", "two equal Hosts", get("/a", HOST));
refuses("3.2", "two Hosts in HTTP/1.0", `GET / HTTP/1.0\r\n${HOST}${HOST}\r\n`);
for (
  const value of [
    "a.test b.test",
    "a.test/a",
    "a.test?a",
    "a.test#a",
    "user@a.test",
    "a.test\\a",
    "http://a.test",
    "<a>",
    '"a"',
    "a|b",
    "a\tb",
    "\xe4.test",
    "a.test:b",
    "a:1:2",
    "[::1",
    "::1",
    "]a[",
    "[a]b",
    "%zz",
  ]
) refuses("3.2", `the Host ${JSON.stringify(value)}`, withHost(value));

// Content-Length.
accepts("6.2", "a body", post("Content-Length: 5\r\n", "hello"), { method: "POST", body: "hello" });
accepts("6.2", "an empty body", post("Content-Length: 0\r\n"), { body: "" });
accepts("6.3", "a POST without a length has no body", post(""), { body: "" });
accepts("6.2", "a length with zeros before it", post("Content-Length: 00005\r\n", "hello"), {
  body: "hello",
});
accepts("6.2", "a length with blanks around it", post("Content-Length: \t5 \r\n", "hello"), {
  body: "hello",
});
accepts("6.2", "the name in another case", post("cOnTeNt-LeNgTh: 5\r\n", "hello"), {
  body: "hello",
});
accepts(
  "6.2",
  "bytes that look like a request are a body",
  post(`Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED),
  {
    body: SMUGGLED,
  },
);
accepts("6.2", "a body of all bytes", post("Content-Length: 256\r\n", allBytes()), {
  body: allBytes(),
});
sequence(
  "9110 9.3.1",
  "a body of GET is read and dropped",
  get("/a", "Content-Length: 5\r\n") + "hello" + get("/b"),
  [{ status: 200 }, { status: 200, echo: { url: "http://a.test/b" } }],
);
sequence(
  "9110 9.3.2",
  "a body of HEAD is read and dropped",
  `HEAD /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello` + get("/b"),
  [{ status: 200, method: "HEAD" }, { status: 200, echo: { url: "http://a.test/b" } }],
);
for (
  const value of [
    "-1",
    "+5",
    "0x5",
    "5,",
    ",5",
    "5, 5",
    "5,5",
    "5, 6",
    "5 5",
    "5;a",
    "5.0",
    "1e1",
    "five",
    "",
    "\xb2",
    "5\xa0",
    "NaN",
    "18446744073709551616",
    "99999999999999999999999999999999",
    "18446744073709551621",
  ]
) {
  refuses(
    "6.3",
    `the length ${JSON.stringify(value)}`,
    post(`Content-Length: ${value}\r\n`, "hello"),
  );
}
refuses(
  "6.3",
  "two differing lengths",
  post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
);
refuses("6.3", "two equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
refuses("6.3", "a wrong length of GET", get("/a", "Content-Length: x\r\n"));
accepts(
  "limits",
  "the longest body",
  post(`Content-Length: ${BODY_BYTES_MAX_TESTED}\r\n`, "a".repeat(BODY_BYTES_MAX_TESTED)),
  { body: "a".repeat(BODY_BYTES_MAX_TESTED) },
);
refuses(
  "9110 15.5.14",
  "a body that is too long",
  post(`Content-Length: ${BODY_BYTES_MAX_TESTED + 1}\r\n`, "a"),
  413,
);
refuses(
  "9110 15.5.14",
  "a body beyond everything",
  post("Content-Length: 999999999999999\r\n"),
  413,
);

// Transfer-Encoding.
const CHUNKS = "5\r\nhello\r\n0\r\n\r\n";
accepts("6.1", "a chunked body", chunked(CHUNKS), { body: "hello" });
accepts("6.1", "chunked in upper case", post("Transfer-Encoding: Chunked\r\n", CHUNKS), {
  body: "hello",
});
accepts("6.1", "chunked with blanks around it", post("Transfer-Encoding: \tchunked \r\n", CHUNKS), {
  body: "hello",
});
refuses("6.1", "CL.TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", CHUNKS));
refuses("6.1", "TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", CHUNKS));
refuses(
  "6.1",
  "chunked and a length of 0",
  post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", CHUNKS),
);
for (
  const [value, status] of [
    ["chunked, gzip", 400],
    ["gzip, chunked", 501],
    ["GZIP , Chunked", 501],
    ["foo, chunked", 501],
    ["gzip", 400],
    ["identity", 400],
    ["chunked, identity", 400],
    ["identity, chunked", 501],
    ["chunked, chunked", 400],
    ["xchunked", 400],
    ["chunkedx", 400],
    ["chunk", 400],
    ["chunked;a=b", 400],
    ['"chunked"', 400],
    ["", 400],
    [",", 400],
    ["\xa0chunked", 400],
    ["chunked\x85", 400],
    ["chunked chunked", 400],
  ] as const
) {
  const name = `the transfer coding ${JSON.stringify(value)}`;
  refuses("6.3", name, post(`Transfer-Encoding: ${value}\r\n`, CHUNKS), status);
}
refuses("6.1", "two fields of chunked", post("Transfer-Encoding: chunked\r\n".repeat(2), CHUNKS));
refuses(
  "6.1",
  "chunked, then identity",
  post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", CHUNKS),
);
refuses("6.1", "a vertical tab before chunked", post("Transfer-Encoding: \x0bchunked\r\n", CHUNKS));
refuses("5.2", "chunked in a line of its own", post("Transfer-Encoding:\r\n chunked\r\n", CHUNKS));
refuses(
  "5.1",
  "a space before the colon of Transfer-Encoding",
  post("Transfer-Encoding : chunked\r\n", CHUNKS),
);
refuses(
  "6.1",
  "chunked in HTTP/1.0",
  `POST /p HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
);
refuses(
  "6.1",
  "chunked in HTTP/1.0 that is to be kept alive",
  `POST /p HTTP/1.0\r\n${HOST}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
);
accepts(
  "6.1",
  "a field that is only like Transfer-Encoding",
  post("Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", "hello"),
  {
    body: "hello",
  },
);
sequence(
  "9110 9.3.1",
  "chunks of GET are read and dropped",
  get("/a", "Transfer-Encoding: chunked\r\n") + CHUNKS + get("/b"),
  [
    { status: 200 },
    { status: 200, echo: { url: "http://a.test/b" } },
  ],
);

// Chunks.
accepts("7.1", "no chunk but the last", chunked("0\r\n\r\n"), { body: "" });
accepts("7.1", "several chunks", chunked("1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n"), {
  body: "abcdef",
});
accepts(
  "7.1",
  "sizes in hexadecimal of both cases",
  chunked(`a\r\n0123456789\r\nA\r\n0123456789\r\n1F\r\n${"x".repeat(31)}\r\n0\r\n\r\n`),
  {
    body: "01234567890123456789" + "x".repeat(31),
  },
);
accepts("7.1", "sizes with zeros before them", chunked("005\r\nhello\r\n000\r\n\r\n"), {
  body: "hello",
});
accepts("7.1", "a chunk of CR and LF", chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"), { body: "\r\n\r\n" });
accepts("7.1", "a chunk that looks like the last one", chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), {
  body: "0\r\n\r\n",
});
accepts("7.1.1", "an extension", chunked("5;a\r\nhello\r\n0;b\r\n\r\n"), { body: "hello" });
accepts("7.1.1", "an extension with a value", chunked("5;a=b;c=d\r\nhello\r\n0\r\n\r\n"), {
  body: "hello",
});
accepts("7.1.1", "an extension with a quoted value", chunked('5;a="b;c d"\r\nhello\r\n0\r\n\r\n'), {
  body: "hello",
});
accepts("7.1.1", "an extension with blanks before it", chunked("5 ; a=b\r\nhello\r\n0\r\n\r\n"), {
  body: "hello",
});
accepts("7.1.2", "trailers are dropped", chunked("5\r\nhello\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n"), {
  body: "hello",
  fields: { "x-a": null, "x-c": null },
});
accepts(
  "7.1.2",
  "trailers change no framing",
  chunked("5\r\nhello\r\n0\r\nContent-Length: 50\r\nConnection: close\r\n\r\n"),
  {
    body: "hello",
    fields: { "content-length": null },
  },
);
sequence("7.1", "a request behind a chunked one", chunked(CHUNKS) + get("/b"), [
  { status: 200, echo: { body: "hello" } },
  { status: 200, echo: { url: "http://a.test/b" } },
]);
for (
  const [name, body] of [
    ["a size of no digits", "\r\nhello\r\n0\r\n\r\n"],
    ["a size that is no number", "g\r\nhello\r\n0\r\n\r\n"],
    ["a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"],
    ["a negative size", "-5\r\nhello\r\n0\r\n\r\n"],
    ["a size with a plus", "+5\r\nhello\r\n0\r\n\r\n"],
    ["a size with a space before it", " 5\r\nhello\r\n0\r\n\r\n"],
    ["a size with an underscore", "0_5\r\nhello\r\n0\r\n\r\n"],
    ["a size with something behind a space", "5 5\r\nhello\r\n0\r\n\r\n"],
    ["a size of 64 bits", "ffffffffffffffff\r\nhello"],
    ["a size of 65 bits", "10000000000000005\r\nhello"],
    ["a size that wraps around to five", "100000000000000000000000000000005\r\nhello"],
    ["a size of endless digits", "0".repeat(100)],
    ["a size that ends with LF", "5\nhello\r\n0\r\n\r\n"],
    ["a size that ends with CR", "5\rhello\r\n0\r\n\r\n"],
    ["a size that ends with CR CR LF", "5\r\r\nhello\r\n0\r\n\r\n"],
    ["a chunk without its end", "5\r\nhello0\r\n\r\n"],
    ["a chunk that ends with LF", "5\r\nhello\n0\r\n\r\n"],
    ["a chunk that ends with CR", "5\r\nhello\r0\r\n\r\n"],
    ["a chunk that is shorter than its size", "6\r\nhello\r\n0\r\n\r\n"],
    ["a chunk that is longer than its size", "4\r\nhello\r\n0\r\n\r\n"],
    ["a last chunk that ends with LF", "5\r\nhello\r\n0\n\n"],
    ["an extension with LF", "5;a\nb\r\nhello\r\n0\r\n\r\n"],
    ["an extension with CR", "5;a\rb\r\nhello\r\n0\r\n\r\n"],
    ["an extension with NUL", "5;a\0\r\nhello\r\n0\r\n\r\n"],
    ["an extension that ends with LF", "5;a\nhello\r\n0\r\n\r\n"],
    ["an extension that is too long", `5;${"a".repeat(20_000)}\r\nhello\r\n0\r\n\r\n`],
    ["an extension without an end", `5;${"a".repeat(2_000)}`],
    ["a trailer that ends with LF", "0\r\nX-A: b\n\r\n"],
    ["a trailer with CR", "0\r\nX-A: b\rc\r\n\r\n"],
    ["a trailer with NUL", "0\r\nX-A: \0\r\n\r\n"],
    ["an end without its LF", "0\r\n\rX"],
  ]
) refuses("7.1", name, chunked(body));
refuses(
  "7.1.2",
  "trailers that are too long",
  chunked(`0\r\nX: ${"a".repeat(20_000)}\r\n\r\n`),
  431,
);
refuses("7.1.2", "trailers without an end", chunked(`0\r\n${"X: a\r\n".repeat(4_000)}`), 431);
refuses(
  "9110 15.5.14",
  "a chunk that is too long",
  chunked(`7fffffff\r\n${"a".repeat(BODY_BYTES_MAX_TESTED + 1)}`),
  413,
);
refuses(
  "9110 15.5.14",
  "chunks that are too long together",
  chunked(`fffe\r\n${"a".repeat(65_534)}\r\n`.repeat(2) + "0\r\n\r\n"),
  413,
);

// Expect.
accepts(
  "9110 10.1.1",
  "an expected 100 Continue",
  post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
  {
    body: "hello",
  },
  { interim: 100 },
);
accepts(
  "9110 10.1.1",
  "expectations are case-insensitive",
  post("Expect: 100-Continue\r\nContent-Length: 5\r\n", "hello"),
  {
    body: "hello",
  },
  { interim: 100 },
);
accepts(
  "9110 10.1.1",
  "an expected 100 Continue of chunks",
  post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
  {
    body: "hello",
  },
  { interim: 100 },
);
accepts(
  "9110 10.1.1",
  "100 Continue is expected without a body",
  get("/a", "Expect: 100-continue\r\n"),
);
accepts(
  "9110 10.1.1",
  "HTTP/1.0 gets no 100 Continue",
  `POST /p HTTP/1.0\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello`,
  { body: "hello" },
  { ending: "closed" },
);
refuses("9110 10.1.1", "an unknown expectation", get("/a", "Expect: a-miracle\r\n"), 417);
refuses(
  "9110 10.1.1",
  "an unknown expectation beside a known one",
  get("/a", "Expect: 100-continue, a\r\n"),
  417,
);

// Connections.
const CLOSE = "Connection: close\r\n", KEEP = "Connection: keep-alive\r\n";
function old(target: string, fields = ""): string {
  return `GET ${target} HTTP/1.0\r\n${HOST}${fields}\r\n`;
}
for (const [kind, target] of [["handled", "/a"], ["fast", "/fast?a"]]) {
  const echo = kind === "fast" ? undefined : { url: "http://a.test/a" };
  const text = kind === "fast" ? '{"fast":"a"}' : undefined;
  const body = { echo, text };
  accepts("9.3", `${kind}: HTTP/1.1 is kept`, get(target), echo, {
    text,
    fields: { connection: null },
  });
  accepts("9.3", `${kind}: HTTP/1.1 is kept for keep-alive`, get(target, KEEP), echo, { text });
  accepts("9.6", `${kind}: HTTP/1.1 ends for close`, get(target, CLOSE), echo, {
    text,
    fields: { connection: "close" },
    ending: "closed",
  });
  for (
    const value of [
      "Close",
      "CLOSE",
      "foo, close",
      "close, foo",
      "keep-alive, close",
      "close,keep-alive",
      ", close ,",
    ]
  ) {
    accepts(
      "9.6",
      `${kind}: HTTP/1.1 ends for ${value}`,
      get(target, `Connection: ${value}\r\n`),
      echo,
      {
        text,
        fields: { connection: "close" },
        ending: "closed",
      },
    );
  }
  accepts(
    "9.6",
    `${kind}: HTTP/1.1 ends for close in a second field`,
    get(target, KEEP + CLOSE),
    echo,
    {
      text,
      ending: "closed",
    },
  );
  accepts(
    "9.6",
    `${kind}: close is not undone by keep-alive in a second field`,
    get(target, CLOSE + KEEP),
    echo,
    {
      text,
      ending: "closed",
    },
  );
  for (const value of ["closed", "not-close", "foo", "clos", "close-not", '"close"', ""]) {
    accepts(
      "9.3",
      `${kind}: HTTP/1.1 is kept for ${value || "an empty list"}`,
      get(target, `Connection: ${value}\r\n`),
      echo,
      { text },
    );
  }
  accepts("9.3", `${kind}: HTTP/1.0 ends`, old(target), echo, { text, ending: "closed" });
  accepts("9.3", `${kind}: HTTP/1.0 ends for close`, old(target, CLOSE), echo, {
    text,
    ending: "closed",
  });
  accepts("9.3", `${kind}: HTTP/1.0 is kept for keep-alive, and told so`, old(target, KEEP), echo, {
    text,
    fields: { connection: "keep-alive" },
  });
  accepts(
    "9.3",
    `${kind}: HTTP/1.0 is kept for Keep-Alive`,
    old(target, "Connection: Keep-Alive\r\n"),
    echo,
    { text },
  );
  sequence(
    "9.3",
    `${kind}: requests of HTTP/1.0 on one connection`,
    old(target, KEEP).repeat(3) + old(target),
    [
      { status: 200, ...body },
      { status: 200, ...body },
      { status: 200, ...body },
      { status: 200, ...body },
    ],
    "closed",
  );
  sequence(
    "9.3.2",
    `${kind}: pipelined requests are answered in order`,
    Array.from({ length: 30 }, (_, i) => get(`${target.split("?")[0]}?${i}`)).join(""),
    Array.from(
      { length: 30 },
      (_, i) =>
        kind === "fast"
          ? { status: 200, text: `{"fast":"${i}"}` }
          : { status: 200, echo: { url: `http://a.test/a?${i}` } },
    ),
  );
  sequence(
    "9.6",
    `${kind}: nothing behind close is answered`,
    get(target, CLOSE) + get("/smuggled") + get("/fast?smuggled"),
    [
      { status: 200, ...body },
    ],
    "closed",
  );
  sequence(
    "9.6",
    `${kind}: nothing behind HTTP/1.0 is answered`,
    old(target) + get("/smuggled") + get("/fast?smuggled"),
    [
      { status: 200, ...body },
    ],
    "closed",
  );
  sequence(
    "9.3.2",
    `${kind}: answers before a refusal are sent, and nothing behind it`,
    get(target) + get(target) + get("/a", "X : a\r\n"),
    [
      { status: 200, ...body },
      { status: 200, ...body },
      { status: 400, fields: { connection: "close" } },
    ],
    "closed",
    true,
  );
  accepts(
    "9110 9.3.2",
    `${kind}: HEAD has no body`,
    `HEAD ${target} HTTP/1.1\r\n${HOST}\r\n`,
    undefined,
    {
      method: "HEAD",
      framing: "none",
      fields: { "content-type": "application/json", "transfer-encoding": null },
    },
  );
  sequence(
    "9110 9.3.2",
    `${kind}: HEAD among others`,
    get(target) + `HEAD ${target} HTTP/1.1\r\n${HOST}\r\n` + get(target),
    [
      { status: 200, ...body },
      { status: 200, method: "HEAD" },
      { status: 200, ...body },
    ],
  );
  accepts(
    "9110 9.3.2",
    `${kind}: HEAD of HTTP/1.0`,
    `HEAD ${target} HTTP/1.0\r\n${HOST}\r\n`,
    undefined,
    {
      method: "HEAD",
      ending: "closed",
    },
  );
}
accepts("9.6", "a handler that asks for the end of the connection", get("/last"), {
  url: "http://a.test/last",
}, {
  fields: { connection: "close" },
  ending: "closed",
});
sequence(
  "9.6",
  "nothing behind the end that a handler asked for is answered",
  get("/last") + get("/smuggled"),
  [
    { status: 200, fields: { connection: "close" } },
  ],
  "closed",
);
sequence(
  "9.3.2",
  "a late answer is waited for",
  get("/late?1") + get("/fast?2") + get("/late?3") +
    post("Content-Length: 5\r\n", "hello", "/p?4") + get("/fast?5"),
  [
    { status: 200, echo: { url: "http://a.test/late?1" } },
    { status: 200, text: '{"fast":"2"}' },
    { status: 200, echo: { url: "http://a.test/late?3" } },
    { status: 200, echo: { url: "http://a.test/p?4", body: "hello" } },
    { status: 200, text: '{"fast":"5"}' },
  ],
);
sequence(
  "9.3",
  "a body that no handler reads is read all the same",
  post("Content-Length: 5\r\n", "hello", "/ignored") + get("/b"),
  [
    { status: 200, echo: { url: "http://a.test/ignored" } },
    { status: 200, echo: { url: "http://a.test/b" } },
  ],
);
sequence(
  "9.3",
  "chunks that no handler reads are read all the same",
  post("Transfer-Encoding: chunked\r\n", CHUNKS, "/ignored") + get("/b"),
  [
    { status: 200, echo: { url: "http://a.test/ignored" } },
    { status: 200, echo: { url: "http://a.test/b" } },
  ],
);
sequence(
  "9.3",
  "a fast route with a body is not mistaken",
  `POST /fast?1 HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello` +
    get("/fast?2", "Content-Length: 5\r\n") + "hello" + get("/fast?3"),
  [
    { status: 200, echo: { method: "POST", body: "hello" } },
    { status: 200, echo: { method: "GET", url: "http://a.test/fast?2" } },
    { status: 200, text: '{"fast":"3"}' },
  ],
);
sequence(
  "9.3",
  "a fast route answers POST with its body, whatever it looks like, between other requests",
  get("/fast?1") + post("Content-Length: 5\r\n", "hello", "/posted") +
    post(`Content-Length: ${get("/smuggled").length}\r\n`, get("/smuggled"), "/posted") +
    post("Content-Length: 0\r\n", "", "/posted") + post("", "", "/posted") + get("/b?2") +
    post("Content-Length: 1000\r\n", "x".repeat(1_000), "/posted") + get("/fast?3"),
  [
    { status: 200, text: '{"fast":"1"}' },
    { status: 200, text: '{"fast":"hello"}' },
    { status: 200, text: `{"fast":"${get("/smuggled")}"}` },
    { status: 200, text: '{"fast":""}' },
    { status: 200, text: '{"fast":""}' },
    { status: 200, echo: { url: "http://a.test/b?2" } },
    { status: 200, text: `{"fast":"${"x".repeat(1_000)}"}` },
    { status: 200, text: '{"fast":"3"}' },
  ],
);
sequence(
  "9.3",
  "what a fast route does not take of POST its handler gets whole",
  post("Content-Length: 1001\r\n", "x".repeat(1_001), "/posted?1") +
    post("Transfer-Encoding: chunked\r\n", CHUNKS, "/posted?2") +
    post("Content-Length: 5\r\n", "hello", "/posted?declined") +
    `PUT /posted?3 HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello` + get("/posted?4") +
    post("Content-Length: 5\r\n", "hello", "/posted?5"),
  [
    { status: 200, echo: { url: "http://a.test/posted?1", body: "x".repeat(1_001) } },
    { status: 200, echo: { method: "POST", url: "http://a.test/posted?2" } },
    { status: 200, echo: { url: "http://a.test/posted?declined", body: "hello" } },
    { status: 200, echo: { method: "PUT", body: "hello" } },
    { status: 200, echo: { method: "GET", url: "http://a.test/posted?4" } },
    { status: 200, text: '{"fast":"hello"}' },
  ],
);
sequence(
  "9.3",
  "the connection ends behind a POST that asks for it",
  post("Connection: close\r\nContent-Length: 5\r\n", "hello", "/posted") + get("/smuggled"),
  [{ status: 200, text: '{"fast":"hello"}', fields: { connection: "close" } }],
  "closed",
);

// Answers.
accepts("7.1", "a stream is chunked", get("/stream"), { url: "http://a.test/stream" }, {
  framing: "chunked",
});
accepts("6.1", "a stream to HTTP/1.0 ends with the connection", old("/stream"), {
  url: "http://a.test/stream",
}, {
  framing: "close",
  fields: { "transfer-encoding": null },
  ending: "closed",
});
accepts("6.1", "a stream to HTTP/1.0 that is kept alive", old("/stream", KEEP), {
  url: "http://a.test/stream",
}, {
  framing: "close",
  fields: { "transfer-encoding": null },
  ending: "closed",
});
accepts("9110 9.3.2", "HEAD of a stream", `HEAD /stream HTTP/1.1\r\n${HOST}\r\n`, undefined, {
  method: "HEAD",
});
accepts("6.2", "a length of the handler's own", get("/length"), { url: "http://a.test/length" }, {
  framing: "length",
});
for (const status of [204, 304]) {
  accepts("6.3", `${status} has no body`, get(`/status/${status}`), undefined, {
    status,
    framing: "none",
    fields: { "transfer-encoding": null, ...(status === 204 ? { "content-length": null } : {}) },
  });
  accepts(
    "6.3",
    `${status} of HEAD has no body`,
    `HEAD /status/${status} HTTP/1.1\r\n${HOST}\r\n`,
    undefined,
    {
      status,
      method: "HEAD",
    },
  );
  sequence(
    "6.3",
    `${status} among others`,
    get(`/status/${status}`) + get("/fast?1") + get(`/status/${status}`) + get("/b"),
    [
      { status },
      { status: 200, text: '{"fast":"1"}' },
      { status },
      { status: 200, echo: { url: "http://a.test/b" } },
    ],
  );
}
accepts("9110 15.3.6", "205 has an empty body", get("/status/205"), undefined, {
  status: 205,
  text: "",
});
accepts("6.3", "404 without a body has a length", get("/status/404"), undefined, {
  status: 404,
  framing: "length",
  text: "",
});
for (
  const [name, fields, status] of [
    ["a field that is wrong", `${HOST}X : a\r\n`, 400],
    ["no Host", "", 400],
    ["an unknown expectation", `${HOST}Expect: a\r\n`, 417],
    ["an unknown transfer coding", `${HOST}Transfer-Encoding: gzip, chunked\r\n`, 501],
    ["a body that is too long", `${HOST}Content-Length: 999999999999999\r\n`, 413],
  ] as const
) {
  refuses(
    "9110 9.3.2",
    `HEAD is refused without a body: ${name}`,
    `HEAD /a HTTP/1.1\r\n${fields}\r\n`,
    status,
    {
      method: "HEAD",
    },
  );
}

// Pairs that one server takes apart in another way than the next.
sequence(
  "11.2",
  "a chunked body that ends within what a length would take",
  chunked(`0\r\n\r\n${SMUGGLED.replace("/smuggled", "/second")}`),
  [{ status: 200, echo: { body: "" } }, { status: 200, echo: { url: "http://a.test/second" } }],
);
refuses(
  "11.2",
  "CL.TE with a request behind the last chunk",
  post("Content-Length: 46\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${SMUGGLED}`),
);
refuses(
  "11.2",
  "TE.CL with a request within a chunk",
  post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", `2a\r\n${SMUGGLED}\r\n0\r\n\r\n`),
);
refuses(
  "11.2",
  "TE.TE with a coding that nobody knows",
  post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", `0\r\n\r\n${SMUGGLED}`),
);
refuses("11.2", "a length hidden behind a NUL", post("Content-Length\0: 46\r\n", SMUGGLED));
refuses("11.2", "a length behind a CR", post("X: a\rContent-Length: 40\r\n", SMUGGLED));
refuses("11.2", "a length in a folded line", post("X: a\r\n Content-Length: 40\r\n", SMUGGLED));
refuses(
  "11.2",
  "a length of GET that is a list",
  get("/a", "Content-Length: 0, 40\r\n") + SMUGGLED,
);
refuses(
  "11.2",
  "a chunk whose size line ends early for some",
  chunked(`3\nabc\r\n0\r\n\r\n${SMUGGLED}`),
);
refuses(
  "11.2",
  "an extension that ends early for some",
  chunked(`2;\nxx\r\n4c\r\n0\r\n\r\n${SMUGGLED}`),
);
refuses(
  "11.2",
  "a chunk whose data end early for some",
  chunked(`5\r\nabc\r\n0\r\n\r\n${SMUGGLED}`),
);
refuses("11.2", "a request within a request line", line(`GET /a HTTP/1.1\rGET /smuggled HTTP/1.1`));

/** A request whose head has exactly so many bytes, none of its fields being very long. */
function fitted(length: number): string {
  const bare = get("/a");
  const value = "a".repeat(1_000);
  const field = `X: ${value}\r\n`;
  const count = Math.floor((length - bare.length - 10) / field.length);
  const rest = length - bare.length - count * field.length;
  return get("/a", field.repeat(count) + `X: ${"b".repeat(rest - 5)}\r\n`);
}

function allBytes(): string {
  return String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
}
