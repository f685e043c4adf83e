/**
 * Fast routes for serve_test.ts: an answer of many short pieces, one that throws, one that holds its thread up, a start
 * that can be made to fail, and a death of any message.
 *
 * @module
 */
import { HeadTemplate, listenerThread, mapMemory } from "../mod.ts";

const PIECE_BYTES = 20;
/** The longest that a thread is held up, in milliseconds. */
const HOLD_MS_MAX = 60_000;

listenerThread(({ data }) => {
  // How often starts fail from now on, counted down.
  const { failures, gate } = data as { failures: SharedArrayBuffer; gate?: SharedArrayBuffer };
  const left = new Int32Array(failures);
  if (left[0] > 0) {
    Atomics.sub(left, 0, 1);
    throw new Error("made to fail");
  }
  const head = new HeadTemplate(200, "OK", { "content-type": "text/plain" });
  const memory = mapMemory(PIECE_BYTES);
  memory.bytes.fill(97);
  return {
    onMessage() {
      throw new Error("made to die");
    },
    routes: [{
      path: "/pieces",
      answer(request, answer) {
        const pieces = Number(request.text(request.queryStart, request.targetEnd));
        answer.begin(head);
        answer.endHead(pieces * PIECE_BYTES);
        for (let i = 0; i < pieces; i++) answer.addMemory(memory.address, PIECE_BYTES);
        return true;
      },
    }, {
      path: "/throws",
      answer(_request, answer) {
        answer.begin(head);
        throw new Error("made to throw");
      },
    }, {
      path: "/held",
      answer() {
        // Says that it is here, and goes on when the test has said so: the handler answers.
        const word = new Int32Array(gate!);
        Atomics.store(word, 0, 1);
        Atomics.notify(word, 0);
        Atomics.wait(word, 0, 1, HOLD_MS_MAX);
        return false;
      },
    }],
  };
});
