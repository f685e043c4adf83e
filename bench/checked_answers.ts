import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { getRequest, HttpConnection } from "./http_connection.ts";

/** Answers that were compared with what they must be. */
export interface CheckedAnswers {
  /** SHA-256 of the bodies one after the other, decompressed, in hex. */
  sha256: string;
  /** Mean bytes of a body as it was sent. */
  meanBytes: number;
}

const decoder = new TextDecoder();
/** Characters of two bodies that are shown from where they differ. */
const SHOWN = 60;

/**
 * Asks a server for some paths, one after the other.
 *
 * @param bodies What the answers must be, byte for byte, in the order of `paths`
 * @param coding The only Content-Encoding that is accepted
 * @throws {Error} If an answer is another, or coded in another way
 */
export async function checkAnswers(
  port: number,
  paths: readonly string[],
  bodies: readonly string[],
  coding: "identity" | "gzip" = "identity",
): Promise<CheckedAnswers> {
  using connection = await HttpConnection.open(port);
  const hash = createHash("sha256");
  let bytes = 0;
  for (const [i, path] of paths.entries()) {
    const answer = await connection.send(getRequest(path, { "accept-encoding": coding }));
    const answered = answer.head.match(/\r\ncontent-encoding: *(\S+)/i)?.[1] ?? "identity";
    if (answer.status !== 200 || answered !== coding) {
      throw new Error(`${path} was not answered in ${coding}:\n${answer.head}`);
    }
    const body = coding === "gzip" ? gunzipSync(answer.body) : answer.body;
    const text = decoder.decode(body);
    if (text !== bodies[i]) {
      throw new Error(`${path} was answered with another body: ${difference(text, bodies[i])}`);
    }
    hash.update(body);
    bytes += answer.body.length;
  }
  return { sha256: hash.digest("hex"), meanBytes: bytes / paths.length };
}

function difference(body: string, expected: string): string {
  let at = 0;
  while (at < body.length && body[at] === expected[at]) at++;
  const from = (text: string) => JSON.stringify(text.slice(at, at + SHOWN));
  return `at ${at} it has ${from(body)} for ${from(expected)}`;
}
