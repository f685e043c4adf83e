/**
 * A handler that tells what it was asked, so that a client can see what a server made of its bytes.
 *
 * @module
 */

/** What the handler saw of a request. */
export interface Echo {
  method: string;
  url: string;
  /** Names in lower case, sorted. */
  fields: [name: string, value: string][];
  /** Bytes of the body; -1 if it was not read. */
  bodyLength: number;
  /** Of the body, by {@linkcode checksum}. */
  bodyChecksum: number;
}

/** Bytes that are the same have the same number (FNV-1a). */
export function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash >>> 0;
}

/**
 * Answers with an {@linkcode Echo} as JSON. Some paths do so in another way: `/stream` in pieces, `/late` after some
 * milliseconds, `/ignored` without reading the body, `/last` asking for the end of the connection, `/length` with a
 * Content-Length of its own, `/status/204`, 205, 304 and 404 with that status and without a body.
 */
export async function echoHandler(request: Request): Promise<Response> {
  const path = request.url.match(/^[a-z]+:\/\/[^/?#]*(\/[^?#]*)/i)?.[1] ?? "";
  const body = path === "/ignored" ? null : await request.bytes();
  const echo: Echo = {
    method: request.method,
    url: request.url,
    fields: [...request.headers],
    bodyLength: body === null ? -1 : body.length,
    bodyChecksum: body === null ? 0 : checksum(body),
  };
  const text = JSON.stringify(echo);
  const headers: Record<string, string> = { "content-type": "application/json" };
  // A 2xx would make a tunnel of it.
  if (request.method === "CONNECT") return new Response(text, { status: 405, headers });
  const status = path.match(/^\/status\/(204|205|304|404)$/)?.[1];
  if (status !== undefined) return new Response(null, { status: Number(status) });
  switch (path) {
    case "/stream":
      return new Response(streamOf(text), { headers });
    case "/late":
      await new Promise((resolve) => setTimeout(resolve, 10));
      break;
    case "/last":
      headers.connection = "close";
      break;
    case "/length":
      // Header values of the echo are the only text that is not ASCII.
      headers["content-length"] = String(new TextEncoder().encode(text).length);
  }
  return new Response(text, { headers });
}

function streamOf(text: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(text);
  const third = Math.ceil(bytes.length / 3);
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (sent > 0) await new Promise((resolve) => setTimeout(resolve, 1));
      controller.enqueue(bytes.slice(sent, sent += third));
      if (sent >= bytes.length) controller.close();
    },
  });
}
