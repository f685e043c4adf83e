import { transportProblem } from "../native/mod.ts";

/** Every transport, with why it does not work here where it does not: its tests are then ignored, aloud. */
export const TRANSPORTS = (["uring", "epoll", "deno"] as const).map((transport) => ({
  transport,
  problem: transport === "deno" ? null : transportProblem(transport),
}));

for (const { problem } of TRANSPORTS) {
  if (problem !== null) console.log(`tests are ignored: ${problem}`);
}
