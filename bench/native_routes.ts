/**
 * The fast route of bench/native_server.ts: the constant answer, sent from inside the listener thread.
 *
 * @module
 */
import { HeadTemplate, listenerThread, mapMemory } from "../native/mod.ts";

listenerThread(({ data }) => {
  const { byteLength } = data as { byteLength: number };
  const body = mapMemory(byteLength);
  body.bytes.fill(120, 0, byteLength);
  const head = new HeadTemplate(200, "OK", { "content-type": "application/json" });
  return {
    routes: [{
      path: "/answer",
      answer(_request, answer) {
        answer.begin(head);
        answer.endHead(byteLength);
        answer.addMemory(body.address, byteLength);
        return true;
      },
    }],
  };
});
