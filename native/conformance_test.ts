import { assert, assertEquals } from "@std/assert";
import {
  BODY_BYTES_MAX_TESTED,
  CONFORMANCE_CASES,
  type ConformanceCase,
  type ExpectedAnswer,
  SMUGGLED,
} from "./testing/conformance_cases.ts";
import { checksum, type Echo } from "./testing/echo_handler.ts";
import {
  fieldValues,
  latin1Bytes,
  type RawAnswer,
  RawClient,
  TooLate,
} from "./testing/raw_client.ts";
import { SeededRandom } from "./testing/seeded_random.ts";
import { NATIVE_TRANSPORTS, openTestedListener } from "./testing/tested_listener.ts";

/** Cases that run at once. */
const CONCURRENCY = 16;
/** Places that a case is cut in two at, each on a connection of its own. */
const CUTS = 4;
const SEED = 20_261_121;
/** A longer case goes byte by byte at its beginning and its end only, and in larger pieces between. */
const BYTEWISE_MAX = 1_500;
const EDGE_BYTES = 100;
const PIECE_BYTES = 997;
/** Bytes of a case that a failure shows. */
const SHOWN_BYTES = 400;
const SENTINEL = latin1Bytes(
  "GET /sentinel HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
);
/** Fields that an answer has once at most. */
const SINGLE_FIELDS = ["date", "connection", "content-type", "content-length", "transfer-encoding"];

/** One way to send a case. */
interface Run {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
  cuts: number[];
}

const sections = Map.groupBy(CONFORMANCE_CASES, ({ section }) => section);

Deno.test("the cases of conformance have names of their own", () => {
  const names = CONFORMANCE_CASES.map(({ section, name }) => `${section} ${name}`);
  assertEquals(names.filter((name, i) => names.indexOf(name) !== i), []);
  assert(names.length >= 120, `${names.length} cases`);
});

for (const { transport, problem } of NATIVE_TRANSPORTS) {
  Deno.test({
    name: `${transport}: HTTP/1.1 is what RFC 9110 and RFC 9112 say`,
    ignore: problem !== null,
    async fn(context) {
      await using tested = await openTestedListener({
        transport,
        bodyBytesMax: BODY_BYTES_MAX_TESTED,
      });
      for (const [section, cases] of sections) {
        const title = /^\d/.test(section)
          ? `RFC ${section.includes(" ") ? section : `9112 ${section}`}`
          : section;
        await context.step(`${title}: ${cases.length} cases`, async () => {
          const failures = await failuresOf(tested.port, cases);
          if (failures.length > 0) throw new Error(failures.join("\n\n"));
        });
      }
      await context.step("an expected 100 Continue comes before the body is sent", async () => {
        await using client = await RawClient.open(tested.port);
        const head = "POST /p HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n";
        for (let i = 0; i < 3; i++) {
          await client.write(latin1Bytes(`${head}Content-Length: 5\r\n\r\n`));
          assertEquals(await client.status(), 100);
          await client.write(latin1Bytes("hello"));
          assertEquals((await echoOf(client)).bodyLength, 5);
          await client.write(latin1Bytes(`${head}Transfer-Encoding: chunked\r\n\r\n`));
          assertEquals(await client.status(), 100);
          await client.write(latin1Bytes("5\r\nhello\r\n0\r\n\r\n"));
          assertEquals((await echoOf(client)).bodyLength, 5);
        }
      });
      await context.step("no 100 Continue comes for a body that nobody reads", async () => {
        await using client = await RawClient.open(tested.port);
        const head = "POST /ignored HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n";
        await client.write(latin1Bytes(`${head}Content-Length: 5\r\n\r\n`));
        const { status, interim } = await client.answer();
        assertEquals([status, interim], [200, []]);
      });
      await context.step(
        "nothing comes for half a request, and its end ends the connection",
        async () => {
          for (
            const half of ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a.test\r\n\r"]
          ) {
            await using client = await RawClient.open(tested.port);
            await client.write(latin1Bytes(half));
            await client.endWriting();
            assertEquals(await client.ending(), "closed");
          }
        },
      );
      await context.step("everything is given back", () => tested.quiet());
    },
  });
}

/** Runs cases in all ways; tells of each that fails once. */
async function failuresOf(port: number, cases: readonly ConformanceCase[]): Promise<string[]> {
  const random = new SeededRandom(SEED);
  const failures: string[] = [];
  const waiting = cases.map((one) => ({ one, runs: runsOf(one, random) }));
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { one, runs } = next;
      const failed: string[] = [];
      let message = "";
      for (const run of runs) {
        try {
          await perform(port, one, run);
        } catch (error) {
          failed.push(run.name);
          message ||= error instanceof Error ? error.message.trim() : String(error);
          // The other ways would take as long.
          if (error instanceof TooLate) break;
        }
      }
      if (failed.length === 0) continue;
      const shown = JSON.stringify(one.bytes.slice(0, SHOWN_BYTES));
      failures.push(`${one.section} ${one.name} (${failed.join("; ")})\n${shown}\n${message}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return failures;
}

function runsOf({ bytes: text, ending }: ConformanceCase, random: SeededRandom): Run[] {
  const bytes = latin1Bytes(text);
  const runs: Run[] = [{ name: "whole", bytes, cuts: [] }];
  for (let i = 0; i < CUTS && bytes.length > 1; i++) {
    const cut = 1 + random.below(bytes.length - 1);
    runs.push({ name: `cut at ${cut}`, bytes, cuts: [cut] });
  }
  runs.push({ name: "byte by byte", bytes, cuts: crumbs(bytes.length) });
  if (ending === "closed") {
    const followed = latin1Bytes(text + SMUGGLED);
    runs.push({ name: "followed by a request", bytes: followed, cuts: [] });
    const { length } = bytes;
    runs.push({ name: "followed by a request of its own", bytes: followed, cuts: [length] });
    runs.push({
      name: "followed by a request, byte by byte",
      bytes: followed,
      cuts: crumbs(followed.length),
    });
  }
  return runs;
}

function crumbs(length: number): number[] {
  const cuts: number[] = [];
  for (let cut = 1; cut < length;) {
    cuts.push(cut);
    const isAtEdge = length <= BYTEWISE_MAX || cut < EDGE_BYTES || length - cut <= EDGE_BYTES;
    cut += isAtEdge ? 1 : Math.min(PIECE_BYTES, length - cut - EDGE_BYTES);
  }
  return cuts;
}

async function perform(port: number, one: ConformanceCase, run: Run): Promise<void> {
  await using client = await RawClient.open(port, 5_000);
  const writing = client.writePieces(run.bytes, run.cuts);
  try {
    for (const expected of one.answers) {
      compare(await client.answer(expected.method), expected, one);
    }
    if (one.ending === "open") {
      await writing;
      await client.write(SENTINEL);
      const { url } = await echoOf(client);
      assertEquals(url, "http://a.test/sentinel");
    }
    const ending = await client.ending();
    // Who goes on sending behind an announced end may meet a closed socket, except where it was the server's decision.
    const mayBeReset = !one.isRefused && run.bytes.length > one.bytes.length;
    if (!mayBeReset || ending !== "reset") {
      assertEquals(ending, "closed", "how the connection ended");
    }
  } finally {
    await client[Symbol.asyncDispose]();
    await writing;
  }
}

async function echoOf(client: RawClient): Promise<Echo> {
  const { body } = await client.answer();
  return JSON.parse(new TextDecoder().decode(body));
}

function compare(answer: RawAnswer, expected: ExpectedAnswer, one: ConformanceCase): void {
  const text = new TextDecoder().decode(answer.body);
  assertEquals(answer.status, expected.status, `status; the body is ${text.slice(0, SHOWN_BYTES)}`);
  assertEquals(answer.minorVersion, 1, "minor version");
  for (const status of answer.interim) assertEquals(status, expected.interim, "interim answer");
  for (const name of SINGLE_FIELDS) {
    assert(fieldValues(answer, name).length <= 1, `${name} comes several times`);
  }
  const [date] = fieldValues(answer, "date");
  assert(date !== undefined && new Date(date).toUTCString() === date, `Date is ${date}`);
  if (answer.status === 204) {
    assertEquals(fieldValues(answer, "content-length"), [], "Content-Length of 204");
  }
  for (const [name, value] of Object.entries(expected.fields ?? {})) {
    assertEquals(
      fieldValues(answer, name).join(", ") || null,
      value,
      `field ${name} of the answer`,
    );
  }
  if (expected.framing !== undefined) assertEquals(answer.framing, expected.framing, "framing");
  if (expected.text !== undefined) assertEquals(text, expected.text);
  if (one.isRefused && expected === one.answers.at(-1) && expected.method !== "HEAD") {
    assertEquals(fieldValues(answer, "content-type"), ["application/json"]);
    const { data, error } = JSON.parse(text);
    assertEquals(data, null);
    assert(/^[a-z][a-z_]*$/.test(error.code) && error.message.length > 0, text);
  }
  if (expected.echo === undefined || expected.method === "HEAD") return;
  compareEcho(JSON.parse(text), expected.echo);
}

function compareEcho(echo: Echo, expected: NonNullable<ExpectedAnswer["echo"]>): void {
  if (expected.method !== undefined) assertEquals(echo.method, expected.method, "method");
  if (expected.url !== undefined) assertEquals(echo.url, expected.url, "URL");
  if (expected.body !== undefined) {
    const bytes = latin1Bytes(expected.body);
    assertEquals([echo.bodyLength, echo.bodyChecksum], [bytes.length, checksum(bytes)], "body");
  }
  const fields = new Map(echo.fields);
  for (const [name, value] of Object.entries(expected.fields ?? {})) {
    assertEquals(fields.get(name) ?? null, value, `field ${name} of the request`);
  }
}
