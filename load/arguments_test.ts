import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { readArguments, readCount, readDuration } from "./arguments.ts";
import { LoadOptionsError } from "./options.ts";

const URL = "http://127.0.0.1:8080/";

Deno.test("a command line is read, with or without the -- of deno task", () => {
  const args = [URL, "--connections", "10k", "--rate=1.5k", "-d", "2m", "--close"];
  for (const all of [args, ["--", ...args]]) {
    const { url, connections, rate, durationMs, close, requests } = readArguments(all);
    assertEquals(
      [url, connections, rate, durationMs, close, requests],
      [URL, 10_000, 1_500, 120_000, true, undefined],
    );
  }
  const { headers, statuses } = readArguments([
    ...[URL, "-H", "A: b: c", "--header", "D:e", "--expect-status", "200,304"],
  ]);
  assertEquals([headers, statuses], [{ A: "b: c", D: "e" }, [200, 304]]);
});

Deno.test("numbers and times are read as people write them", () => {
  const counts = ["7", "10k", "1.1k", "2M", "0.5"].map((text) => readCount("n", text));
  assertEquals(counts, [7, 10_000, 1_100, 2_000_000, 0.5]);
  const times = ["500ms", "10s", "10", "1.5m", "1h"].map((text) => readDuration("d", text));
  assertEquals(times, [500, 10_000, 10_000, 90_000, 3_600_000]);
});

Deno.test("what makes no sense is refused by name, with the remedy", () => {
  const wrong: [string[], RegExp][] = [
    [[], /a URL is missing: deno task load -- http/],
    [[URL, URL], /one URL/],
    [[URL, "--rate", "fast"], /--rate: "fast" is no number: write 500, 10k or 1.5M/],
    [[URL, "--rate", "-5"], /--rate/],
    [[URL, "--duration", "10x"], /--duration: "10x" is no time: write 500ms/],
    [[URL, "--colour"], /--colour/],
    [[URL, "--connections"], /--connections/],
    [[URL, "--close=yes"], /--close/],
    [[URL, "-H", "nothing"], /--header: "nothing"/],
    [[URL, "--engine", "steam"], /--engine: steam/],
  ];
  for (const [args, message] of wrong) {
    assertMatch(assertThrows(() => readArguments(args), LoadOptionsError).message, message);
  }
});
