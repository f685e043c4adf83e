import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import denoJson from "../deno.json" with { type: "json" };
import { BenchArgumentsError, parseBenchArguments } from "./bench_arguments.ts";

const OPTIONS = {
  only: "pattern",
  connections: "count",
  transport: ["uring", "epoll"],
  json: "flag",
} as const;
const USAGE = "this bench takes --quick, --only PATTERN, --connections N, " +
  "--transport uring|epoll, --json, --help";

Deno.test("without arguments flags are off and the other options are null", () => {
  assertEquals(parseBenchArguments([], OPTIONS), {
    quick: false,
    only: null,
    connections: null,
    transport: null,
    json: false,
    help: false,
  });
  assertEquals(parseBenchArguments(["--quick"], {}), { quick: true, help: false });
});

Deno.test("an option has its value behind a blank or behind =", () => {
  for (const args of [["--only", "C, .*ring"], ["--only=C, .*ring"]]) {
    assertEquals(parseBenchArguments(args, OPTIONS).only, /C, .*ring/);
  }
  const asked = parseBenchArguments(
    ["--connections", "500", "--transport=epoll", "--json", "--quick", "--help"],
    OPTIONS,
  );
  assertEquals(asked, {
    quick: true,
    only: null,
    connections: 500,
    transport: "epoll",
    json: true,
    help: true,
  });
});

Deno.test("a bare -- that deno task hands through is ignored, behind what the task gives too", () => {
  const { quick, only } = parseBenchArguments(["--only=ours", "--", "--quick"], OPTIONS);
  assertEquals([quick, only], [true, /ours/]);
});

Deno.test("what no option takes is refused by its name, with what there is", () => {
  for (
    const [args, name] of [
      [["--quik"], "'--quik'"],
      [["quick"], "'quick'"],
      [["-q"], "'-q'"],
      [["--quick=yes"], "--quick"],
      [["--only"], "--only"],
      [["--only", "--quick"], "--only"],
    ] as const
  ) {
    const { message } = assertThrows(() => parseBenchArguments(args, OPTIONS), BenchArgumentsError);
    assertStringIncludes(message, name);
    assertStringIncludes(message, USAGE);
    assertEquals(message.includes("\n"), false, message);
  }
});

Deno.test("a value that makes no sense is refused with the option and what may stand there", () => {
  for (
    const [args, message] of [
      [["--connections=0"], '--connections: "0" is no whole number above 0'],
      [["--connections", "many"], '--connections: "many" is no whole number above 0'],
      [["--transport=iouring"], '--transport: "iouring" is none of uring, epoll'],
      [["--only="], '--only: "" is no pattern'],
      [["--only=("], '--only: "(" is no pattern (Invalid regular expression'],
    ] as const
  ) assertThrows(() => parseBenchArguments(args, OPTIONS), BenchArgumentsError, message);
});

Deno.test("every suite refuses an argument that it does not know before anything starts", async () => {
  const suites = Object.entries(denoJson.tasks).filter(([name]) => name.startsWith("bench:"));
  assertEquals(suites.length > 10, true, "suites were found at all");
  for (const [name, { command }] of suites) {
    const program = command.split(" ").find((word) => word.endsWith(".ts"))!;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-all", program, "--quik"],
      cwd: new URL("..", import.meta.url),
      env: { BENCH_DB: "/nowhere/at/all", NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stderr);
    assertEquals([code, stdout.length], [2, 0], `${name}: ${said}`);
    assertStringIncludes(said, "'--quik'", name);
  }
});
