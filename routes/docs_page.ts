import type { OpenApiInfo } from "./openapi.ts";
import type { Route } from "./route.ts";

/** The page that shows a route table to people: one HTML document without scripts or anything to load. */
export function docsPage(info: OpenApiInfo, routes: readonly Route[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)} ${escape(info.version)}</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
  h2 { font: 600 1.05rem ui-monospace, monospace; border-top: 1px solid #8886; padding-top: 1.5rem; }
  table { border-collapse: collapse; width: 100%; }
  td { border-top: 1px solid #8883; padding: .35rem .75rem .35rem 0; vertical-align: top; }
  td:first-child { white-space: nowrap; }
  code { font-family: ui-monospace, monospace; }
</style>
<h1>${escape(info.title)} ${escape(info.version)}</h1>
<p>${escape(info.description)} The same as <a href="/openapi.json">OpenAPI</a>.</p>
${routes.map(section).join("\n")}
</html>
`;
}

function section(route: Route): string {
  const parameters = [
    ...Object.entries(route.pathParameters ?? {}),
    ...Object.entries(route.query ?? {}),
  ];
  return `<section>
<h2>${route.method} ${escape(route.path)}</h2>
<p>${escape(route.summary)} ${escape(route.description ?? "")}</p>
${table(parameters.map(([name, { description }]) => [name, description]))}
${table(Object.entries(route.replies).map(([status, { description }]) => [status, description]))}
</section>`;
}

function table(rows: [string, string][]): string {
  if (rows.length === 0) return "";
  const cells = rows.map(([name, text]) =>
    `<tr><td><code>${escape(name)}</code></td><td>${escape(text)}</td></tr>`
  );
  return `<table>${cells.join("")}</table>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
