import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { HEAD_BYTES_MAX } from "./limits.ts";
import { ResponseParser } from "./response_parser.ts";

/** What a parser told of a connection. */
interface Told {
  status: number;
  bodyBytes: number;
  isKept: boolean;
  body: string;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Feeds pieces to a parser, each to its connection. */
function parse(
  pieces: readonly (readonly [connection: number, text: string])[],
  { isHead = false, due = Infinity } = {},
): { told: Told[][]; problems: (string | null)[]; parser: ResponseParser } {
  const told: Told[][] = [[], [], []];
  const bodies = ["", "", ""];
  const problems: (string | null)[] = [null, null, null];
  const parser = new ResponseParser({
    connections: 3,
    isHead,
    areBodiesWanted: true,
    events: {
      isAnswerDue: (connection) => told[connection].length < due,
      body(connection, bytes, from, to) {
        bodies[connection] += String.fromCharCode(...bytes.subarray(from, to));
      },
      answered(connection, status, bodyBytes, isKept) {
        told[connection].push({ status, bodyBytes, isKept, body: bodies[connection] });
        bodies[connection] = "";
        return isKept;
      },
    },
  });
  for (const [connection, text] of pieces) {
    if (problems[connection] !== null) continue;
    // In the middle of a buffer, as they come.
    const bytes = bytesOf(`xx${text}yy`);
    problems[connection] = parser.take(connection, bytes, 2, bytes.length - 2);
  }
  return { told, problems, parser };
}

/** An answer, and what a parser should tell of it. */
const answers = fc.record({
  status: fc.constantFrom(200, 201, 204, 304, 404, 429, 500, 503, 599),
  body: fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 300 }),
  framing: fc.constantFrom("length", "chunked"),
  interim: fc.boolean(),
  cuts: fc.array(fc.nat(300), { maxLength: 4 }),
  fields: fc.constantFrom(
    "",
    "Date: Wed, 25 Nov 2026 20:00:00 GMT\r\n",
    "X:\r\nContent-Type: text/plain\r\n",
    "Connection: keep-alive\r\nConnections: 12345\r\n",
    "aaaaaaaaaaaaaa: 5\r\n",
  ),
  colon: fc.constantFrom(":", ": ", ":\t", ":   "),
}).map(({ status, body: text, framing, interim, cuts, fields, colon }) => {
  const hasBody = status !== 204 && status !== 304;
  const body = hasBody ? text : "";
  let wire = interim ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : "";
  wire += `HTTP/1.1 ${status} \r\n${fields}`;
  if (framing === "length" || !hasBody) {
    return { wire: `${wire}content-LENGTH${colon}${text.length}\r\n\r\n${body}`, status, body };
  }
  wire += `Transfer-Encoding${colon}chunked \r\n\r\n`;
  const ends = [...cuts.filter((cut) => cut < body.length), body.length].sort((a, b) => a - b);
  for (let i = 0, from = 0; i < ends.length; from = ends[i++]) {
    if (ends[i] === from) continue;
    wire += `${(ends[i] - from).toString(16)};x=y\r\n${body.slice(from, ends[i])}\r\n`;
  }
  return { wire: `${wire}0\r\nTrailer: x\r\n\r\n`, status, body };
});

Deno.test("answers are read alike over any split, on connections that take turns", () => {
  fc.assert(
    fc.property(
      fc.tuple(...[0, 1, 2].map(() => fc.array(answers, { minLength: 1, maxLength: 4 }))),
      fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(2), { minLength: 1, maxLength: 40 }),
      (sent, sizes, turns) => {
        const rests = sent.map((of) => of.map(({ wire }) => wire).join(""));
        const pieces: [number, string][] = [];
        for (let i = 0; rests.some((rest) => rest !== ""); i++) {
          const connection = i % 5 === 4 ? i % 3 : turns[i % turns.length];
          const size = sizes[i % sizes.length];
          pieces.push([connection, rests[connection].slice(0, size)]);
          rests[connection] = rests[connection].slice(size);
        }
        const { told, problems } = parse(pieces);
        assertEquals(problems, [null, null, null]);
        assertEquals(
          told,
          sent.map((of) =>
            of.map(({ status, body }) => ({ status, bodyBytes: body.length, isKept: true, body }))
          ),
        );
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("no bytes make the parser throw, and what is malformed is so over any split", () => {
  const bytes = fc.oneof(
    fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 60 }),
    fc.tuple(answers, fc.nat(500), fc.nat(255)).map(([{ wire }, at, byte]) => {
      const place = at % wire.length;
      return wire.slice(0, place) + String.fromCharCode(byte) + wire.slice(place + 1);
    }),
  );
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 9 }), (text, size) => {
      const whole = parse([[0, text]]);
      const pieces: [number, string][] = [];
      for (let i = 0; i < text.length; i += size) pieces.push([0, text.slice(i, i + size)]);
      const inPieces = parse(pieces);
      assertEquals(inPieces.told[0], whole.told[0]);
      assertEquals(
        inPieces.problems[0] === null,
        whole.problems[0] === null,
        inPieces.problems[0]!,
      );
    }),
    { numRuns: 1_000 },
  );
});

const MALFORMED: Record<string, string> = {
  "another protocol": "SSH-2.0-OpenSSH_9.2\r\n",
  "HTTP/2 in clear text": "HTTP/2 200 \r\n\r\n",
  "a version beyond 1.1": "HTTP/1.2 200 OK\r\n\r\n",
  "a status of two digits": "HTTP/1.1 20 OK\r\n\r\n",
  "a status of four digits": "HTTP/1.1 2000 OK\r\n\r\n",
  "a status that is none": "HTTP/1.1 600 OK\r\n\r\n",
  "a switch of protocols": "HTTP/1.1 101 Switching Protocols\r\n\r\n",
  "a bare line feed": "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
  "a bare return": "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
  "a NUL": "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
  "a field without a colon": "HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
  "a field without a name": "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
  "a space before the colon": "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
  "a folded line": "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
  "a length that is none": "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nx",
  "a negative length": "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
  "an empty length": "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
  "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
  "a length that no number holds": "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\n",
  "a length and chunks":
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
  "chunks and a length":
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
  "another coding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
  "a chunk without a size": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
  "a chunk longer than its size":
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
};

for (const [name, text] of Object.entries(MALFORMED)) {
  Deno.test(`malformed: ${name}`, () => {
    assertEquals(typeof parse([[0, text]]).problems[0], "string");
    assertEquals(typeof parse([...text].map((byte) => [0, byte])).problems[0], "string");
  });
}

Deno.test("a head without an end is given up", () => {
  const piece = `A: ${"b".repeat(1_000)}\r\n`;
  const pieces = ["HTTP/1.1 200 OK\r\n", ...Array(HEAD_BYTES_MAX / 1_000 + 1 | 0).fill(piece)];
  assertMatch(parse(pieces.map((text) => [0, text])).problems[0]!, /a head has over 65536 bytes/);
});

Deno.test("bytes behind the last answer that is due belong to nothing", () => {
  const text = "HTTP/1.1 204 No Content\r\n\r\n";
  assertEquals(parse([[0, text]], { due: 1 }).problems[0], null);
  assertMatch(parse([[0, `${text}x`]], { due: 1 }).problems[0]!, /1 bytes came that belong to no/);
});

Deno.test("a connection is kept unless the answer says otherwise", () => {
  const kept = (head: string) =>
    parse([[0, `${head}\r\nContent-Length: 0\r\n\r\n`]]).told[0][0].isKept;
  assertEquals(kept("HTTP/1.1 200 OK"), true);
  assertEquals(kept("HTTP/1.1 200 OK\r\nConnection: keep-alive"), true);
  assertEquals(kept("HTTP/1.1 200 OK\r\nConnection: Close"), false);
  assertEquals(kept("HTTP/1.1 200 OK\r\nConnection: upgrade, close"), false);
  assertEquals(kept("HTTP/1.1 200 OK\r\nConnection: closed"), true);
  assertEquals(kept("HTTP/1.0 200 OK"), false);
  assertEquals(kept("HTTP/1.0 200 OK\r\nConnection: keep-alive"), true);
});

Deno.test("a body without a length lasts until the connection ends", () => {
  const { told, parser } = parse([[0, "HTTP/1.1 200 OK\r\n\r\nab"], [0, "c"]]);
  assertEquals(told[0], []);
  assertEquals(parser.end(0), false);
  assertEquals(told[0], [{ status: 200, bodyBytes: 3, isKept: false, body: "abc" }]);
});

Deno.test("the end of a connection in the middle of an answer breaks it off", () => {
  for (const text of ["HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"]) {
    const { parser, told } = parse([[0, text]]);
    assertEquals([parser.end(0), told[0]], [true, []]);
  }
  assertEquals(parse([[0, "HTTP/1.1 204 No Content\r\n\r\n"]]).parser.end(0), false);
});

Deno.test("answers to HEAD have a length and no body", () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  const { told, problems } = parse([[0, text + text]], { isHead: true });
  assertEquals([told[0].length, problems[0]], [2, null]);
});
