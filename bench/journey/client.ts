/**
 * The client of the journey and of bench/publish.ts: makes the loads that it is told to, one after the other. A line on standard
 * input is a {@linkcode ClientJob} as JSON, and is answered with a line that is a LoadReport. It ends when standard input
 * does.
 * `deno run --allow-net --allow-read --allow-ffi bench/journey/client.ts PATHS`, a file with a path a line
 *
 * @module
 */
import { type LoadOptions, runLoad } from "../../load/mod.ts";
import { inputLines } from "../input_lines.ts";

/** A load to make. */
export interface ClientJob {
  options: LoadOptions;
  /** How many of the paths are asked for, round and round. */
  pathsMax: number;
  /** The one to begin with, so that a load goes on where the one before it ended. */
  first: number;
  /** What stands before the query of each path. */
  pathname: string;
}

const paths = Deno.readTextFileSync(Deno.args[0]).split("\n");
for await (const line of inputLines()) {
  const { options, pathsMax, first, pathname }: ClientJob = JSON.parse(line);
  const asked = paths.slice(0, pathsMax).map((path) => path.replace(/^[^?]*/, pathname));
  const report = await runLoad({
    ...options,
    paths: [...asked.slice(first), ...asked.slice(0, first)],
  });
  console.log(JSON.stringify(report));
}
Deno.exit(0);
