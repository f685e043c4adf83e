import { assertEquals, assertMatch } from "@std/assert";
import denoJson from "../deno.json" with { type: "json" };
import type { LoadReport } from "./report.ts";
import { answer, closedPort, RawServer, until } from "./testing/raw_server.ts";

/** Starts the command with the permissions that its task has. */
function start(...args: string[]): Deno.ChildProcess {
  return startWith(denoJson.tasks.load.command, args);
}

function startWith(task: string, args: string[]): Deno.ChildProcess {
  const [, ...command] = task.split(" ");
  return new Deno.Command(Deno.execPath(), {
    args: [...command, ...args],
    cwd: new URL("..", import.meta.url),
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function outcome(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("the command makes a load and says what came of it", async () => {
  using server = new RawServer(({ send }) => send(answer("here")));
  const { code, stdout, stderr } = await outcome(start("--", server.url, "-n", "1k", "-c", "3"));
  assertEquals([code, server.requests, stderr], [0, 1_000, ""]);
  assertMatch(stdout, /3 connections, kept, as fast as it goes/);
  assertMatch(stdout, /answers +1,000 of 1,000 requests/);
  assertMatch(stdout, /statuses +200: 1,000/);
  assertMatch(stdout, /latency .* p50 .* p99 .* p99\.9 .* max /);
  assertMatch(stdout, /errors +none/);
});

Deno.test("with --json it prints the report and nothing else", async () => {
  using server = new RawServer(({ send, head }) => send(answer(head.includes("/b ") ? "x" : "")));
  const paths = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(paths, "/a\n/b\n\n/c\n");
    const { code, stdout, stderr } = await outcome(
      start(server.url, "--json", "--requests=30", "--paths", paths, "--expect-length", "0"),
    );
    const report: LoadReport = JSON.parse(stdout);
    assertEquals([code, stderr, report.requests.answered], [0, "", 30]);
    assertEquals([report.errors.wrongLength, report.errorsTotal], [10, 10]);
  } finally {
    await Deno.remove(paths);
  }
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} ends the command with what there is`, async () => {
    using server = new RawServer(({ send }) => send(answer("")));
    const child = start(server.url, "--duration", "10m", "--rate", "500");
    await until("requests", () => server.requests > 50);
    child.kill(signal);
    const { code, stdout } = await outcome(child);
    assertEquals(code, 0);
    assertMatch(stdout, /stopped before its end/);
    assertMatch(stdout, /answers +\d+ of \d+ requests/);
  });
}

Deno.test("without the permission for FFI it goes by fetch, and says so", async () => {
  using server = new RawServer(({ send }) => send(answer("")));
  const task = denoJson.tasks.load.command.replace(" --allow-ffi", "");
  const { code, stdout } = await outcome(startWith(task, [server.url, "--requests", "20"]));
  assertEquals([code, server.requests], [0, 20]);
  assertMatch(stdout, /by fetch, which is slower, since no permission for FFI/);
});

Deno.test("it exits with 1 when nothing was answered, and says why", async () => {
  const { code, stdout } = await outcome(
    start(`http://127.0.0.1:${closedPort()}/`, "-d", "300ms", "-c", "2"),
  );
  assertEquals(code, 1);
  assertMatch(stdout, /refused: connect: Connection refused/);
});

Deno.test("it exits with 2 when what was asked for makes no sense, and helps when asked", async () => {
  const wrong = await outcome(start("127.0.0.1:80"));
  assertEquals([wrong.code, wrong.stdout], [2, ""]);
  assertMatch(wrong.stderr, /^load: URL: "127.0.0.1:80" is none: write http:/);
  const missing = await outcome(start("http://127.0.0.1:1/", "--paths", "/no/such/file"));
  assertEquals(missing.code, 2);
  assertMatch(missing.stderr, /--paths: \/no\/such\/file cannot be read/);
  const help = await outcome(start("--help"));
  assertEquals(help.code, 0);
  for (const option of ["--rate", "--requests", "--close", "--pipeline", "--paths", "--json"]) {
    assertMatch(help.stdout, new RegExp(option));
  }
});
