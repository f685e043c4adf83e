/**
 * What the tests of deploy/ share: its files as data, and the programs that judge them.
 *
 * @module
 */
import { parseAllDocuments, type YAMLMap, type YAMLSeq } from "npm:yaml@2.9.1";

/** deploy/. */
export const FOLDER = new URL("..", import.meta.url);

/** Anything that YAML or JSON can say; the tests look into it without types of their own. */
// deno-lint-ignore no-explicit-any
export type Document = any;

/**
 * The documents of a file under deploy/.
 *
 * @throws {Error} If it is not well-formed, or says a key twice
 */
export async function documents(path: string): Promise<Document[]> {
  return parseDocuments(await Deno.readTextFile(new URL(path, FOLDER)), path);
}

/** What Compose has in place of a list that an earlier file gave. */
const RESET = {
  tag: "!reset",
  collection: "seq",
  resolve: (value: YAMLSeq | YAMLMap) => value,
} as const;

/**
 * The documents of a text.
 *
 * @param name What it is, for the message
 * @throws {Error} If it is not well-formed, or says a key twice
 */
export function parseDocuments(text: string, name = "YAML"): Document[] {
  return parseAllDocuments(text, { customTags: [RESET] }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw new Error(`${name}: ${problem.message}`);
    return document.toJS();
  });
}

/** The paths of all files under a folder of deploy/, relative to deploy/. */
export async function* filesUnder(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, FOLDER))) {
    if (isDirectory) yield* filesUnder(`${folder}${name}/`);
    else yield `${folder}${name}`;
  }
}

/** What a program wrote, and whether it ended with 0. */
export interface Outcome {
  isGood: boolean;
  output: string;
}

/** Runs a program in deploy/ to its end. */
export async function run(program: string, ...args: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd: FOLDER }).output();
  const decoder = new TextDecoder();
  return { isGood: code === 0, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Why tests that need a program are ignored, printed; `null` where it works. */
export async function problemOf(
  program: string,
  args: string[],
  remedy: string,
): Promise<string | null> {
  try {
    if ((await run(program, ...args)).isGood) return null;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const problem = `no ${[program, ...args].join(" ")} here: ${remedy}`;
  console.log(`tests of deploy/ are ignored: ${problem}`);
  return problem;
}

/** A test that needs a program, ignored with the reason in its name where it is missing. */
export function testUnless(problem: string | null, name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: problem === null ? name : `${name} (ignored: ${problem})`,
    ignore: problem !== null,
    fn,
  });
}

/** Writes `text` to a new file for as long as `use` takes. */
export async function withFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(path, text);
    return await use(path);
  } finally {
    await Deno.remove(path);
  }
}

/** A duration as Marquee and Compose write it, in seconds. */
export function seconds(text: string): number {
  const match = /^(\d+)(s|m)$/.exec(text);
  if (match === null) throw new Error(`${text}: write it as 30s or 5m`);
  return Number(match[1]) * (match[2] === "m" ? 60 : 1);
}
