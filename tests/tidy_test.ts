import { assertEquals } from "@std/assert";

const root = new URL("..", import.meta.url);

/** Which folder may import which others; a file where only one is allowed. */
const ALLOWED: Record<string, readonly string[]> = {
  domain: [],
  poller: ["domain", "store/port.ts", "store/plan_encoder.ts", "workers", "event_loop.ts"],
  store: ["domain", "event_loop.ts"],
  catalogue: ["domain", "event_loop.ts"],
  routes: ["domain", "catalogue", "store/port.ts", "workers"],
  workers: [],
  native: [],
  transports: ["domain", "catalogue", "routes", "native", "limits"],
  limits: ["telemetry"],
  load: ["native"],
  telemetry: [],
  demo: [],
  deploy: ["settings.ts"],
  book: ["bench/sample_reader.ts", "bench/samples.ts", "bench/statistics.ts"],
};

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    if (isDirectory) yield* sources(`${folder}${name}/`);
    else if (/\.ts$/.test(name) && !/_(test|bench)\.ts$|^test_/.test(name)) {
      yield `${folder}${name}`;
    }
  }
}

Deno.test("imports between folders go the way that ALLOWED says", async () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const [folder, allowed] of Object.entries(ALLOWED)) {
    for await (const file of sources(`${folder}/`)) {
      const text = await Deno.readTextFile(new URL(file, root));
      for (const [, specifier] of text.matchAll(/^(?:import|export)[^;]*? from "(\.[^"]+)";/gm)) {
        const target = new URL(specifier, new URL(file, root)).href.slice(root.href.length);
        seen++;
        const isOwn = target.startsWith(`${folder}/`);
        if (isOwn || allowed.some((one) => target === one || target.startsWith(`${one}/`))) {
          continue;
        }
        wrong.push(
          `${file} imports ${target}: ${folder} may import ${
            allowed.join(", ") || "nothing of ours"
          }`,
        );
      }
    }
  }
  assertEquals(wrong, []);
  assertEquals(seen > 50, true, "imports were found at all");
});

Deno.test("every exported name says what it is for", async () => {
  const bare: string[] = [];
  for (const folder of Object.keys(ALLOWED)) {
    for await (const file of sources(`${folder}/`)) {
      const lines = (await Deno.readTextFile(new URL(file, root))).split("\n");
      lines.forEach((line, i) => {
        if (!/^export (async )?(function|class|const|interface|type \w|abstract)/.test(line)) {
          return;
        }
        if (!/(\*\/|^\/\/ deno-lint)/.test(lines[i - 1] ?? "")) {
          bare.push(`${file}:${i + 1} ${line.slice(0, 60)}`);
        }
      });
    }
  }
  assertEquals(bare, [], "write a docstring above each");
});

Deno.test("the README has every setting with the default of --help, and no other", async () => {
  const { settingsHelp } = await import("../settings.ts");
  const readme = await Deno.readTextFile(new URL("README.md", root));
  const helped = new Map<string, string>();
  for (const [, name, value] of settingsHelp().matchAll(/^ {2}([A-Z_]+) +(\S+) /gm)) {
    helped.set(name, value);
  }
  assertEquals(helped.size > 30, true, "settings were found at all");

  // Names that share a row of the table have a default each, or one for all of them.
  const told = new Map<string, string>();
  const row = /^\| ((?:`[A-Z_…]+`(?:, )?)+) +\| ([^|]+?) +\|/gm;
  for (const [, cell, defaults] of readme.matchAll(row)) {
    const names = [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
    const stem = names[0].slice(0, names[0].lastIndexOf("_"));
    const values = defaults.split(defaults.includes("; ") ? "; " : ", ");
    for (const [i, name] of names.entries()) {
      told.set(name.replace("…", stem), values.length === 1 ? values[0] : values[i]);
    }
  }
  // Where --help has no default, "-", the README has words for what that means.
  const isRight = (name: string, value: string) =>
    value === "-" ? readme.includes(`\`${name}`) : told.get(name) === value;
  const wrong = [...helped].filter(([name, value]) => !isRight(name, value));
  assertEquals(
    wrong.map(([name, value]) => `${name}: ${told.get(name) ?? "missing"}, by --help ${value}`),
    [],
    "correct the table of settings",
  );

  const named = [...readme.matchAll(/`([A-Z]{2,}(?:_[A-Z]+)+)`/g)].map(([, name]) => name);
  assertEquals(
    [...told.keys(), ...named].filter((name) => !helped.has(name)),
    [],
    "settings that do not exist",
  );
});
