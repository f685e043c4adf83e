import type { FastAnswer, FastRequest, HeadTemplate } from "../../native/mod.ts";
import { requestId } from "./request_id.ts";

const encoder = new TextEncoder();

/** Writes an answer in a thread of the listener. */
export function send(
  request: FastRequest,
  answer: FastAnswer,
  head: HeadTemplate,
  text: string,
): void {
  const body = encoder.encode(text);
  answer.begin(head);
  writeRequestId(request, answer);
  answer.endHead(body.length);
  answer.writeBytes(body, 0, body.length);
}

/** Writes X-Request-ID to the head of an answer. */
export function writeRequestId(request: FastRequest | null, answer: FastAnswer): void {
  answer.writeText(`x-request-id: ${requestId(request?.fieldText("x-request-id") ?? "")}\r\n`);
}
