import { assertEquals } from "@std/assert";
import { basePlan, feed, plan, zone } from "./feed_server.ts";
import { idOf, openTarget, pollOnce, searchFor } from "./target.ts";

const name = "SELL_MODE_POLICY=ever keeps what was ever online, as it was when last online";
// The setting is the test's own, so a service that runs elsewhere is no use here.
const ignore = Deno.env.has("MARQUEE_URL");

Deno.test({
  name,
  ignore,
  fn: async () => {
    await using target = await openTarget({ SELL_MODE_POLICY: "ever" });
    const events = (mode: string, title: string, price: number) =>
      feed([
        basePlan("1", title, [
          plan("1", "2040-05-01T20:00:00", "2040-05-01T22:00:00", [zone(price)]),
        ], { sell_mode: mode }),
        basePlan("2", "Never online", [
          plan("1", "2040-05-01T20:00:00", "2040-05-01T22:00:00"),
        ], { sell_mode: "offline" }),
      ]);
    const shown = async () =>
      (await searchFor(target.url)).map(({ title, min_price }) => [title, min_price]);

    target.feed.xml = events("online", "First", 10);
    await pollOnce(target);
    assertEquals(await shown(), [["First", 10]]);
    target.feed.xml = events("offline", "Changed while offline", 99);
    await pollOnce(target);
    assertEquals(await shown(), [["First", 10]]);
    const response = await fetch(`${target.url}/events/${await idOf("1", "1")}`);
    const { event } = (await response.json()).data;
    assertEquals([event.title, event.sell_mode, event.visible], ["First", "offline", true]);
    target.feed.xml = events("online", "Online again", 20);
    await pollOnce(target);
    assertEquals(await shown(), [["Online again", 20]]);
    target.feed.xml = feed([]);
    await pollOnce(target);
    assertEquals(await shown(), [["Online again", 20]]);
  },
});
