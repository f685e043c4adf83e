import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SampleReader } from "../bench/sample_reader.ts";
import { type RunOptions, Samples } from "../bench/samples.ts";
import { chromium, OVERFLOW, withPage } from "../tests/chromium.ts";
import { BookError, buildBook, readChapters } from "./mod.ts";

/** Two suites that ran in full, one that ran quickly only, one that did not end. */
function fillSamples(path: string): void {
  using samples = Samples.open(path);
  const load = (suite: string, options: RunOptions, factor: number) => {
    const run = samples.begin(suite, {
      ...options,
      settings: { connections: 10_000, ...options.settings },
    });
    for (const [subject, cpu] of [["Marquee", 5], ["nginx, a file", 8], ["Node", 20]] as const) {
      for (const wobble of [1, 1.1, 0.95]) {
        const value = cpu * wobble * factor;
        const name = { subject, workload: "keep-alive", measure: "cpu_us_per_request", unit: "µs" };
        run.record({ ...name, value });
      }
      for (let connections = 1; connections <= 4096; connections *= 4) {
        run.series({
          subject,
          workload: "ramp",
          measure: "p99_ms",
          unit: "ms",
          x: connections,
          xUnit: "connections",
          value: (cpu + connections / 40) / 8,
        });
      }
    }
    return run;
  };
  load("throughput", {}, 1).end();
  load("throughput", { partial: true }, 7).end();
  load("throughput", { quick: true }, 3).end();
  const churn = load("churn", { settings: { rounds: 3 } }, 2);
  const started = { workload: "start", measure: "took" };
  churn.record({ ...started, subject: "Marquee", unit: "ms", value: 2 });
  churn.record({ ...started, subject: "Node", unit: "s", value: 1.5 });
  churn.record({ ...started, subject: "C", unit: "MB", value: 1 });
  churn.end();
  load("stress", { quick: true }, 1).end();
  load("scaling", {}, 1);
}

const COMMANDS = {
  stress: { task: "deno task bench:stress", args: "" },
  scaling: { task: "deno task bench:scaling", args: "" },
  churn: { task: "deno task bench:churn", args: "--workload=connection" },
};

async function withReader(
  test: (reader: SampleReader, path: string) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/bench.sqlite`;
    fillSamples(path);
    using reader = SampleReader.open(path);
    await test(reader, path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function build(reader: SampleReader, text: string, allowsQuick = false) {
  const chapters = [{
    file: "docs/book/01-load.md",
    number: 1,
    id: "load",
    markdown: `# Load\n\n${text}`,
  }];
  return buildBook({ title: "A book", chapters, reader, allowsQuick, commands: COMMANDS });
}

/** The text of the first paragraph of the chapter, without its tags. */
function firstParagraph(html: string): string {
  const [, text] = html.match(/<h2[^>]*>Load<\/h2>\s*<p>([^]*?)<\/p>/)!;
  return text.replaceAll(/<[^>]*>/g, "").replaceAll("\u00a0", " ");
}

const EVERYTHING = `Marquee needs {{throughput / Marquee / keep-alive / cpu_us_per_request}}.

\`\`\`chart
title: CPU for a request
bars: throughput / * / keep-alive / cpu_us_per_request
rows:
  - Marquee
  - nginx, a file
  - Node: Node, with a label as long as labels may be
highlight: Marquee
\`\`\`

\`\`\`chart
title: The slowest answers
lines: throughput / * / ramp / p99_ms
rows: [Marquee, "nginx, a file", Node]
log: [x, y]
\`\`\`

\`\`\`table
title: Many columns
first: server
rows: [Marquee, Node]
columns:
  CPU: throughput / * / keep-alive / cpu_us_per_request
  a connection each: churn / * / keep-alive / cpu_us_per_request
  to nginx: throughput / * over nginx, a file / keep-alive / cpu_us_per_request
  the same of a connection each: churn / * over nginx, a file / keep-alive / cpu_us_per_request
\`\`\`

    ${"a line of code that is wider than a phone ".repeat(4)}

| a table | of the author's own | that is wide | for a phone of that size | and goes on |
| ------- | ------------------- | ------------ | ------------------------ | ----------- |
| \`an_unbreakable_word_in_code\` | words | words | words | {{fact 36 %; the feed}} |
`;

Deno.test("prose shows the medians, ratios, spreads and settings that it names", () =>
  withReader((reader) => {
    const { html, warnings } = build(
      reader,
      `{{throughput / Marquee / keep-alive / cpu_us_per_request}},
{{throughput / Marquee / keep-alive
/ cpu_us_per_request; range}},
{{throughput / Marquee over nginx, a file / keep-alive / cpu_us_per_request; < 1; > 0.5}},
{{throughput / Node / keep-alive / cpu_us_per_request; in ms; 1 digit; bare}},
{{throughput / Marquee over Node / keep-alive / cpu_us_per_request; in %}},
{{throughput / connections}}, {{fact 36 %; the feed}}, by RFC 9112, HTTP/1.1, p99 and \`503\`.`,
    );
    assertEquals(
      firstParagraph(html),
      "5.00 µs,\n4.75 to 5.50 µs,\n0.63,\n0.02,\n25.0 %,\n10,000, 36 %, by RFC 9112, HTTP/1.1, p99 and 503.",
    );
    assertEquals(warnings, []);
    // Each says where it is from: run, commit and machine.
    assertStringIncludes(
      html,
      'title="median of 3, 4.75 to 5.50\u00a0µs, in run 1 of throughput, ',
    );
    assertStringIncludes(html, '<div class="run" id="run-1">');
    assertStringIncludes(html, "“36 %”: the feed");
  }));

Deno.test("what no run vouches for fails the build with file, line and remedy", () =>
  withReader((reader) => {
    const cases: [text: string, problem: string][] = [
      ["It is\nfast: 5 µs.", ':4: the number "5" comes from no run: write a {{reference}}'],
      ["It is ten\ntimes as fast.", ':3: the number "ten times" comes from no run'],
      ["## Chapter of 12 figures", ':3: the number "12"'],
      ["a ½ b", ':3: the number "½"'],
      ["`5 µs` each", ":3: the code span `5 µs` is a measured number"],
      ["| a |\n|---|\n| b |\n| 7 |", ':6: the number "7"'],
      ["![a](b.png)", ":3: pictures are drawn by ```chart blocks"],
      [
        "{{throughput / Apache / keep-alive / cpu_us_per_request}}",
        ':3: {{throughput / Apache / keep-alive / cpu_us_per_request}}: run 1 of throughput has no sample "Apache / keep-alive / cpu_us_per_request"; its subjects are Marquee | Node | nginx, a file',
      ],
      ["{{throughput / seconds}}", 'has no setting "seconds"; it has connections, machine'],
      ["{{throughput / Marquee}} {{a / b / c}}", ':3: {{a / b / c}}: it has 3 parts; write "suite'],
      ["{{fact 5}}", ":3: {{fact 5}}: a fact says where it is from"],
      [
        "a\n\n{{journey / Marquee / all / took_ms}}",
        ":5: {{journey / Marquee / all / took_ms}}: there is no full run of journey: no task makes one",
      ],
      [
        "{{stress / Marquee / keep-alive / cpu_us_per_request}}",
        "there is no full run of stress (run 5 is quick): run deno task bench:stress",
      ],
      [
        "{{scaling / Marquee / keep-alive / cpu_us_per_request}}",
        "there is no full run of scaling (run 6 did not end): run deno task bench:scaling",
      ],
      [
        "{{throughput / Marquee over Node / keep-alive / cpu_us_per_request; < 0.2}}",
        "is 0.25, which is not < 0.2",
      ],
      [
        "{{throughput / Marquee / keep-alive / cpu_us_per_request; in MB}}",
        "µs can't be shown in MB",
      ],
      ["{{throughput / Marquee / keep-alive / cpu_us_per_request; nice}}", '"nice" is no option'],
      ["[there](#nowhere)", "the link to #nowhere leads nowhere"],
      ['[there](#nowhere "a title")', "the link to #nowhere leads nowhere"],
      ["[there](#run-99)", "the link to #run-99 leads nowhere"],
      ["```chart\ntitle: A\n```", ':3: the chart: a chart has either "bars" or "lines"'],
      [
        "```chart\ntitle: 5 bars\nbars: throughput / * / keep-alive / cpu_us_per_request\nrows: [Node]\n```",
        'title has the number "5"',
      ],
      [
        `\`\`\`chart\ntitle: A\nbars: throughput / * / keep-alive / cpu_us_per_request\nrows: [Node: ${
          "long ".repeat(10)
        }]\n\`\`\``,
        "is no label: over 44 characters",
      ],
      ["```table\ntitle: A\nrows: [Node]\n```", ":3: the table: columns is no map"],
      ["```pending\nlater\n```", ":3: the pending: it waits for no suite"],
    ];
    for (const [text, expected] of cases) {
      const error = assertThrows(() => build(reader, text), BookError);
      const isTold = error.problems.some((problem) =>
        problem.startsWith("docs/book/01-load.md:") && problem.includes(expected)
      );
      assertEquals(isTold, true, `${JSON.stringify(text)} gave\n${error.message}\nnot ${expected}`);
    }
  }));

Deno.test("a book of quick runs says so at its head, in its chapter and at each figure", () =>
  withReader((reader) => {
    const text = "{{stress / Marquee / keep-alive / cpu_us_per_request}}";
    const { html } = build(reader, text, true);
    assertStringIncludes(html, "Quick runs.</strong> This book");
    assertStringIncludes(html, "Quick runs.</strong> This chapter");
    assertStringIncludes(html, "in run 5 of stress, a quick run");
    const full = build(reader, "{{churn / Marquee / keep-alive / cpu_us_per_request}}");
    assertEquals(full.html.includes("Quick runs."), false);
  }));

Deno.test("what a quick run leaves out is shown as missing and told of", () =>
  withReader((reader) => {
    const text = "{{stress / Apache / keep-alive / cpu_us_per_request}} µs";
    const { html, warnings } = build(reader, text, true);
    assertEquals(firstParagraph(html), "— µs");
    assertEquals(warnings.length, 1);
    assertStringIncludes(warnings[0], "docs/book/01-load.md:3: {{stress / Apache");
  }));

Deno.test("text that waits for a suite is told of and not shown", () =>
  withReader((reader) => {
    const { html, warnings } = build(reader, "```pending\nIt took {{journey / a / b / c}} s.\n```");
    assertStringIncludes(html, "waits for a run of <code>journey</code>");
    assertEquals(html.includes("It took"), false);
    assertEquals(warnings, ["docs/book/01-load.md:3: waits for a run of journey"]);
  }));

Deno.test("the command that makes a run again has what the run was given", () =>
  withReader((reader, path) => {
    const run = "deno run -A bench/listener.ts";
    const cases = [
      [`${run} --workload=connection`, "deno task bench:churn"],
      [`${run} --workload=connection --rounds=9`, "deno task bench:churn --rounds=9"],
      [`${run} --rounds=9`, "deno task bench:churn --rounds=9"],
      [run, "deno task bench:churn"],
    ];
    for (const [command, expected] of cases) {
      const database = new DatabaseSync(path);
      database.prepare("UPDATE run SET command = ? WHERE suite = 'churn'").run(command);
      database.close();
      const { html } = build(reader, "{{churn / command}}");
      assertEquals(firstParagraph(html), expected);
      assertStringIncludes(html, `, <code>${expected}</code></li>`);
      assertStringIncludes(html, `<dt>again</dt><dd>${expected}</dd>`);
    }
  }));

Deno.test("a caption tells rounds from other values", () =>
  withReader((reader) => {
    const caption = (...columns: string[]) => {
      const list = columns.map((address, i) => `  ${"abc"[i]}: ${address}`).join("\n");
      const table = `title: A\nrows: [Marquee, Node]\ncolumns:\n${list}`;
      const { html } = build(reader, `\`\`\`table\n${table}\n\`\`\``);
      return html.match(/Medians of [^.]*\./)?.[0];
    };
    const rounds = "churn / * / keep-alive / cpu_us_per_request";
    const values = "throughput / * / keep-alive / cpu_us_per_request";
    assertEquals(caption(rounds), "Medians of 3 rounds.");
    assertEquals(caption(values), "Medians of 3 values.");
    assertEquals(caption(rounds, "churn / * / start / took"), "Medians of 1 to 3 values.");
    assertEquals(caption("churn / * / start / took"), undefined);
  }));

Deno.test("bars of several units are drawn in one, or not at all", () =>
  withReader((reader) => {
    const chart = (rows: string) =>
      `\`\`\`chart\ntitle: A\nbars: churn / * / start / took\nrows: [${rows}]\norder: value\n\`\`\``;
    const { html } = build(reader, chart("Node, Marquee"));
    const row = (name: string, value: string) =>
      `<tr><th scope="row">${name}</th>${`<td>${value}</td>`.repeat(3)}</tr>`;
    assertStringIncludes(html, `${row("Marquee", "0.00200")}\n${row("Node", "1.50")}`);
    const error = assertThrows(() => build(reader, chart("Node, C")), BookError);
    assertStringIncludes(error.message, ":3: the chart: MB can't be shown in s");
  }));

Deno.test("charts can be read without being seen", () =>
  withReader((reader) => {
    const { html } = build(reader, EVERYTHING);
    const drawings = [...html.matchAll(/<svg role="img"[^>]* aria-labelledby="(\S+) (\S+)">/g)];
    assertEquals(drawings.length, 4, "two charts, for a phone and for a desk");
    for (const [, title, description] of drawings) {
      assertEquals(html.split(`id="${title}"`).length, 2);
      assertEquals(html.split(`id="${description}"`).length, 2);
    }
    assertStringIncludes(
      html.replaceAll("\u00a0", " "),
      "from the least to the greatest: Marquee 5.00 µs; nginx, a file 8.00 µs;",
    );
    assertStringIncludes(html, '<tr><th scope="row">Marquee</th><td>5.00</td><td>4.75</td>');
  }));

Deno.test("the page asks nobody for anything", () =>
  withReader((reader) => {
    const text =
      `${EVERYTHING}\n<script src="https://example.com/x.js"></script> [a](https://example.com)`;
    const { html } = build(reader, text);
    assertStringIncludes(
      html,
      `content="default-src 'none'; style-src 'unsafe-inline'; img-src data:`,
    );
    assertEquals(
      html.match(/<(?:script|link|img|iframe|object|embed|video|audio|use|image)\b/),
      null,
    );
    assertEquals(html.match(/\b(?:src|srcset|xlink:href)="|@import|url\(/), null);
    // What an author writes as HTML is text.
    assertStringIncludes(html, "&lt;script src=");
  }));

Deno.test("a folder of chapters is read in order, and a number that is missing is told", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const url = new URL(`file://${folder}/`);
    for (const name of ["02-b.md", "01-a-c.md", "README.md"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "# A");
    }
    const chapters = await readChapters(url, "docs/book");
    assertEquals(chapters.map(({ file, id }) => [file, id]), [
      ["docs/book/01-a-c.md", "a-c"],
      ["docs/book/02-b.md", "b"],
    ]);
    await Deno.remove(`${folder}/01-a-c.md`);
    let message = "";
    await readChapters(url, "docs/book").catch((error) => message = error.message);
    assertEquals(message, "docs/book/02-b.md should be chapter 1: rename it");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("no chapter of the book has a number that no run vouches for, or a reference that can't be read", async () => {
  const folder = await Deno.makeTempDir();
  try {
    Samples.open(`${folder}/empty.sqlite`)[Symbol.dispose]();
    using reader = SampleReader.open(`${folder}/empty.sqlite`);
    const chapters = await readChapters(new URL("../docs/book/", import.meta.url), "docs/book");
    const error = assertThrows(
      () => buildBook({ title: "A book", chapters, reader, allowsQuick: true }),
      BookError,
    );
    // Without any run, runs are all that may be missing.
    const others = error.problems.filter((problem) => !problem.includes("there is no run of"));
    assertEquals(others, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the command says what is wrong and makes no book of it", async () => {
  const run = async (db: string, ...args: string[]) => {
    const program = new URL("main.ts", import.meta.url).pathname;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-A", program, ...args],
      env: { BENCH_DB: db, NO_COLOR: "1" },
    }).output();
    return [code, new TextDecoder().decode(stderr)] as const;
  };
  assertEquals(await run("/nowhere/bench.sqlite", "--", "--quick"), [
    1,
    "there are no samples in /nowhere/bench.sqlite: run a bench, or set BENCH_DB\n",
  ]);
  assertEquals(await run("/nowhere/bench.sqlite", "--quik"), [
    2,
    'deno task book takes --quick and --names SUITE, not "--quik"\n',
  ]);
});

Deno.test({
  name: "on a phone nothing but tables and code scrolls sideways (needs Chromium)",
  ignore: chromium === undefined,
  fn: () =>
    withReader((reader) =>
      withPage(async (page) => {
        const { html } = build(reader, EVERYTHING);
        for (const width of [320, 360, 1280]) {
          await page.setViewport({ width, height: 800 });
          await page.setContent(html);
          const overflow = await page.evaluate(OVERFLOW);
          assertEquals(overflow, 0, `the page is ${overflow} wider than a screen of ${width}`);
          // One that did not scroll at all would show that the page is not what it should be.
          const scrolling = Number(
            await page.evaluate(
              '[...document.querySelectorAll(".scroll, pre")].filter((e) => e.scrollWidth > e.clientWidth).length',
            ),
          );
          assertEquals(
            scrolling > (width < 500 ? 2 : 0),
            true,
            `${scrolling} parts scroll at ${width}`,
          );
          const drawings = await page.evaluate(
            '[...document.querySelectorAll("svg")].filter((e) => e.getBoundingClientRect().width > 0).length',
          );
          assertEquals(drawings, 2, "each chart is shown once");
        }
      })
    ),
});
