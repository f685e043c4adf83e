import type { RunRecord, SampleReader } from "../bench/sample_reader.ts";
import { type ChapterSource, renderChapter } from "./chapter.ts";
import { Figures, type SuiteCommand } from "./figures.ts";
import { PROBLEMS_LISTED } from "./limits.ts";
import { renderPage } from "./page.ts";

/** What a book is made from. */
export interface BookOptions {
  title: string;
  chapters: readonly ChapterSource[];
  /** Open, and the caller's to close. */
  reader: SampleReader;
  /** Whether quick runs count; then every chapter says so. */
  allowsQuick: boolean;
  /** What makes a run of each suite. */
  commands?: Readonly<Record<string, SuiteCommand>>;
}

/** A book that was built. */
export interface Book {
  /** The whole page. */
  html: string;
  /** What is left out or waits, each with file and line. */
  warnings: string[];
}

/** Why there is no book: all that was wrong, each with file, line and remedy. */
export class BookError extends Error {
  override name = "BookError";
  readonly problems: readonly string[];

  /** @param problems One at least */
  constructor(problems: readonly string[]) {
    const more = problems.length - PROBLEMS_LISTED;
    const listed = problems.slice(0, PROBLEMS_LISTED);
    super([...listed, ...(more > 0 ? [`and ${more} more`] : [])].join("\n"));
    this.problems = problems;
  }
}

/**
 * Builds a book.
 *
 * @throws {BookError} If a number comes from no run, a run is missing, or a reference can't be read
 */
export function buildBook(options: BookOptions): Book {
  const { title, reader, allowsQuick, commands } = options;
  const figures = new Figures(reader, allowsQuick, commands);
  const chapters = options.chapters.map((source) => renderChapter(source, figures));
  const problems = chapters.flatMap(({ problems }) => problems);
  const ids = new Set(chapters.flatMap(({ id, html, runs }) => [
    id,
    ...[...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id),
    ...runs.map((run) => `run-${run.id}`),
  ]));
  chapters.forEach(({ html }, i) => {
    for (const [, href] of html.matchAll(/<a\b[^>]* href="([^"]*)"/g)) {
      if (href.startsWith("https://") || href.startsWith("#") && ids.has(href.slice(1))) continue;
      problems.push(
        `${options.chapters[i].file}: the link to ${href} leads nowhere; chapters are ${
          chapters.map(({ id }) => `#${id}`).join(", ")
        }`,
      );
    }
  });
  if (problems.length > 0) throw new BookError(problems);
  const runs = new Map<number, RunRecord>();
  for (const run of chapters.flatMap(({ runs }) => runs)) runs.set(run.id, run);
  return {
    html: renderPage({
      title,
      chapters,
      runs: [...runs.values()].sort((a, b) => a.id - b.id),
      commandOf: (run) => figures.command(run),
    }),
    warnings: chapters.flatMap(({ warnings }) => warnings),
  };
}
