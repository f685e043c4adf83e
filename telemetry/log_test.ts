import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { configureLogging, type LogFormat, logger } from "./mod.ts";

/** Runs a function with logging set up, and returns what it wrote. */
function written(
  options: Parameters<typeof configureLogging>[0],
  run: () => void,
): string[] {
  const lines: string[] = [];
  const { debug, info, warn, error, log } = console;
  const take = (...values: unknown[]) => void lines.push(values.join(" "));
  Object.assign(console, { debug: take, info: take, warn: take, error: take, log: take });
  try {
    configureLogging(options);
    run();
  } finally {
    Object.assign(console, { debug, info, warn, error, log });
  }
  return lines;
}

Deno.test("in JSON each line is one object: the message as people read it, and its values", () => {
  const lines = written({ format: "json", level: "info" }, () => {
    logger("poller").warn("The feed of {provider} has {count} plans", {
      provider: 'a "quoted" name',
      count: 3,
      nothing: null,
    });
  });
  assertEquals(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0]);
  assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
  assertEquals(rest, {
    level: "warning",
    logger: "marquee.poller",
    message: 'The feed of a "quoted" name has 3 plans',
    provider: 'a "quoted" name',
    count: 3,
    nothing: null,
  });
});

Deno.test("no value can begin a line of its own", () => {
  for (const format of ["json", "text"] as const) {
    const lines = written({ format, level: "info" }, () => {
      logger("request").error("{url} failed", { url: '/x\r\n{"level":"fatal"}\u2028y' });
    });
    assertEquals(lines.length, 1);
    assertEquals(lines[0].trimEnd().split(/[\r\n]/).length, 1, lines[0]);
  }
});

Deno.test("lines below the level are dropped, and the others are not", () => {
  for (const [level, count] of [["debug", 4], ["info", 3], ["warning", 2], ["error", 1]] as const) {
    const lines = written({ format: "json", level }, () => {
      const log = logger("test");
      log.debug("one");
      log.info("two");
      log.warn("three");
      log.error("four");
    });
    assertEquals(lines.length, count, level);
  }
});

Deno.test("as text a line has its level, its part and its message", () => {
  const [line, ...more] = written({ format: "text" as LogFormat, level: "info" }, () => {
    logger("service").error("The store cannot be read: {error}", { error: "disk full" });
  });
  assertEquals(more, []);
  assertStringIncludes(line, "marquee.service");
  assertStringIncludes(line, "The store cannot be read: disk full");
  assert(/err/i.test(line));
});
