import { feedSuite } from "./feed_suite.ts";
import { httpSuite } from "./http_suite.ts";
import { openTarget } from "./target.ts";
import { TRANSPORTS } from "./transports.ts";

const isElsewhere = Deno.env.get("MARQUEE_URL") !== undefined;

for (const { transport, problem } of TRANSPORTS) {
  Deno.test({
    name: `the service keeps its contract over HTTP (${isElsewhere ? "MARQUEE_URL" : transport})`,
    // A service that runs elsewhere has one transport, whatever it is.
    ignore: problem !== null || (isElsewhere && transport !== "deno"),
    async fn(t) {
      await using target = await openTarget({ TRANSPORT: transport });
      await httpSuite(t, target);
      await feedSuite(t, target);
    },
  });
}
