/**
 * What the Dockerfile says of the image, for tests on a machine without docker.
 *
 * @module
 */
import { FOLDER } from "./documents.ts";

/** The folder that is copied into the image. */
export const ROOT = new URL("..", FOLDER);

/** The text of the Dockerfile. */
export const dockerfile = await Deno.readTextFile(new URL("Dockerfile", ROOT));

/** The variables that the image sets. */
export const imageEnvironment: Record<string, string> = Object.fromEntries(
  instruction("ENV").split(/\s+/).map((pair) => pair.split(/=(.*)/).slice(0, 2)),
);

/** The command that the image runs. */
export const entrypoint: string[] = JSON.parse(instruction("ENTRYPOINT"));

/** The command that tells whether a container is healthy. */
export const healthcheck: string[] = JSON.parse(
  instruction("HEALTHCHECK").replace(/^.*?CMD /, ""),
);

/** The arguments of an instruction that the last stage has once. */
function instruction(name: string): string {
  const [text, ...more] = dockerfile.split(/^FROM /m).at(-1)!.replaceAll("\\\n", "").split("\n")
    .filter((line) => line.startsWith(`${name} `));
  if (text === undefined || more.length > 0) throw new Error(`Dockerfile: one ${name} is expected`);
  return text.slice(name.length + 1).trim();
}
