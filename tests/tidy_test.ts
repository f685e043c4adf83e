import { assertEquals } from "@std/assert";

const root = new URL("..", import.meta.url);

/** Who may import whom (DESIGN.md, "Rooms"): a file where only one is allowed. */
const ALLOWED: Record<string, readonly string[]> = {
  domain: [],
  poller: ["domain", "store/port.ts", "event_loop.ts"],
  store: ["domain", "event_loop.ts"],
  catalogue: ["domain", "event_loop.ts"],
  routes: ["domain", "catalogue", "store/port.ts"],
  native: [],
  transports: ["domain", "catalogue", "routes", "native"],
  limits: ["telemetry"],
  telemetry: [],
  demo: [],
};

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    if (isDirectory) yield* sources(`${folder}${name}/`);
    else if (/\.ts$/.test(name) && !/_(test|bench)\.ts$|^test_/.test(name)) {
      yield `${folder}${name}`;
    }
  }
}

Deno.test("imports between rooms go the way the architecture draws", async () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const [room, allowed] of Object.entries(ALLOWED)) {
    for await (const file of sources(`${room}/`)) {
      const text = await Deno.readTextFile(new URL(file, root));
      for (const [, specifier] of text.matchAll(/^(?:import|export)[^;]*? from "(\.[^"]+)";/gm)) {
        const target = new URL(specifier, new URL(file, root)).href.slice(root.href.length);
        seen++;
        const isOwn = target.startsWith(`${room}/`);
        if (isOwn || allowed.some((one) => target === one || target.startsWith(`${one}/`))) {
          continue;
        }
        wrong.push(
          `${file} imports ${target}: ${room} may import ${
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
  for (const room of Object.keys(ALLOWED)) {
    for await (const file of sources(`${room}/`)) {
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

Deno.test("the default of every setting in the README is the one that --help gives", async () => {
  const { settingsHelp } = await import("../settings.ts");
  const readme = await Deno.readTextFile(new URL("README.md", root));
  const missing = [...readme.matchAll(/`([A-Z]{2,}(?:_[A-Z]+)+)`/g)].map(([, name]) => name)
    .filter((name) => name !== "DENORT_BIN" && !settingsHelp().includes(name));
  assertEquals(missing, [], "settings that do not exist");
});
