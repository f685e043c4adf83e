import { assertEquals } from "@std/assert";
import { readSettings, settingsHelp } from "../../settings.ts";

/** Fails unless Marquee would start with these variables in its environment. */
export function assertSettings(environment: Record<string, string>): void {
  const unknown = Object.keys(environment)
    .filter((name) => !new RegExp(`^  ${name} `, "m").test(settingsHelp()));
  assertEquals(unknown, [], "no settings of Marquee's");
  readSettings([], (name) => environment[name]);
}
