/**
 * Holds connections open, for a bench that needs more of them than one process may have descriptors. It connects, asks
 * once on each connection and reads the whole answer; for each line on its input it asks again on each. After each it
 * prints what came of it as one line of JSON.
 * `deno run --allow-net bench/connection_holder.ts HOSTNAME PORT PATH CONNECTIONS`
 *
 * @module
 */
import { getRequest } from "./http_connection.ts";

/** What came of asking once on each connection. */
export interface HolderFigures {
  /** Connections that are open, as far as is seen from here. */
  held: number;
  /** Those that were answered with 200 and all of the body. */
  answered: number;
  /** Those that could not be made, ended, or were not answered in time, and are closed. */
  lost: number;
  /** How the first few were lost. */
  reasons: string[];
}

/** Connections that are asked on at the same time. */
const CONCURRENCY = 64;
/** An answer that takes longer makes its connection a lost one. */
const ANSWER_MS_MAX = 10_000;
/** An answer that is longer is not what this asks for. */
const ANSWER_BYTES_MAX = 262_144;
const REASONS_MAX = 3;

const [hostname, port, path, count] = Deno.args;
const request = getRequest(path);
const latin1 = new TextDecoder("latin1");
let connections: Deno.TcpConn[] = [];

const missing = Array.from({ length: Number(count) }, () => null);
await askOnEach(missing);
// The bench writes a line when it wants it again, and ends the input when it is done.
for await (const _ of Deno.stdin.readable) await askOnEach(connections);

/** Asks on each connection, made for it where there is none, and keeps those that were answered. */
async function askOnEach(those: readonly (Deno.TcpConn | null)[]): Promise<void> {
  const kept: Deno.TcpConn[] = [];
  const reasons: string[] = [];
  let next = 0;
  const lane = async () => {
    const buffer = new Uint8Array(ANSWER_BYTES_MAX);
    while (next < those.length) {
      let connection = those[next++];
      let timer: ReturnType<typeof setTimeout> | undefined;
      try {
        connection ??= await Deno.connect({ hostname, port: Number(port) });
        const asked = connection;
        timer = setTimeout(() => asked.close(), ANSWER_MS_MAX);
        await ask(asked, buffer);
        kept.push(asked);
      } catch (error) {
        if (reasons.length < REASONS_MAX) reasons.push(String(error));
        try {
          connection?.close();
        } catch {
          // It took too long and is closed.
        }
      } finally {
        clearTimeout(timer);
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  connections = kept;
  const figures: HolderFigures = {
    held: kept.length,
    answered: kept.length,
    lost: those.length - kept.length,
    reasons,
  };
  console.log(JSON.stringify(figures));
}

/**
 * Sends the request and reads the whole answer.
 *
 * @throws {Error} If it is not a 200 with a Content-Length, or does not come to its end
 */
async function ask(connection: Deno.TcpConn, buffer: Uint8Array): Promise<void> {
  for (let sent = 0; sent < request.length;) {
    sent += await connection.write(request.subarray(sent));
  }
  for (let length = 0, end = Infinity; length < end;) {
    const read = await connection.read(buffer.subarray(length));
    if (read === null) throw new Error(`the server hung up after ${length} bytes of an answer`);
    length += read;
    if (end !== Infinity) continue;
    const text = latin1.decode(buffer.subarray(0, length));
    const headEnd = text.indexOf("\r\n\r\n");
    if (headEnd < 0) continue;
    const head = text.slice(0, headEnd);
    const bodyBytes = head.match(/\r\ncontent-length: *(\d+)/i)?.[1];
    if (!head.startsWith("HTTP/1.1 200 ") || bodyBytes === undefined) throw new Error(head);
    end = headEnd + 4 + Number(bodyBytes);
    if (end > buffer.length) throw new Error(`an answer of ${end} bytes`);
  }
}
