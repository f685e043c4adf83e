/**
 * A thread that takes tokens from a bucket, as often as it is told, and says how many it got.
 *
 * @module
 */
import { takeToken } from "../token_bucket.ts";

interface Scope {
  onmessage: (
    event: MessageEvent<{ buffer: SharedArrayBuffer; rate: number; tries: number }>,
  ) => void;
  postMessage(message: number): void;
}

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data: { buffer, rate, tries } }) => {
  const words = new Int32Array(buffer);
  let taken = 0;
  for (let n = 0; n < tries; n++) if (takeToken(words, 0, rate, 0)) taken++;
  scope.postMessage(taken);
};
