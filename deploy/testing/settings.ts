import { assertEquals, assertThrows } from "@std/assert";
import { readSettings, SettingsError, settingsHelp } from "../../settings.ts";

/** What the manifests already set and this version refuses: delete what it takes by now. */
const NOT_YET: Record<string, string> = { SHED: "app" };

/** Fails unless Marquee would start with these variables in its environment. */
export function assertSettings(environment: Record<string, string>): void {
  const unknown = Object.keys(environment)
    .filter((name) => !new RegExp(`^  ${name} `, "m").test(settingsHelp()));
  assertEquals(unknown, [], "no settings of Marquee's");
  for (const [name, value] of Object.entries(NOT_YET)) {
    assertThrows(
      () => readSettings([], (asked) => asked === name ? value : undefined),
      SettingsError,
      "not in this version",
      `${name}=${value} works now: delete it from NOT_YET in deploy/testing/settings.ts`,
    );
  }
  readSettings([], (name) => environment[name] === NOT_YET[name] ? undefined : environment[name]);
}
