/**
 * The module of listener threads under test: a fast route that answers with its query, partly from memory that is lent.
 *
 * @module
 */
import { HeadTemplate, listenerThread, mapMemory, type ReleasedMemory } from "../mod.ts";

/** Bytes of a query that the fast route answers; the handler gets longer ones. */
const QUERY_BYTES_MAX = 512;
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
    }],
  };
});
