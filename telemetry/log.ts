import {
  configureSync,
  getAnsiColorFormatter,
  getConsoleSink,
  getLogger,
  getTextFormatter,
  type Logger,
  type LogLevel,
} from "@logtape/logtape";

/** How lines are written. */
export type LogFormat = "text" | "json";

/** The levels that LOG_LEVEL takes, most talkative first. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];

/**
 * Reads a level as LOG_LEVEL has it; `warn` is `warning`.
 *
 * @throws {Error} If it is none; the message says what to give
 */
export function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((one) => one === (text === "warn" ? "warning" : text));
  if (level === undefined) throw new Error(`give ${LOG_LEVELS.join(" or ")}`);
  return level;
}

/**
 * Sets up logging for the process, once, at its start. Lines go to standard output and error; LogTape does the work.
 *
 * @param options `format` text for people, json for machines (a JSON object a line); lines below `level` are dropped
 */
export function configureLogging(options: { format: LogFormat; level: LogLevel }): void {
  const formatter = options.format === "json"
    ? jsonFormatter
    : Deno.stdout.isTerminal() && Deno.env.get("NO_COLOR") === undefined
    ? getAnsiColorFormatter({ timestamp: "time", category: ".", value: "bare" })
    : getTextFormatter({ category: ".", value: "bare" });
  configureSync({
    reset: true,
    sinks: { console: getConsoleSink({ formatter }) },
    loggers: [
      { category: "marquee", sinks: ["console"], lowestLevel: options.level },
      { category: ["logtape", "meta"], sinks: ["console"], lowestLevel: "warning" },
    ],
  });
}

/** A JSON object a line: the message as people read it, and each of its values by name. */
const jsonFormatter = getTextFormatter({
  timestamp: "rfc3339",
  level: "full",
  category: ".",
  value: "bare",
  format: ({ timestamp, level, category, message, record }) =>
    JSON.stringify({
      time: timestamp,
      level: level.toLowerCase(),
      logger: category,
      message,
      ...record.properties,
    }),
});

/** The logger of one part of the service, such as `poller`. */
export function logger(part: string): Logger {
  return getLogger(["marquee", part]);
}

/** An error for the log: its stack where it has one. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
