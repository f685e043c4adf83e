import { feedSuite } from "./feed_suite.ts";
import { httpSuite } from "./http_suite.ts";
import { openTarget } from "./target.ts";

Deno.test("the service keeps its contract over HTTP", async (t) => {
  await using target = await openTarget();
  await httpSuite(t, target);
  await feedSuite(t, target);
});
