/**
 * Writes server-sent events, as the HTML standard defines them (section 9.2).
 *
 * @module
 */

/** A message, or a comment that clients ignore. Fields that are empty or 0 are left out. */
export interface ServerSentEventMessage {
  /** Ignored by clients; keeps a connection alive. One line. */
  comment?: string;
  /** The kind of the event. One line. */
  event?: string;
  /** The data, of any number of lines. */
  data?: string;
  /** What a client that lost its connection will send as Last-Event-ID. One line. */
  id?: string | number;
  /** How long a client is to wait until it connects again, in milliseconds. */
  retry?: number;
}

const LINE_BREAK = /\r\n|\r|\n/;

/**
 * Turns messages into the bytes of a `text/event-stream`. A line break in a comment, event or id makes the stream fail
 * with a SyntaxError: it would end the field and let the rest of it be read as other fields.
 *
 * @example
 * ```ts
 * import { type ServerSentEventMessage, ServerSentEventStream } from "@std/http/server-sent-event-stream";
 * import { assertEquals } from "@std/assert";
 *
 * const messages = ReadableStream.from<ServerSentEventMessage>([{ event: "change", data: "1\n2", id: 7 }]);
 * const body = await new Response(messages.pipeThrough(new ServerSentEventStream())).text();
 * assertEquals(body, "event:change\ndata:1\ndata:2\nid:7\n\n");
 * ```
 */
export class ServerSentEventStream extends TransformStream<ServerSentEventMessage, Uint8Array> {
  /** Makes a stream; a response is made of its readable side. */
  constructor() {
    const encoder = new TextEncoder();
    super({
      transform: (message, controller) => controller.enqueue(encoder.encode(render(message))),
    });
  }
}

function render({ comment, event, data, id, retry }: ServerSentEventMessage): string {
  let text = "";
  if (comment) text += `:${singleLine("comment", comment)}\n`;
  if (event) text += `event:${singleLine("event", event)}\n`;
  if (data) { for (const line of data.split(LINE_BREAK)) text += `data:${line}\n`; }
  if (id) text += `id:${singleLine("id", String(id))}\n`;
  if (retry) text += `retry:${retry}\n`;
  return text + "\n";
}

function singleLine(field: string, value: string): string {
  if (!LINE_BREAK.test(value)) return value;
  throw new SyntaxError(`the ${field} of a server-sent event can't have a line break`);
}
