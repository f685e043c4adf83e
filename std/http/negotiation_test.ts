import { assertEquals } from "@std/assert";
import { accepts, acceptsEncodings, acceptsLanguages } from "@std/http/negotiation";

const withHeader = (name: string, value: string | null) => ({
  headers: new Headers(value === null ? [] : [[name, value]]),
});

Deno.test("accepts picks by quality, then exactness, then the client's order, then ours", () => {
  const cases: [header: string | null, offered: string[], picked: string | undefined][] = [
    [null, ["text/html", "application/json"], "text/html"],
    ["text/html;q=0.5, application/json", ["text/html", "application/json"], "application/json"],
    ["text/*, application/json", ["text/html", "application/json"], "application/json"],
    ["application/json, text/html", ["text/html", "application/json"], "application/json"],
    ["*/*", ["text/html", "application/json"], "text/html"],
    ["TEXT/HTML", ["image/png", "Text/html"], "Text/html"],
    ["*/*, text/html;q=0", ["text/html", "image/png"], "image/png"],
    ["text/html;q=0", ["text/html"], undefined],
    ["text/html;q=x", ["text/html"], undefined],
    ["text/html;q=", ["text/html"], undefined],
    ["text/html ; Q=0.1 , image/png; q=0.2", ["text/html", "image/png"], "image/png"],
    ["text/plain;format=flowed", ["text/plain"], undefined],
    ['text/plain;format="flowed"', ["text/plain;format=flowed"], "text/plain;format=flowed"],
    [
      'a/b;title="x,c/d;q=0";q=0.5, c/d;q=0.4',
      ["c/d", 'a/b;title="x,c/d;q=0"'],
      'a/b;title="x,c/d;q=0"',
    ],
    ["image/png", ["text/html"], undefined],
    [",, ;", ["text/html"], undefined],
  ];
  for (const [header, offered, picked] of cases) {
    assertEquals(accepts(withHeader("accept", header), ...offered), picked, `${header}`);
  }
});

Deno.test("acceptsEncodings counts identity in, last, unless it is refused", () => {
  const cases: [header: string | null, offered: string[], picked: string | undefined][] = [
    [null, ["gzip", "identity"], "gzip"],
    ["gzip, deflate, br", ["gzip", "identity"], "gzip"],
    ["GZIP", ["gzip", "identity"], "gzip"],
    ["gzip;q=0.1", ["gzip", "identity"], "gzip"],
    ["gzip;q=0", ["gzip", "identity"], "identity"],
    ["br", ["gzip", "identity"], "identity"],
    ["br", ["gzip"], undefined],
    ["*", ["gzip", "identity"], "gzip"],
    ["*;q=0", ["gzip", "identity"], undefined],
    ["gzip, *;q=0", ["identity", "gzip"], "gzip"],
    ["gzip;q=0.5, identity", ["gzip", "identity"], "identity"],
    ["identity;q=0, gzip", ["identity", "gzip"], "gzip"],
  ];
  for (const [header, offered, picked] of cases) {
    const request = withHeader("accept-encoding", header);
    assertEquals(acceptsEncodings(request, ...offered), picked, `${header}`);
  }
});

Deno.test("acceptsLanguages prefers the very language to one with or without a region", () => {
  const cases: [header: string | null, offered: string[], picked: string | undefined][] = [
    [null, ["es", "en"], "es"],
    ["fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", ["en-gb", "en-us", "en"], "en"],
    ["es-MX", ["en", "es"], "es"],
    ["es", ["en", "es-MX"], "es-MX"],
    ["es-MX", ["es-ES"], undefined],
    ["es-MX;q=0.5, es;q=0.1", ["es-MX", "es"], "es-MX"],
    ["en;q=0, *", ["en", "es"], "es"],
    ["eng", ["en"], undefined],
  ];
  for (const [header, offered, picked] of cases) {
    const request = withHeader("accept-language", header);
    assertEquals(acceptsLanguages(request, ...offered), picked, `${header}`);
  }
});

Deno.test("without anything offered, what is accepted is listed by quality", () => {
  assertEquals(accepts(withHeader("accept", null)), ["*/*"]);
  assertEquals(acceptsEncodings(withHeader("accept-encoding", null)), ["*"]);
  assertEquals(acceptsLanguages(withHeader("accept-language", null)), ["*"]);
  assertEquals(accepts(withHeader("accept", "b/b;q=0.5, a/a;level=1, c/c;q=0")), ["a/a", "b/b"]);
  assertEquals(acceptsEncodings(withHeader("accept-encoding", "br;q=0.5, gzip, x;q=0")), [
    "gzip",
    "br",
    "identity",
  ]);
  assertEquals(acceptsLanguages(withHeader("accept-language", "es;q=0.9, fr-CH")), ["fr-CH", "es"]);
});
