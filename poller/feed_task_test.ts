import { assertEquals, assertLess } from "@std/assert";
import { type FeedBatch, readFeedTask } from "./feed_task.ts";
import { REJECTIONS_AT_ONCE } from "./limits.ts";

Deno.test("a feed in which nothing is accepted goes over in parts too", async () => {
  const plans = 30_000;
  const plan = '<plan plan_id="2" plan_start_date="never"/>';
  const feed = '<planList><output><base_plan base_plan_id="1" sell_mode="online" title="t">' +
    plan.repeat(plans) + "</base_plan></output></planList>";
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(feed),
  );
  const parts: number[] = [];
  const answer = await readFeedTask({
    feed: {
      name: "test",
      url: `http://127.0.0.1:${server.addr.port}/`,
      timeoutMs: 10_000,
      bytesMax: 1e9,
    },
    validators: { etag: null, lastModified: null },
  }, {
    send({ rejections }: FeedBatch) {
      parts.push(rejections.length);
      return Promise.resolve();
    },
  });
  assertEquals(answer.kind, "read");
  assertEquals(parts.reduce((sum, part) => sum + part), plans);
  // What one more chunk of the feed holds may come on top.
  assertLess(Math.max(...parts), 5 * REJECTIONS_AT_ONCE);
});
