import { assertEquals, assertLess } from "@std/assert";
import { NATIVE_TRANSPORTS } from "./testing/tested_listener.ts";

/** Most bytes of heap that a request of a fast route may cost: one number that is no small integer. */
const BYTES_PER_REQUEST_MAX = 32;

for (const { transport, problem } of NATIVE_TRANSPORTS) {
  Deno.test({
    name: `${transport}: requests of fast routes allocate next to nothing`,
    ignore: problem !== null,
    async fn() {
      const { bytesPerRequest } = await run(
        "allocations.ts",
        "--v8-flags=--expose-gc,--min-semi-space-size=64,--max-semi-space-size=64",
        transport,
      );
      assertLess(bytesPerRequest, BYTES_PER_REQUEST_MAX);
    },
  });

  Deno.test({
    name: `${transport}: what is being sent is not collected`,
    ignore: problem !== null,
    async fn() {
      const { answers, right } = await run("collections.ts", "--v8-flags=--expose-gc", transport);
      assertEquals(right, answers);
    },
  });
}

async function run(
  script: string,
  flags: string,
  transport: string,
): Promise<Record<string, number>> {
  const path = new URL(`testing/${script}`, import.meta.url).pathname;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", flags, path, transport],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
}
