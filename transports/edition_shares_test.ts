import { assertEquals } from "@std/assert";
import type { Edition } from "../catalogue/mod.ts";
import { type EditionMessage, EditionShares } from "./edition_shares.ts";

/** An edition that counts its pins. */
class CountingEdition {
  pins = 0;

  pin(_onRevoke: () => void): () => void {
    this.pins++;
    return () => void this.pins--;
  }

  share(): unknown {
    return {};
  }
}

Deno.test("an edition is kept until every thread lets it go or dies, and for good where one hangs", () => {
  const posted: [number, EditionMessage][] = [];
  const shares = new EditionShares(2, (thread, message) => void posted.push([thread, message]));
  const editions = [new CountingEdition(), new CountingEdition(), new CountingEdition()];
  const publish = (i: number) => shares.publish(editions[i] as unknown as Edition);
  const pins = () => editions.map((edition) => edition.pins);

  shares.started(0);
  shares.started(1);
  publish(0);
  publish(1);
  assertEquals(pins(), [2, 2, 0]);
  shares.released(0, { kind: "released", number: 1 });
  assertEquals(pins(), [1, 2, 0]);

  // The second thread dies: what it used is free, nothing is kept for it, and its replacement is told of the current one.
  shares.ended(1, false);
  assertEquals(pins(), [0, 1, 0]);
  publish(2);
  assertEquals(pins(), [0, 1, 1]);
  shares.started(1);
  assertEquals(pins(), [0, 1, 2]);
  assertEquals(posted.at(-1)![0], 1);

  // The first one hangs: what it was told of stays, beside what its replacement is told of.
  shares.ended(0, true);
  publish(0);
  shares.started(0);
  assertEquals(pins(), [2, 1, 2]);
  shares.ended(0, false);
  shares.ended(1, false);
  assertEquals(pins(), [0, 1, 1], "what the first one was told of before it hung");
});
