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

  publish(0);
  publish(1);
  assertEquals(pins(), [2, 2, 0]);
  shares.released(0, { kind: "released", number: 1 });
  assertEquals(pins(), [1, 2, 0]);

  // The second thread dies: what it used is free, and its replacement is told of the current one.
  shares.started(1, false);
  assertEquals(pins(), [0, 2, 0]);
  assertEquals(posted.at(-1)![0], 1);

  // The first one hangs: what it used stays, beside what its replacement is told of.
  publish(2);
  shares.started(0, true);
  assertEquals(pins(), [0, 2, 3]);
  shares.died(0);
  shares.died(1);
  assertEquals(pins(), [0, 1, 1], "two editions for one hang");
});
