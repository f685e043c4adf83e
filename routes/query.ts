import { invalidParameter } from "./http_error.ts";
import type { QueryParameter, QueryParameters, QueryValues } from "./route.ts";

/**
 * Reads a query by its declared parameters. Unknown ones are ignored.
 *
 * @param raw The query as it came, without "?"
 * @throws {HttpError} 400, naming the parameter that is given twice or cannot be read
 *
 * @example
 * ```ts
 * import { parseQuery } from "./query.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const limit = { description: "", schema: {}, parse: Number };
 * assertEquals(parseQuery("limit=5&x=1", { limit }), { limit: 5 });
 * ```
 */
export function parseQuery<Q extends QueryParameters>(raw: string, parameters: Q): QueryValues<Q> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(parameters)) values[name] = null;
  const seen = new Set<string>();
  for (let from = 0; from < raw.length;) {
    let to = raw.indexOf("&", from);
    if (to < 0) to = raw.length;
    const pair = raw.slice(from, to);
    from = to + 1;
    const equals = pair.indexOf("=");
    const name = decodeQueryText(equals < 0 ? pair : pair.slice(0, equals));
    if (name === null || !Object.hasOwn(parameters, name)) continue;
    if (seen.has(name)) throw invalidParameter(name, "is given twice: give it once");
    seen.add(name);
    const text = decodeQueryText(equals < 0 ? "" : pair.slice(equals + 1));
    if (text === null) {
      throw invalidParameter(name, "has a percent sign that begins no UTF-8 byte: write %25 for %");
    }
    try {
      values[name] = parameters[name].parse(text);
    } catch (error) {
      throw invalidParameter(name, (error as Error).message);
    }
  }
  return values as QueryValues<Q>;
}

/** Decodes one name or value of a query; `null` when it is not percent-encoded UTF-8. */
export function decodeQueryText(text: string): string | null {
  if (!text.includes("%") && !text.includes("+")) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}

/** A whole number within bounds. */
export function wholeNumber(
  options: { minimum: number; maximum: number; description: string },
): QueryParameter<number> {
  const { minimum, maximum, description } = options;
  return {
    description,
    schema: { type: "integer", minimum, maximum },
    parse(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
      if (value >= minimum && value <= maximum) return value;
      throw new Error(
        `${JSON.stringify(text.slice(0, 64))} is no whole number from ${minimum} to ${maximum}`,
      );
    },
  };
}
