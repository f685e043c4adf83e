/**
 * A real browser, for the tests that look at pages.
 *
 * @module
 */
import { launch, type Page } from "puppeteer-core";
import { WAIT_MS_MAX } from "./service.ts";

/** Where a Chromium is that starts here; `undefined` without one, which is said once. */
export const chromium: string | undefined = (Deno.env.get("PATH") ?? "").split(":")
  .flatMap((folder) =>
    ["chromium", "chromium-browser", "google-chrome"].map((name) => `${folder}/${name}`)
  )
  .find((path) => {
    try {
      return new Deno.Command(path, { args: ["--version"], stdout: "null", stderr: "null" })
        .outputSync().success;
    } catch {
      return false;
    }
  });
if (chromium === undefined) console.warn("Ignored: no Chromium here to look at pages with");

/** For `evaluate`: how many pixels a page is wider than its window. */
export const OVERFLOW =
  "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/** Opens a page in a browser of its own, and closes both. */
export async function withPage(use: (page: Page) => Promise<void>): Promise<void> {
  const browser = await launch({
    executablePath: chromium,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(WAIT_MS_MAX);
    await use(page);
  } finally {
    await browser.close();
  }
}
