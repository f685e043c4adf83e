/**
 * Picks what a client prefers, from the Accept headers of its request (RFC 9110, section 12.5). The quality that it gives
 * decides, then how exactly it names the thing, then its order, then ours. Quality 0, or one that is no number, refuses.
 *
 * @module
 */

/** One element of an Accept header. */
interface Preference {
  /** In lower case, without parameters. */
  range: string;
  /** As it was written, without parameters. */
  written: string;
  /** `name=value`, in lower case, without the quality. */
  parameters: string[];
  quality: number;
  order: number;
}

/** How exactly a preference names what is offered: the more the better, -1 if it doesn't. */
type Fit = (preference: Preference, offered: string) => number;

/**
 * Lists the media types that a request accepts, by preference; without an Accept header, any.
 *
 * @example
 * ```ts
 * import { accepts } from "@std/http/negotiation";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new Request("http://localhost", {
 *   headers: { accept: "text/html;q=0.8, application/json" },
 * });
 * assertEquals(accepts(request), ["application/json", "text/html"]);
 * ```
 */
export function accepts(request: Pick<Request, "headers">): string[];
/**
 * Picks the media type that a request prefers, of those offered; without an Accept header, the first.
 *
 * @returns undefined if it accepts none of them
 *
 * @example
 * ```ts
 * import { accepts } from "@std/http/negotiation";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new Request("http://localhost", { headers: { accept: "text/*, image/png;q=0.5" } });
 * assertEquals(accepts(request, "image/png", "text/html"), "text/html");
 * ```
 */
export function accepts(
  request: Pick<Request, "headers">,
  ...types: string[]
): string | undefined;
export function accepts(
  request: Pick<Request, "headers">,
  ...types: string[]
): string | string[] | undefined {
  const header = request.headers.get("accept");
  if (!header) return types.length > 0 ? types[0] : ["*/*"];
  const preferences = readPreferences(header);
  return types.length > 0 ? pick(preferences, types, fitMediaType) : list(preferences);
}

/**
 * Lists the content encodings that a request accepts, by preference; without an Accept-Encoding header, any.
 *
 * @example
 * ```ts
 * import { acceptsEncodings } from "@std/http/negotiation";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new Request("http://localhost", { headers: { "accept-encoding": "gzip, br;q=0.5" } });
 * assertEquals(acceptsEncodings(request), ["gzip", "br", "identity"]);
 * ```
 */
export function acceptsEncodings(request: Pick<Request, "headers">): string[];
/**
 * Picks the content encoding that a request prefers, of those offered; without an Accept-Encoding header, the first. Offer
 * `identity` too: it is accepted, after all others, unless the request refuses it.
 *
 * @returns undefined if it accepts none of them
 *
 * @example
 * ```ts
 * import { acceptsEncodings } from "@std/http/negotiation";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new Request("http://localhost", { headers: { "accept-encoding": "br, gzip" } });
 * assertEquals(acceptsEncodings(request, "gzip", "identity"), "gzip");
 * ```
 */
export function acceptsEncodings(
  request: Pick<Request, "headers">,
  ...encodings: string[]
): string | undefined;
export function acceptsEncodings(
  request: Pick<Request, "headers">,
  ...encodings: string[]
): string | string[] | undefined {
  const header = request.headers.get("accept-encoding");
  if (!header) return encodings.length > 0 ? encodings[0] : ["*"];
  const preferences = readPreferences(header);
  if (!preferences.some(({ range }) => range === "identity" || range === "*")) {
    const quality = Math.min(1, ...preferences.map(({ quality }) => quality || 1));
    const order = preferences.length;
    preferences.push({ range: "identity", written: "identity", parameters: [], quality, order });
  }
  return encodings.length > 0 ? pick(preferences, encodings, fitEncoding) : list(preferences);
}

/**
 * Lists the languages that a request accepts, by preference; without an Accept-Language header, any.
 *
 * @example
 * ```ts
 * import { acceptsLanguages } from "@std/http/negotiation";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new Request("http://localhost", { headers: { "accept-language": "es;q=0.9, ca" } });
 * assertEquals(acceptsLanguages(request), ["ca", "es"]);
 * ```
 */
export function acceptsLanguages(request: Pick<Request, "headers">): string[];
/**
 * Picks the language that a request prefers, of those offered; without an Accept-Language header, the first. `es` and
 * `es-MX` fit each other, less well than either fits itself.
 *
 * @returns undefined if it accepts none of them
 *
 * @example
 * ```ts
 * import { acceptsLanguages } from "@std/http/negotiation";
 * import { assertEquals } from "@std/assert";
 *
 * const request = new Request("http://localhost", { headers: { "accept-language": "es-MX, en;q=0.5" } });
 * assertEquals(acceptsLanguages(request, "en", "es"), "es");
 * ```
 */
export function acceptsLanguages(
  request: Pick<Request, "headers">,
  ...langs: string[]
): string | undefined;
export function acceptsLanguages(
  request: Pick<Request, "headers">,
  ...langs: string[]
): string | string[] | undefined {
  const header = request.headers.get("accept-language");
  if (!header) return langs.length > 0 ? langs[0] : ["*"];
  const preferences = readPreferences(header);
  return langs.length > 0 ? pick(preferences, langs, fitLanguage) : list(preferences);
}

function readPreferences(header: string): Preference[] {
  return splitUnquoted(header, ",").flatMap((element, order) => {
    const [written, ...parameters] = splitUnquoted(element, ";");
    if (written === undefined) return []; // nothing but semicolons
    let quality = 1;
    const others: string[] = [];
    for (const parameter of parameters) {
      const [, name, value] = /^([^=\s]+)\s*=\s*"?([^"]*)"?$/.exec(parameter.toLowerCase()) ?? [];
      if (name === "q") quality = Number(value || NaN);
      else if (name !== undefined) others.push(`${name}=${value}`);
    }
    return { range: written.toLowerCase(), written, parameters: others, quality, order };
  });
}

/** Splits a header at a separator outside of quotes, and drops empty parts. */
function splitUnquoted(text: string, separator: "," | ";"): string[] {
  const part = separator === "," ? /(?:"[^"]*"|[^,])+/g : /(?:"[^"]*"|[^;])+/g;
  return (text.match(part) ?? []).map((found) => found.trim()).filter((found) => found !== "");
}

/** Lists what is not refused, the best quality first. */
function list(preferences: Preference[]): string[] {
  return preferences.filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality || a.order - b.order)
    .map(({ written }) => written);
}

/** Picks the best of what is offered, each judged by the preference that names it most exactly. */
function pick(preferences: Preference[], offered: string[], fit: Fit): string | undefined {
  let best: { offer: string; quality: number; fitness: number; order: number } | undefined;
  for (const offer of offered) {
    let judge: Preference | undefined, fitness = -1;
    for (const preference of preferences) {
      const exactness = fit(preference, offer.toLowerCase());
      if (exactness > fitness) [judge, fitness] = [preference, exactness];
    }
    if (judge === undefined || !(judge.quality > 0)) continue;
    const { quality, order } = judge;
    const lead = best === undefined
      ? 1
      : quality - best.quality || fitness - best.fitness || best.order - order;
    if (lead > 0) best = { offer, quality, fitness, order };
  }
  return best?.offer;
}

const fitMediaType: Fit = ({ range, parameters }, offered) => {
  const [type, ...ours] = splitUnquoted(offered, ";").map((part) => part.replaceAll('"', ""));
  if (!parameters.every((parameter) => ours.includes(parameter))) return -1;
  if (range === type) return 2 + parameters.length;
  if (range === "*/*") return 0;
  return range.endsWith("/*") && type.startsWith(range.slice(0, -1)) ? 1 : -1;
};

const fitEncoding: Fit = ({ range }, offered) => range === offered ? 1 : range === "*" ? 0 : -1;

const fitLanguage: Fit = ({ range }, offered) => {
  if (range === offered) return 3;
  if (range.split("-", 1)[0] === offered) return 2;
  if (range === offered.split("-", 1)[0]) return 1;
  return range === "*" ? 0 : -1;
};
