import { checkSurrogates, decodeUtf8 } from "./_chunks.ts";
import { createParser } from "./_parser.ts";
import type { ParseStreamOptions, XmlEventCallbacks } from "./types.ts";

export type { ParseStreamOptions, XmlEventCallbacks } from "./types.ts";

/**
 * Reads an XML document from chunks of text, and calls the callbacks as it goes. Memory does not grow with the document,
 * only with its longest tag or text and its depth. The source is closed however the parsing ends.
 *
 * @param source The document, cut anywhere
 * @param callbacks What to call; those that are set when the parsing begins are called
 * @param options See {@linkcode ParseStreamOptions}
 * @throws {XmlSyntaxError} If the document is not well-formed, or not allowed by the options; what the callbacks were
 * given before is then not to be relied on
 *
 * @example
 * ```ts
 * import { parseXmlStream } from "@std/xml";
 * import { assertEquals } from "@std/assert";
 *
 * const names: string[] = [];
 * await parseXmlStream(ReadableStream.from(["<a><b", "/></a>"]), {
 *   onStartElement: (name) => names.push(name),
 * });
 * assertEquals(names, ["a", "b"]);
 * ```
 */
export async function parseXmlStream(
  source: AsyncIterable<string>,
  callbacks: XmlEventCallbacks,
  options: ParseStreamOptions = {},
): Promise<void> {
  await writeAll(checkSurrogates(source), callbacks, options);
}

/**
 * Reads an XML document from chunks of UTF-8, else like {@linkcode parseXmlStream}. The encoding that the document
 * declares is not looked at.
 *
 * @param source The document, cut anywhere
 * @param callbacks What to call
 * @param options See {@linkcode ParseStreamOptions}
 * @throws {XmlSyntaxError} As parseXmlStream does, and if the bytes are not UTF-8
 *
 * @example
 * ```ts
 * import { parseXmlStreamFromBytes } from "@std/xml";
 * import { assertEquals } from "@std/assert";
 *
 * const texts: string[] = [];
 * await parseXmlStreamFromBytes(new Blob(["<a>caf\u00e9</a>"]).stream(), {
 *   onText: (text) => texts.push(text),
 * });
 * assertEquals(texts, ["caf\u00e9"]);
 * ```
 */
export async function parseXmlStreamFromBytes(
  source: AsyncIterable<Uint8Array>,
  callbacks: XmlEventCallbacks,
  options: ParseStreamOptions = {},
): Promise<void> {
  await writeAll(decodeUtf8(source), callbacks, options);
}

async function writeAll(
  chunks: AsyncIterable<string>,
  callbacks: XmlEventCallbacks,
  options: ParseStreamOptions,
): Promise<void> {
  const parser = createParser(callbacks, options);
  for await (const chunk of chunks) parser.write(chunk);
  parser.close();
}
