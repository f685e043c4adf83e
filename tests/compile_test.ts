import { assertEquals, assertStringIncludes } from "@std/assert";
import { eventually, searchFor } from "./target.ts";

const root = new URL("..", import.meta.url).pathname;

async function deno(args: string[], env: Record<string, string> = {}): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args, env, cwd: root });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, text);
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}

Deno.test("the binary embeds the whole program as one bundle, which runs without the repository", async () => {
  const folder = await Deno.makeTempDir();
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
  const args = tasks.compile.command.replace("dist/marquee", `${folder}/marquee`).split(" ").slice(
    1,
  );
  // Any ELF file stands in for the base binary, which is fetched otherwise.
  const listing = await deno(args, { DENORT_BIN: "/bin/true" });
  assertStringIncludes(listing, "Embedded Files");
  assertStringIncludes(listing, ".deno_compile_bundle_");
  // Threads have modules of their own, which a bundle does not take in.
  for (const module of ["catalogue_worker.ts", "feed_worker.ts", "listener_worker.ts"]) {
    assertStringIncludes(listing, module);
  }

  await deno(["bundle", "--output", `${folder}/main.js`, "main.ts"]);
  await using service = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-config",
      "--unstable-kv",
      "--unstable-cron",
      "--no-prompt",
      "--allow-net",
      "--allow-env",
      "--allow-read",
      "--allow-write",
      "--allow-sys",
      "main.js",
    ],
    cwd: folder,
    env: { PORT: "0", ADMIN_PORT: "0", HOST: "127.0.0.1", KV_PATH: ":memory:", LOG_FORMAT: "json" },
    stdout: "piped",
  }).spawn();
  let log = "";
  let isAnswered = false;
  for await (const text of service.stdout.pipeThrough(new TextDecoderStream())) {
    log += text;
    const port = log.match(/"message":"Search: .*?"port":(\d+)/)?.[1];
    if (isAnswered || port === undefined || !log.includes('"outcome":"changed"')) continue;
    await eventually(
      async () => (await searchFor(`http://127.0.0.1:${port}`)).length > 0,
      "events",
    );
    const board = await fetch(`http://127.0.0.1:${port}/`);
    assertStringIncludes(await board.text(), "<h1>Marquee</h1>");
    isAnswered = true;
    service.kill("SIGTERM");
  }
  assertEquals([(await service.status).code, isAnswered], [0, true], log);
  await Deno.remove(folder, { recursive: true });
});
