import type { RunRecord } from "../bench/sample_reader.ts";
import type { Chapter } from "./chapter.ts";
import { describeCommit, describeMachine } from "./figures.ts";
import { escapeText } from "./svg.ts";

/** What a page is put together from. */
export interface PageParts {
  title: string;
  chapters: readonly Chapter[];
  /** All runs that the chapters draw on. */
  runs: readonly RunRecord[];
  /** What makes such a run again. */
  commandOf: (run: RunRecord) => string;
}

/** Nothing is fetched, run or sent, whatever is in the page. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
const STYLE = await Deno.readTextFile(new URL("style.css", import.meta.url));

/** Puts the page together: one file that needs no other. */
export function renderPage({ title, chapters, runs, commandOf }: PageParts): string {
  const isQuick = runs.some((run) => run.isQuick);
  const contents = chapters.map(({ number, id, title }) =>
    `<li><a href="#${id}"><span>${number}</span> ${escapeText(title)}</a></li>`
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}${isQuick ? " (quick runs)" : ""}</title>
<style>
${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeText(title)}</h1>
<p>Every underlined figure was measured by a run that is named with it; a build that finds a number no run
produced fails. What is underlined with dots was stated, not measured, and its source is at the end of its chapter.</p>
${isQuick ? quickNotice("This book") : ""}</header>
<nav aria-label="Contents"><ol>
${contents.join("\n")}
<li><a href="#runs"><span></span> Runs</a></li>
</ol></nav>
<main>
${chapters.map(renderSection).join("\n")}
<section id="runs">
<h2 class="chapter">Runs</h2>
${runs.map((run) => renderRun(run, commandOf(run))).join("\n")}
</section>
</main>
</body>
</html>
`;
}

function renderSection({ id, number, html, runs }: Chapter): string {
  const quick = runs.some(({ isQuick }) => isQuick) ? quickNotice("This chapter") : "";
  return `<section id="${id}">
<p class="number">Chapter ${number}</p>
${html.replace("</h2>", `</h2>${quick}`)}</section>`;
}

function quickNotice(what: string): string {
  return `<p class="quick"><strong>Quick runs.</strong> ${what} has figures of runs that only show that the benches work.
Draw no conclusions from them.</p>\n`;
}

function renderRun(run: RunRecord, command: string): string {
  const settings = Object.entries(run.settings)
    .map(([name, value]) =>
      `${name} ${typeof value === "number" ? value.toLocaleString("en-US") : value}`
    );
  const rows = [
    ["when", run.startedAt.replace("T", " ").replace(/\..*/, " UTC")],
    ["commit", describeCommit(run)],
    ["machine", describeMachine(run)],
    ["Deno", run.deno],
    ["settings", settings.join(", ")],
    ["again", command],
  ];
  const list = rows.filter(([, value]) => value !== "")
    .map(([name, value]) => `<dt>${name}</dt><dd>${escapeText(value)}</dd>`);
  return `<div class="run" id="run-${run.id}"><h3>Run ${run.id}: ${escapeText(run.suite)}${
    run.isQuick ? " (quick)" : ""
  }</h3><dl>${list.join("")}</dl></div>`;
}
