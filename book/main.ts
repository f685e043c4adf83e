/**
 * Builds the performance book from docs/book and the samples of the benches.
 * `deno task book [-- --quick] [-- --names SUITE]`
 *
 * `--quick` takes quick runs too, and has the book say so; `--names` lists what a suite's newest run has instead.
 *
 * @module
 */
import denoJson from "../deno.json" with { type: "json" };
import { SampleReader } from "../bench/sample_reader.ts";
import { samplesPath } from "../bench/samples.ts";
import { programArguments, type SuiteCommand } from "./figures.ts";
import { BookError, buildBook, readChapters } from "./mod.ts";

const TITLE = "Marquee: the performance book";
const OUTPUT = "dist/book.html";
const root = new URL("..", import.meta.url);

const args = Deno.args.filter((arg) => arg !== "--");
const allowsQuick = args.includes("--quick");
const names = args.indexOf("--names");
const unknown = args.filter((arg, i) =>
  arg !== "--quick" && arg !== "--names" && !(names >= 0 && i === names + 1)
);
if (unknown.length > 0 || names >= 0 && args[names + 1] === undefined) {
  console.error(`deno task book takes --quick and --names SUITE, not "${args.join(" ")}"`);
  Deno.exit(2);
}
try {
  using reader = SampleReader.open(samplesPath());
  if (names >= 0) listNames(reader, args[names + 1]);
  else await build(reader);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(error.message);
  if (error instanceof BookError) {
    console.error(`\nno book: ${error.problems.length} problems`);
  }
  Deno.exit(1);
}

async function build(reader: SampleReader): Promise<void> {
  const chapters = await readChapters(new URL("docs/book/", root), "docs/book");
  const { html, warnings } = buildBook({
    title: TITLE,
    chapters,
    reader,
    allowsQuick,
    commands: benchCommands(),
  });
  for (const warning of warnings) console.warn(warning);
  await Deno.mkdir(new URL("dist/", root), { recursive: true });
  await Deno.writeTextFile(new URL(OUTPUT, root), html);
  console.log(`${OUTPUT}: ${chapters.length} chapters, ${Math.ceil(html.length / 1_000)} kB`);
}

/** A suite is made by the task that is named after it. */
function benchCommands(): Record<string, SuiteCommand> {
  return Object.fromEntries(
    Object.entries(denoJson.tasks).filter(([task]) => task.startsWith("bench:"))
      .map(([task, { command }]) => [
        task.slice("bench:".length),
        { task: `deno task ${task}`, args: programArguments(command) },
      ]),
  );
}

function listNames(reader: SampleReader, suite: string): void {
  const [run] = reader.runs(suite);
  if (run === undefined) throw new Error(`there is no run of ${suite}`);
  console.log(`run ${run.id} of ${suite}, ${run.startedAt}${run.isQuick ? ", quick" : ""}`);
  for (const name of Object.keys(run.settings)) console.log(`  ${suite} / ${name}`);
  for (const { subject, workload, measure } of reader.names(run)) {
    console.log(`  ${suite} / ${subject} / ${workload} / ${measure}`);
  }
}
