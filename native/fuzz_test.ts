import { assert } from "@std/assert";
import { fuzz } from "./testing/fuzzer.ts";
import { NATIVE_TRANSPORTS, openTestedListener } from "./testing/tested_listener.ts";

/** How long each transport is fuzzed; `FUZZ_SECONDS=60` for more, native/fuzz.ts for hours. */
const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 5);
/** Another one each time unless it is given. */
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

for (const { transport, problem } of NATIVE_TRANSPORTS) {
  Deno.test({
    name:
      `${transport}: whatever clients send, each gets its own answers and leaves nothing behind`,
    ignore: problem !== null,
    async fn() {
      console.log(`${transport}: FUZZ_SEED=${SEED}`);
      await using tested = await openTestedListener({ transport, bodyBytesMax: 1_000_000 });
      const report = await fuzz({ port: tested.port, seed: SEED, seconds: SECONDS });
      await tested.quiet();
      assert(report.validAnswers > 0 && report.brokenAnswers.size > 2, "everything was tried");
    },
  });
}
