/**
 * The module of listener threads under test: a fast route that answers with its query, partly from memory that is lent,
 * and one that answers with the body of a POST. The listener's own refusals carry a field.
 *
 * @module
 */
import { HeadTemplate, listenerThread, mapMemory, type ReleasedMemory } from "../mod.ts";

/** Bytes of a query that the fast route answers; the handler gets longer ones. */
const QUERY_BYTES_MAX = 512;
/** Bytes of a body that is posted; the handler gets longer ones. */
const POSTED_BYTES_MAX = 1_000;
const BEGINNING = '{"fast":"';
const END = '"}';

listenerThread(() => {
  const memory = mapMemory(4_096);
  memory.bytes.set(new TextEncoder().encode(BEGINNING));
  const head = new HeadTemplate(200, "OK", { "content-type": "application/json" });
  const lent: ReleasedMemory = { inFlight: 0, released() {} };
  return {
    routes: [{
      path: "/fast",
      answer(request, answer) {
        const { bytes, queryStart, targetEnd } = request;
        const length = targetEnd - queryStart;
        if (length > QUERY_BYTES_MAX) return false;
        answer.begin(head);
        answer.endHead(BEGINNING.length + length + END.length);
        answer.onSent(lent);
        answer.addMemory(memory.address, BEGINNING.length);
        answer.writeBytes(bytes, queryStart, targetEnd);
        answer.writeText(END);
        return true;
      },
    }, {
      path: "/posted",
      method: "POST",
      bodyBytesMax: POSTED_BYTES_MAX,
      answer(request, answer) {
        const { bytes, queryStart, targetEnd, bodyStart, bodyEnd } = request;
        // What a fast route may leave to the handler, it may leave with its body.
        if (request.text(queryStart, targetEnd) === "declined") return false;
        answer.begin(head);
        answer.endHead(BEGINNING.length + bodyEnd - bodyStart + END.length);
        answer.writeText(BEGINNING);
        answer.writeBytes(bytes, bodyStart, bodyEnd);
        answer.writeText(END);
        return true;
      },
    }],
    refusalFields(request, answer) {
      answer.writeText(`x-refused: ${request?.fieldText("x-request-id") || "unknown"}\r\n`);
    },
  };
});
