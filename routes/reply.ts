import type { HttpError } from "./http_error.ts";

/** What a route answers, before a transport sends it. */
export interface Reply {
  status: number;
  /** By name, in lower case; the transport's from then on. A record, since Deno reads one faster than a list of pairs. */
  headers: Record<string, string>;
  /**
   * `null` for no body. Bytes are copied before the event loop turns (Fetch standard, "extract a body"), so a handler
   * that is not asynchronous may use them again for its next answer.
   */
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
  /** Bytes of the body; `null` for a stream of unknown length. */
  length: number | null;
}

const encoder = new TextEncoder();

/** An answer of bytes or text. */
export function bodyReply(
  contentType: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Reply {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  return {
    status: 200,
    headers: { "content-type": contentType, ...headers },
    body: bytes,
    length: bytes.length,
  };
}

/** An answer of JSON. */
export function jsonReply(value: unknown, headers: Record<string, string> = {}): Reply {
  return bodyReply("application/json", JSON.stringify(value), headers);
}

/** An error in the one shape that all of them have. */
export function errorReply({ status, code, message, headers, members }: HttpError): Reply {
  const body = { data: null, error: { code, message }, ...members };
  return {
    ...jsonReply(body, { "cache-control": "no-store", ...headers }),
    status,
  };
}
