import Markdown, { type MarkdownIt, type Token } from "markdown-it";
import type { RunRecord } from "../bench/sample_reader.ts";
import { bareNumbers, isMeasuredCode } from "./bare_numbers.ts";
import { type Block, renderChart, renderTable } from "./block.ts";
import { parseChartSpec, parseTableSpec } from "./block_spec.ts";
import { describeCommit, describeMachine, type Figures, MissingFigure } from "./figures.ts";
import { convert, formatNumber, formatQuantity, naturalUnit } from "./quantity.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";
import { escapeText } from "./svg.ts";

/** A chapter as an author wrote it. */
export interface ChapterSource {
  /** As problems name it: docs/book/03-the-catalogue.md. */
  file: string;
  number: number;
  /** Where links lead: the-catalogue. */
  id: string;
  markdown: string;
}

/** A chapter as it stands in the page. */
export interface Chapter {
  number: number;
  id: string;
  title: string;
  html: string;
  /** The headings below the title. */
  sections: { id: string; title: string }[];
  runs: RunRecord[];
  /** What makes the build fail, each with file and line. */
  problems: string[];
  /** What an author has to know, each with file and line. */
  warnings: string[];
}

/** What stands for a figure that a quick run leaves out. */
const NOT_IN_QUICK_RUN = '<span class="missing" title="not in this quick run">—</span>';
/** Where {{…}} was, in prose that is looked through for numbers. */
const REFERENCE_MARK = "\ufffc";

/**
 * Makes HTML of a chapter, and looks through every word of it.
 *
 * @returns With what is wrong in `problems`: then the HTML is not to be shown
 */
export function renderChapter(source: ChapterSource, figures: Figures): Chapter {
  return new ChapterRenderer(source, figures).render();
}

class ChapterRenderer {
  readonly #source: ChapterSource;
  readonly #figures: Figures;
  readonly #markdown = createMarkdown();
  readonly #chapter: Chapter;
  readonly #facts = new Map<string, string[]>();
  #blocks = 0;
  #line = 1;

  constructor(source: ChapterSource, figures: Figures) {
    this.#source = source;
    this.#figures = figures;
    const { number, id } = source;
    this.#chapter = {
      number,
      id,
      title: "",
      html: "",
      sections: [],
      runs: [],
      problems: [],
      warnings: [],
    };
  }

  render(): Chapter {
    const tokens = this.#markdown.parse(this.#source.markdown, {});
    const rendered: string[] = [];
    tokens.forEach((token, i) => {
      if (token.map !== null) this.#line = token.map[0] + 1;
      if (token.type === "inline") this.#inline(token);
      if (token.type === "heading_open") this.#heading(token, tokens[i + 1]);
      if (token.type === "heading_close") token.tag = lower(token.tag);
      if (token.type === "fence") this.#fence(token);
    });
    const chapter = this.#chapter;
    if (chapter.title === "") this.#problem(1, 'has no title: begin with "# Title"');
    const options = this.#markdown.options;
    rendered.push(this.#markdown.renderer.render(tokens, options, {}), this.#sources());
    chapter.html = rendered.join("");
    return chapter;
  }

  #heading(token: Token, inline: Token): void {
    const title = (inline.children ?? []).map(({ content }) => content).join("");
    if (token.tag === "h1") {
      if (this.#chapter.title !== "") this.#problem(this.#line, "has a second title");
      this.#chapter.title = title;
      token.attrSet("class", "chapter");
    } else if (token.tag === "h2") {
      const id = `${this.#source.id}-${slug(title)}`;
      token.attrSet("id", id);
      this.#chapter.sections.push({ id, title });
    }
    // The book's own title is the page's h1.
    token.tag = lower(token.tag);
  }

  /** Looks a run of prose through, and puts the figures in. */
  #inline(token: Token): void {
    let prose = "";
    const lineAt = (index: number) => this.#line + prose.slice(0, index).split("\n").length - 1;
    for (const child of token.children ?? []) {
      switch (child.type) {
        case "text":
          prose += child.content;
          break;
        case "softbreak":
        case "hardbreak":
          prose += "\n";
          break;
        case "code_inline":
          if (isMeasuredCode(child.content)) {
            this.#problem(
              lineAt(prose.length),
              `the code span \`${child.content}\` is a measured number: write a {{reference}}`,
            );
          }
          prose += REFERENCE_MARK;
          break;
        case "reference": {
          const line = lineAt(prose.length);
          const written = child.content;
          child.content =
            this.#attempt(line, `{{${written.trim().replaceAll(/\s+/g, " ")}}}`, () => {
              return this.#reference(parseReference(written), line);
            }) ?? NOT_IN_QUICK_RUN;
          // The lines that it was wrapped over count.
          prose += REFERENCE_MARK + "\n".repeat(written.split("\n").length - 1);
          break;
        }
        case "image":
          this.#problem(lineAt(prose.length), "pictures are drawn by ```chart blocks");
          break;
        case "link_open": {
          const title = child.attrGet("title");
          if (title !== null) prose += ` ${title} `;
          break;
        }
      }
    }
    for (const { text, index } of bareNumbers(prose)) {
      this.#problem(
        lineAt(index),
        `the number "${text}" comes from no run: write a {{reference}}, or {{fact ${text}; source}}`,
      );
    }
  }

  #reference(reference: Reference, line: number): string {
    if (reference.kind === "fact") {
      const { text, source } = reference;
      const texts = this.#facts.get(source) ?? [];
      if (!texts.includes(text)) texts.push(text);
      this.#facts.set(source, texts);
      const number = [...this.#facts.keys()].indexOf(source) + 1;
      return `<a class="fact" href="#${this.#source.id}-fact-${number}">${escapeText(text)}</a>`;
    }
    if (reference.kind === "setting") {
      const { value, run } = this.#figures.setting(reference.suite, reference.name);
      this.#cite(run);
      const text = typeof value === "number" ? value.toLocaleString("en-US") : value;
      return figureLink(text, run, `${reference.name} of`);
    }
    const figure = this.#figures.figure(reference);
    this.#cite(figure.run);
    const { isRange, isBare, digits, below, above } = reference.options;
    for (
      const [holds, bound] of [
        [below === undefined || figure.median < below, `< ${below}`],
        [above === undefined || figure.median > above, `> ${above}`],
      ] as const
    ) {
      if (holds) continue;
      const what = `${formatReference(reference)} is ${figure.median}, which is not ${bound}: ` +
        "what is written there does not hold";
      if (figure.run.isQuick) this.#warning(line, what);
      else this.#problem(line, what);
    }
    const unit = reference.options.unit ?? naturalUnit([figure.median], figure.unit);
    const of = (value: number) => convert({ value, unit: figure.unit }, unit);
    const show = isBare ? formatNumber : formatQuantity;
    const text = isRange && figure.min < figure.max
      ? `${formatNumber(of(figure.min), digits)} to ${show(of(figure.max), digits)}`
      : show(of(figure.median), digits);
    const spread = figure.count === 1
      ? "once, in"
      : `median of ${figure.count}, ${formatNumber(of(figure.min))} to ${
        formatQuantity(of(figure.max))
      }, in`;
    return figureLink(text, figure.run, spread);
  }

  #fence(token: Token): void {
    const kind = token.info.trim();
    const id = `${this.#source.id}-${++this.#blocks}`;
    const line = this.#line;
    const draw = (make: () => Block) => {
      const block = this.#attempt(line, `the ${kind}`, make);
      block?.runs.forEach((run) => this.#cite(run));
      if (block !== null && block.missing.length > 0) {
        const { missing: { length, 0: first } } = block;
        this.#warning(line, `the ${kind} lacks ${length} figures of quick runs, such as: ${first}`);
      }
      token.content = block?.html ?? "";
      token.type = "block";
    };
    if (kind === "chart") {
      draw(() => renderChart(parseChartSpec(token.content), this.#figures, id));
    } else if (kind === "table") {
      draw(() => renderTable(parseTableSpec(token.content), this.#figures, id));
    } else if (kind === "pending") {
      draw(() => this.#pending(token.content, line));
    }
  }

  /** Text that waits for a suite. It is not shown, only what it waits for; but its references must be readable. */
  #pending(content: string, line: number): Block {
    const suites = new Set<string>();
    for (const { 1: text, index } of content.matchAll(/\{\{([^{}]*)\}\}/g)) {
      const at = line + 1 + content.slice(0, index).split("\n").length - 1;
      const reference = this.#attempt(at, `{{${text.trim()}}}`, () => parseReference(text));
      if (reference !== null && reference.kind !== "fact") suites.add(reference.suite);
    }
    for (const { 1: suite } of content.matchAll(/^\w+: (\S+) \/ /gm)) suites.add(suite);
    if (suites.size === 0) throw new SyntaxError("it waits for no suite: it has no reference");
    const names = [...suites].map((suite) => `<code>${escapeText(suite)}</code>`).join(", ");
    this.#warning(line, `waits for a run of ${[...suites].join(", ")}`);
    const html =
      `<p class="pending"><strong>Not measured yet.</strong> This section waits for a run of ${names}.</p>\n`;
    return { html, runs: [], missing: [] };
  }

  /** What the figures of the chapter come from. */
  #sources(): string {
    const facts = [...this.#facts].map(([source, texts], i) =>
      `<li id="${this.#source.id}-fact-${i + 1}">${
        texts.map((text) => `“${escapeText(text)}”`).join(", ")
      }: ${escapeText(source)}</li>`
    );
    const runs = this.#chapter.runs.map((run) => {
      const command = this.#figures.command(run);
      const parts = [
        `<a href="#run-${run.id}">Run ${run.id}</a>, <code>${escapeText(run.suite)}</code>` +
        (run.isQuick ? " (<strong>quick</strong>)" : ""),
        run.startedAt.slice(0, 10),
        `commit ${escapeText(describeCommit(run))}`,
        `<code>${escapeText(command)}</code>`,
      ];
      return `<li>${parts.join(", ")}</li>`;
    });
    const list = (title: string, items: string[]) =>
      items.length === 0 ? "" : `<h4>${title}</h4><ul>${items.join("")}</ul>`;
    if (facts.length + runs.length === 0) return "";
    return `<footer class="sources">${list("Measured", runs)}${
      list("Not measured here", facts)
    }</footer>\n`;
  }

  #cite(run: RunRecord): void {
    if (!this.#chapter.runs.some(({ id }) => id === run.id)) this.#chapter.runs.push(run);
  }

  /** @returns `null` after taking down what went wrong */
  #attempt<T>(line: number, what: string, make: () => T): T | null {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const message = `${what}: ${error.message}`;
      // Quick runs leave things out on purpose.
      if (error instanceof MissingFigure && error.isOfQuickRun) this.#warning(line, message);
      else this.#problem(line, message);
      return null;
    }
  }

  #problem(line: number, message: string): void {
    this.#chapter.problems.push(`${this.#source.file}:${line}: ${message}`);
  }

  #warning(line: number, message: string): void {
    this.#chapter.warnings.push(`${this.#source.file}:${line}: ${message}`);
  }
}

/** Markdown with {{references}}, without HTML: nothing gets into the page past the checks. */
function createMarkdown(): MarkdownIt {
  const markdown = new Markdown({ html: false });
  markdown.inline.ruler.before("escape", "reference", (state, silent) => {
    if (!state.src.startsWith("{{", state.pos)) return false;
    const end = state.src.indexOf("}}", state.pos);
    if (end < 0) return false;
    if (!silent) {
      const token = state.push("reference", "", 0);
      token.content = state.src.slice(state.pos + 2, end);
    }
    state.pos = end + 2;
    return true;
  });
  markdown.renderer.rules.reference = (tokens, i) => tokens[i].content;
  markdown.renderer.rules.block = (tokens, i) => tokens[i].content;
  markdown.renderer.rules.table_open = () => `<div class="scroll" tabindex="0"><table>\n`;
  markdown.renderer.rules.table_close = () => "</table></div>\n";
  return markdown;
}

function figureLink(text: string, run: RunRecord, how: string): string {
  const quick = run.isQuick ? ", a quick run" : "";
  const title = `${how} run ${run.id} of ${run.suite}${quick}, ${
    run.startedAt.slice(0, 10)
  }, commit ${describeCommit(run)}, ${describeMachine(run)}`;
  return `<a class="figure" href="#run-${run.id}" title="${escapeText(title)}">${
    escapeText(text)
  }</a>`;
}

function lower(tag: string): string {
  return `h${Math.min(6, Number(tag.slice(1)) + 1)}`;
}

function slug(title: string): string {
  return title.toLowerCase().replaceAll(/[^\p{L}\d]+/gu, "-").replaceAll(/^-|-$/g, "");
}
