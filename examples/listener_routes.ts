/**
 * The fast routes of examples/listener.ts. This module runs in each listener thread; it answers from bytes to bytes and
 * waits for nothing.
 *
 * @module
 */
import { HeadTemplate, listenerThread } from "../native/mod.ts";

const head = new HeadTemplate(200, "OK", { "content-type": "text/plain; charset=utf-8" });
const encoder = new TextEncoder();
const NAME = encoder.encode("name=");
const END = encoder.encode("!\n");
const AMPERSAND = 38;

listenerThread(({ data }) => {
  let { greeting } = data as { greeting: string };
  let start = encoder.encode(`${greeting}, `);
  return {
    routes: [{
      path: "/hello",
      answer(request, answer) {
        const { bytes, queryStart, targetEnd } = request;
        // Anything but ?name=… is left to the handler.
        for (let i = 0; i < NAME.length; i++) if (bytes[queryStart + i] !== NAME[i]) return false;
        const nameStart = queryStart + NAME.length;
        let nameEnd = nameStart;
        while (nameEnd < targetEnd && bytes[nameEnd] !== AMPERSAND) nameEnd++;
        answer.begin(head);
        answer.endHead(start.length + nameEnd - nameStart + END.length);
        answer.writeBytes(start, 0, start.length);
        answer.writeBytes(bytes, nameStart, nameEnd);
        answer.writeBytes(END, 0, END.length);
        return true;
      },
    }],
    onMessage(message) {
      ({ greeting } = message as { greeting: string });
      start = encoder.encode(`${greeting}, `);
    },
  };
});
