import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FAULT_NAMES } from "./faults.ts";
import { readFeed } from "./read_feed.ts";

function command(...args: string[]): Deno.Command {
  const main = new URL("main.ts", import.meta.url).pathname;
  const permissions = ["--allow-net", "--allow-env"];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, main, ...args],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await command(...args).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

Deno.test("the command prints its address, serves as told, and ends on SIGTERM", async () => {
  const args = ["--", "--port", "0", "--plans=25", "--vocabulary", "event", "--seed=9"];
  const child = command(...args).spawn();
  let printed = "";
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  while (!printed.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(await new Response(child.stderr).text());
    printed += decoder.decode(value, { stream: true });
  }
  assertMatch(printed, /^The demo provider listens on http:\/\/127\.0\.0\.1:\d+\/feed\n$/);
  const list = readFeed(await (await fetch(printed.match(/http\S+/)![0])).text());
  assertEquals(list.name, "eventList");
  assertEquals(list.children[0].children.flatMap(({ children }) => children).length, 25);
  child.kill("SIGTERM");
  await reader.cancel();
  await child.stderr.cancel();
  assertEquals((await child.status).code, 0);
});

Deno.test("--help tells every option and every fault", async () => {
  const { code, out } = await run("--help");
  assertEquals(code, 0);
  for (const option of ["port", "host", "plans", "seed", "vocabulary", "fault", "season-speed"]) {
    assertStringIncludes(out, `--${option}`);
  }
  for (const name of FAULT_NAMES) assertStringIncludes(out, name);
});

Deno.test("a bad value or an unknown option is one clear line and exit 2", async () => {
  const cases: [string[], string][] = [
    [["--plans", "1000001"], "plans is 1000001: give a whole number from 0 to 1000000"],
    [["--plans", "many"], '--plans is "many": give a number'],
    [["--port", "65536"], '--port is "65536"'],
    [["--fault=fire"], 'fault is "fire": give one of none, unavailable'],
    [["--vocabulary", "show"], 'vocabulary is "show"'],
    [["--season-speed", "-1"], '--season-speed is "-1"'],
    [["--seed"], "--seed needs a value"],
    [["--colour", "red"], 'unknown argument "--colour"'],
    [["8090"], 'unknown argument "8090"'],
  ];
  await Promise.all(cases.map(async ([args, message]) => {
    const { code, out, err } = await run(...args);
    assertEquals([code, out], [2, ""], args.join(" "));
    assertStringIncludes(err, message);
    assertEquals(err.trim().split("\n").length, 1, err);
  }));
});

Deno.test("an address that cannot be had is one clear line and exit 1", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const args of [["--port", String(listener.addr.port)], ["--host=192.0.2.1", "--port=0"]]) {
    const { code, err } = await run(...args);
    assertEquals(code, 1);
    assertMatch(err, /^demo provider: cannot listen: .+ \(give another --host or --port\)\n$/);
  }
});
