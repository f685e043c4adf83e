import denoJson from "../deno.json" with { type: "json" };

/** What `deno task start` gives `deno run`, so that the benches measure what users start. */
export const START_FLAGS: readonly string[] = denoJson.tasks.start.command.split(" ")
  .filter((word) => word.startsWith("--"));
