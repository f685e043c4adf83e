/**
 * The same requests, valid and broken, to the listener on io_uring, to the listener on epoll, and to Deno.serve: what
 * differs is what is meant to.
 *
 * @module
 */
import { assert } from "@std/assert";
import { echoHandler } from "../native/testing/echo_handler.ts";
import {
  ConnectionEnded,
  fieldValues,
  latin1Text,
  MalformedAnswer,
  type RawAnswer,
  RawClient,
  UNKNOWN_METHOD,
} from "../native/testing/raw_client.ts";
import { generateRequest, mutate } from "../native/testing/request_generator.ts";
import { SeededRandom } from "../native/testing/seeded_random.ts";
import {
  NATIVE_TRANSPORTS,
  openTestedListener,
  type TestedListener,
} from "../native/testing/tested_listener.ts";

/** Requests; `DIFFERENTIAL_REQUESTS=100000` for more. */
const REQUESTS = Number(Deno.env.get("DIFFERENTIAL_REQUESTS") ?? 3_000);
/** The same each time unless it is given, because the table of differences is only as complete as what was seen. */
const SEED = Number(Deno.env.get("DIFFERENTIAL_SEED") ?? 20_261_121);
const CONCURRENCY = 24;
const BODY_BYTES_MAX = 2_000;
/** How long a server that says nothing is waited for, in milliseconds, and how long when it seems to differ. */
const QUIET_MS = 60;
const QUIET_AGAIN_MS = 700;
/** Differences that a failure shows. */
const SHOWN_MAX = 12;
const SHOWN_BYTES = 600;
/** Fields that belong to the connection or to the moment. */
const LEFT_OUT = new Set(["date", "connection", "keep-alive"]);
/** What a refusal of the listener looks like. */
const REFUSAL = '{"data":null,"error":{"code":"';

/** What came of a request. */
interface Outcome {
  answers: RawAnswer[];
  /** `open` also if more of the request is waited for. */
  ending: "closed" | "open" | "malformed";
}

/** A difference that is meant, between the first two answers that differ. */
interface Difference {
  sentence: string;
  /**
   * Whether this is an example of it.
   *
   * @param request Each character is a byte
   * @param ours `undefined` where none came
   */
  holds: (
    request: string,
    ours: RawAnswer | undefined,
    theirs: RawAnswer | undefined,
  ) => boolean;
}

/** What the listener refuses and Deno.serve takes, by the words of the refusal. */
const STRICTER: readonly (readonly [sentence: string, reason: RegExp])[] = [
  ["a request has a Host (RFC 9112 section 3.2)", /^a request has a Host$/],
  ["a Host is one host and port (RFC 9112 section 3.2)", /^Host is /],
  [
    "a line ends with CR LF, not with LF (RFC 9112 section 2.2)",
    /ends? with(out)? CR and LF|^the version ends its line$/,
  ],
  ["a CR comes with its LF (RFC 9112 section 2.2)", /^a CR without its LF$/],
  ["Content-Length is given once (RFC 9112 section 6.3)", /^Content-Length is given twice$/],
  ["a body has one framing (RFC 9112 section 6.1)", /^a body has Content-Length or Transfer-Enc/],
  ["chunked is the last transfer coding, once (RFC 9112 section 6.1)", /^Transfer-Encoding /],
  ["HTTP/1.0 has no Transfer-Encoding (RFC 9112 section 6.1)", /^HTTP\/1.0 has no Transfer-Enc/],
  ["other transfer codings get 501 (RFC 9112 section 6.1)", /^the only transfer coding /],
  ["other expectations get 417 (RFC 9110 section 10.1.1)", /^only 100-continue can be expected$/],
  ["a target has no fragment and no byte beyond ASCII (RFC 9112 section 3.2)", /^the target ends /],
  [
    "a target has one of four forms (RFC 9112 section 3.2)",
    /^(a target |the target does not fit )/,
  ],
  ["an empty line before a request ends with CR LF (RFC 9112 section 2.2)", /^a request begins /],
  [
    "chunks have no blanks and ends of their own (RFC 9112 section 7.1)",
    /^(a|the size of a) chunk /,
  ],
  ["a method has a limit", /^a method has \d+ bytes at most$/],
];

/** All differences that are meant, of answers. */
const INTENDED: readonly Difference[] = [
  {
    sentence:
      "refusals of the listener have a body and their own status, those of Deno.serve are empty",
    holds: (_request, ours, theirs) =>
      isRefusal(ours) && theirs?.status === 400 && theirs.body.length === 0,
  },
  {
    sentence:
      "the listener refuses at the first byte that is wrong, Deno.serve at the end of the head or by cutting off",
    holds: (_request, ours, theirs) => isRefusal(ours) && theirs === undefined,
  },
  {
    sentence: "the listener refuses a body that is wrong, with Deno.serve its handler fails",
    holds: (request, ours, theirs) =>
      isRefusal(ours) && theirs?.status === 500 && /^transfer-encoding:/im.test(request),
  },
  ...STRICTER.map(([sentence, reason]): Difference => ({
    sentence,
    holds: (_request, ours, theirs) =>
      isRefusal(ours) && theirs !== undefined && (theirs.status < 400 || theirs.status === 500) &&
      reason.test(reasonOf(ours)),
  })),
  {
    sentence: "a refusal of HEAD has no words to tell it by",
    holds: (request, ours, theirs) =>
      isRefusal(ours) && ours.body.length === 0 && request.trimStart().startsWith("HEAD ") &&
      theirs !== undefined && theirs.status < 400,
  },
  {
    sentence: "HTTP/1.2 to HTTP/1.9 are answered as HTTP/1.1 (RFC 9110 section 2.5)",
    holds: (request, ours, theirs) =>
      /^\S+ \S+ HTTP\/1\.[2-9]\r\n/.test(request.trimStart()) && ours !== undefined &&
      theirs?.status === 400,
  },
  {
    sentence:
      "a client that ends its side within a body gets no answer, that of Deno.serve a failure",
    holds: (_request, ours, theirs) => ours === undefined && theirs?.status === 500,
  },
  {
    sentence: "100 Continue comes when the handler reads the body, with Deno.serve in any case",
    holds: (request, ours, theirs) =>
      /^expect: *100-continue/im.test(request) && ours !== undefined && theirs !== undefined &&
      ours.interim.length === 0 && described(ours) === described({ ...theirs, interim: [] }),
  },
  {
    sentence: "empty lines and nothing else are not answered (RFC 9112 section 2.2)",
    holds: (request, ours, theirs) =>
      ours === undefined && theirs?.status === 400 && /(\r\n){3}$/.test(request),
  },
  {
    sentence:
      "a stream ends an answer of HTTP/1.0 by its connection, where Deno.serve chunks or counts",
    holds: (request, ours, theirs) =>
      / HTTP\/1\.0\r\n/.test(request) && ours?.framing === "close" && theirs !== undefined &&
      latin1Text(ours.body) === latin1Text(theirs.body),
  },
];

function isRefusal(answer: RawAnswer | undefined): answer is RawAnswer {
  return answer !== undefined && answer.status >= 400 &&
    fieldValues(answer, "cache-control")[0] === "no-store" &&
    (answer.body.length === 0 || latin1Text(answer.body).startsWith(REFUSAL));
}

function reasonOf({ body }: RawAnswer): string {
  return body.length === 0 ? "" : JSON.parse(latin1Text(body)).error.message;
}

/** Whether connections may end in different ways behind answers that are alike. */
function mayEndDifferently(request: string, ours: Outcome, theirs: Outcome): boolean {
  // Deno.serve ends the connection of a body that no handler read, the listener reads on.
  const isUnread = /^\s*(GET|HEAD) /.test(request) || / \S*\/ignored/.test(request);
  if (ours.ending === "open" && theirs.ending === "closed") return isUnread;
  // And the other way round with HTTP/1.0.
  return ours.ending === "closed" && theirs.ending === "open" && isUnread &&
    / HTTP\/1\.0\r\n/.test(request);
}

Deno.test({
  name: "io_uring, epoll and Deno.serve answer alike, but for what is meant to differ",
  async fn() {
    await using stack = new AsyncDisposableStack();
    const natives: { name: string; tested: TestedListener }[] = [];
    for (const { transport, problem } of NATIVE_TRANSPORTS) {
      if (problem !== null) continue;
      const tested = stack.use(await openTestedListener({ transport, module: undefined }));
      natives.push({ name: transport, tested });
    }
    const deno = stack.use(
      Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, echoHandler),
    );
    const denoPort = (deno.addr as Deno.NetAddr).port;

    const random = new SeededRandom(SEED);
    const requests = Array.from({ length: REQUESTS }, (_, i) => {
      const { bytes } = generateRequest(random, `t${i}`, {
        bodyBytesMax: BODY_BYTES_MAX,
        hasFastRoute: false,
        hasLate: false,
      });
      return random.chance(0.3) ? bytes : mutate(random, bytes);
    });
    const failures: string[] = [];
    const counts = new Map<string, number>();
    let next = 0;
    const lane = async () => {
      while (next < requests.length && failures.length < SHOWN_MAX) {
        const number = next++;
        const request = requests[number];
        const look = async (quietMs: number) => {
          const ports = [...natives.map(({ tested }) => tested.port), denoPort];
          const outcomes = await Promise.all(ports.map((port) => ask(port, request, quietMs)));
          return verdict(latin1Text(request), outcomes.slice(0, -1), outcomes.at(-1)!);
        };
        let found = await look(QUIET_MS);
        // A busy machine is slow, not wrong.
        if (found.problem !== null) found = await look(QUIET_AGAIN_MS);
        if (found.problem !== null) failures.push(`request ${number}: ${found.problem}`);
        counts.set(found.sentence, (counts.get(found.sentence) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, lane));
    if (failures.length > 0) throw new Error(`seed ${SEED}\n${failures.join("\n\n")}`);
    assert((counts.get("alike") ?? 0) > REQUESTS / 4, JSON.stringify([...counts]));
    for (const { tested } of natives) await tested.quiet();
  },
});

/** Sends a request and looks at all that comes. */
async function ask(port: number, request: Uint8Array, quietMs: number): Promise<Outcome> {
  await using client = await RawClient.open(port);
  const writing = client.write(request);
  const answers: RawAnswer[] = [];
  let ending: Outcome["ending"] = "open";
  try {
    while (await client.comesWithin(quietMs)) {
      if (!client.hasBytes) {
        ending = "closed";
        break;
      }
      // What waits for the rest of a request gets no more of it.
      const timer = setTimeout(() => client.endWriting(), quietMs * 5);
      answers.push(await client.answer(UNKNOWN_METHOD).finally(() => clearTimeout(timer)));
    }
  } catch (error) {
    if (error instanceof ConnectionEnded) ending = "closed";
    else if (error instanceof MalformedAnswer) ending = "malformed";
    else throw error;
  }
  await client[Symbol.asyncDispose]();
  await writing;
  return { answers, ending };
}

/** Whether outcomes are alike, or differ as they may. */
function verdict(
  request: string,
  ours: readonly Outcome[],
  theirs: Outcome,
): { sentence: string; problem: string | null } {
  const shown = JSON.stringify(request.slice(0, SHOWN_BYTES));
  for (const other of ours.slice(1)) {
    const texts = [ours[0], other].map(({ answers, ending }) =>
      [...answers.map(described), ending].join("\n")
    );
    if (texts[0] !== texts[1]) {
      const problem = `io_uring and epoll differ\n${shown}\n--- io_uring\n${texts[0]}\n--- epoll\n${
        texts[1]
      }`;
      return { sentence: "io_uring and epoll differ", problem };
    }
  }
  if (ours.length === 0) return { sentence: "alike", problem: null };
  const { answers, ending } = ours[0];
  for (let i = 0; i < Math.max(answers.length, theirs.answers.length); i++) {
    const [our, their] = [answers.at(i), theirs.answers.at(i)];
    const texts = [our, their].map((answer) =>
      answer === undefined ? "nothing" : described(answer)
    );
    if (texts[0] === texts[1]) continue;
    const intended = INTENDED.find(({ holds }) => holds(request, our, their));
    if (intended !== undefined) return { sentence: intended.sentence, problem: null };
    const problem = `answer ${i}\n${shown}\n--- native\n${texts[0]}\n--- Deno.serve\n${texts[1]}`;
    return { sentence: "differs", problem };
  }
  if (ending !== theirs.ending && !mayEndDifferently(request, ours[0], theirs)) {
    const problem = `${shown}\nthe connection is ${ending}, that of Deno.serve ${theirs.ending}`;
    return { sentence: "ends differently", problem };
  }
  return { sentence: "alike", problem: null };
}

/** An answer as text, without what belongs to the connection, to the moment or to the server's own address. */
function described({ interim, status, fields, body }: RawAnswer): string {
  const text = latin1Text(body);
  const withoutAddress = text.replace(/http:\/\/(localhost|127\.0\.0\.1):\d+\//, "http://server/");
  const kept = fields
    .filter(([name]) =>
      !LEFT_OUT.has(name) && (name !== "content-length" || withoutAddress === text)
    )
    .map(([name, value]) => `${name}: ${value}`).sort();
  return [`${interim} ${status}`, ...kept, withoutAddress.slice(0, SHOWN_BYTES)].join("\n");
}
