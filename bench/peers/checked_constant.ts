import { createHash } from "node:crypto";

/** The body that all servers of `bench/listener.ts` send. */
export const BODY = "x".repeat(700);

/** How many requests a check sends, all on one connection. */
export const REQUESTS = 16;
/** A server has as long to answer. */
const WAIT_MS_MAX = 5_000;
/** Between the two pieces of a request. */
const PIECE_MS = 20;

const latin1 = new TextDecoder("latin1");

/**
 * Asks a server for the constant as the loads do: pipelined, one request coming in two pieces, the last with
 * `Connection: close`.
 *
 * @returns SHA-256 of the bodies one after the other, in hex
 * @throws {Error} If an answer is another, or lacks Content-Type, Content-Length or Date, or if the connection stays
 */
export async function checkConstant(port: number, path: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const last = request.replace(/\r\n$/, "Connection: close\r\n\r\n");
  const requests = new TextEncoder().encode(request.repeat(REQUESTS - 1) + last);
  const middle = Math.floor(request.length * 2.5);
  await send(connection, requests.subarray(0, middle));
  await wait(PIECE_MS);
  await send(connection, requests.subarray(middle));

  let rest = await readAll(connection);
  const hash = createHash("sha256");
  for (let i = 1; i <= REQUESTS; i++) {
    const [head] = rest.split("\r\n\r\n", 1);
    const body = rest.slice(head.length + 4, head.length + 4 + BODY.length);
    if (
      !/^HTTP\/1\.1 200 /.test(head) || !/\r\ncontent-type: *application\/json/i.test(head) ||
      !new RegExp(`\r\ncontent-length: *${BODY.length}(\r|$)`, "i").test(head) ||
      !/\r\ndate: *\w{3}, /i.test(head) || body !== BODY
    ) throw new Error(`answer ${i} of ${REQUESTS} was\n${head.slice(0, 1_000)}`);
    // Without it wrk waits for the connection's end and takes that for an error.
    if (i === REQUESTS && !/\r\nconnection: *close/i.test(head)) {
      throw new Error(`the last answer does not say Connection: close:\n${head}`);
    }
    hash.update(body);
    rest = rest.slice(head.length + 4 + body.length);
  }
  if (rest !== "") throw new Error(`${rest.length} bytes came behind the last answer`);
  return hash.digest("hex");
}

async function send(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Reads until the server ends the connection. */
async function readAll(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    connection.close();
  }, WAIT_MS_MAX);
  let text = "";
  try {
    for (let read = await connection.read(buffer); read !== null;) {
      text += latin1.decode(buffer.subarray(0, read));
      read = await connection.read(buffer);
    }
  } catch (error) {
    if (!isLate) throw error;
    throw new Error(`the connection stayed, after ${text.length} bytes of answers`);
  } finally {
    clearTimeout(deadline);
  }
  return text;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
