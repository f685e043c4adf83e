import type { Edition } from "./edition.ts";
import type { GatherList } from "./gather_list.ts";
import { PIECE_BYTES } from "./limits.ts";

/**
 * Sends a long answer piece by piece, as fast as it is read, and keeps its edition for so long.
 *
 * @param edition What the answer was made from; pinned until the stream ends, is cancelled, or is errored because too
 * many editions are pinned
 * @param list The answer; the stream's from now on, which frees it
 */
export function streamAnswer(
  edition: Edition,
  list: GatherList,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let piece = 0, from = 0, left = list.byteLength;
  let unpin: () => void;
  const end = () => {
    left = 0;
    list.free();
    unpin();
  };
  return new ReadableStream({
    start(controller) {
      unpin = edition.pin(() => {
        controller.error(new Error("the answer was read too slowly: its edition is given up"));
        end();
      });
    },
    pull(controller) {
      const chunk = new Uint8Array(Math.min(PIECE_BYTES, left));
      for (let filled = 0; filled < chunk.length;) {
        const taken = Math.min(chunk.length - filled, list.lengths[piece] - from);
        const begin = list.offsets[piece] + from;
        chunk.set(list.memories[piece].bytes.subarray(begin, begin + taken), filled);
        filled += taken;
        from += taken;
        if (from === list.lengths[piece]) {
          piece++;
          from = 0;
        }
      }
      left -= chunk.length;
      controller.enqueue(chunk);
      if (left > 0) return;
      end();
      controller.close();
    },
    cancel: end,
  }, { highWaterMark: 0 });
}
