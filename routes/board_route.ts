import { createHash } from "node:crypto";
import page from "./board/board.html" with { type: "text" };
import script from "./board/board.js" with { type: "text" };
import style from "./board/board.css" with { type: "text" };
import { bodyReply } from "./reply.ts";
import { type Route, route } from "./route.ts";

/** GET /: the board, a page for people to search events and watch the service. One document; it loads no other. */
export function boardRoute(): Route {
  const html = new TextEncoder().encode(
    filled(filled(page, "<style>", style), '<script type="module">', script),
  );
  const headers = {
    "cache-control": "public, max-age=300",
    "content-security-policy": [
      "default-src 'none'",
      `script-src ${sourceHash(script)}`,
      `style-src ${sourceHash(style)}`,
      "connect-src 'self'",
      "img-src data:",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ].join("; "),
  };
  return route({
    method: "GET",
    path: "/",
    summary: "The board: a page to search events and watch the service.",
    replies: { 200: { description: "The page.", contentType: "text/html" } },
    handle: () => bodyReply("text/html; charset=utf-8", html, headers),
  });
}

/** Puts text into the one element that begins so and is empty. */
function filled(page: string, begin: string, text: string): string {
  const [before, after, ...more] = page.split(begin);
  if (after === undefined || more.length > 0) throw new Error(`routes/board has no one ${begin}`);
  return before + begin + text + after.trimStart();
}

/** Lets a page run this text and no other (CSP Level 3, section 2.3.1). */
function sourceHash(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
