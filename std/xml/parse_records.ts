import { checkSurrogates, decodeUtf8 } from "./_chunks.ts";
import { createParser } from "./_parser.ts";
import type { ParseStreamOptions, XmlEventCallbacks } from "./types.ts";

/**
 * Reads an XML document from chunks of text, and yields the records that the callbacks put together. At most the records
 * of one chunk are held: they are yielded before the next chunk is pulled. The source is closed however the reading ends,
 * also when the consumer stops early.
 *
 * @typeParam T What a record is
 * @param source The document, cut anywhere
 * @param createCallbacks Called once, with the function that takes a complete record; returns the callbacks
 * @param options See {@linkcode ParseStreamOptions}
 * @throws {XmlSyntaxError} If the document is not well-formed, or not allowed by the options; the records of the chunk with
 * the error are dropped
 *
 * @example
 * ```ts
 * import { parseXmlRecords } from "@std/xml";
 * import { assertEquals } from "@std/assert";
 *
 * const source = ReadableStream.from([`<feed><item id="1"/><it`, `em id="2"/></feed>`]);
 * const records = parseXmlRecords<string>(source, (emit) => ({
 *   onStartElement: (name, _colon, _uri, attributes) => {
 *     if (name === "item") emit(attributes.getValue(0));
 *   },
 * }));
 * assertEquals(await Array.fromAsync(records), ["1", "2"]);
 * ```
 */
export async function* parseXmlRecords<T>(
  source: AsyncIterable<string>,
  createCallbacks: (emit: (record: T) => void) => XmlEventCallbacks,
  options: ParseStreamOptions = {},
): AsyncGenerator<T> {
  yield* readRecords(checkSurrogates(source), createCallbacks, options);
}

/**
 * Reads an XML document from chunks of UTF-8, and yields records, else like {@linkcode parseXmlRecords}. The encoding
 * that the document declares is not looked at.
 *
 * @typeParam T What a record is
 * @param source The document, cut anywhere
 * @param createCallbacks Called once, with the function that takes a complete record; returns the callbacks
 * @param options See {@linkcode ParseStreamOptions}
 * @throws {XmlSyntaxError} As parseXmlRecords does, and if the bytes are not UTF-8
 *
 * @example
 * ```ts
 * import { parseXmlRecordsFromBytes } from "@std/xml";
 * import { assertEquals } from "@std/assert";
 *
 * const source = new Blob(["<feed><item>Tosca</item><item>Aida</item></feed>"]).stream();
 * const records = parseXmlRecordsFromBytes<string>(source, (emit) => ({ onText: emit }));
 * assertEquals(await Array.fromAsync(records), ["Tosca", "Aida"]);
 * ```
 */
export function parseXmlRecordsFromBytes<T>(
  source: AsyncIterable<Uint8Array>,
  createCallbacks: (emit: (record: T) => void) => XmlEventCallbacks,
  options: ParseStreamOptions = {},
): AsyncGenerator<T> {
  return readRecords(decodeUtf8(source), createCallbacks, options);
}

async function* readRecords<T>(
  chunks: AsyncIterable<string>,
  createCallbacks: (emit: (record: T) => void) => XmlEventCallbacks,
  options: ParseStreamOptions,
): AsyncGenerator<T> {
  const records: T[] = [];
  const parser = createParser(createCallbacks((record) => void records.push(record)), options);
  for await (const chunk of chunks) {
    parser.write(chunk);
    for (const record of records) yield record;
    records.length = 0;
  }
  parser.close();
  for (const record of records) yield record;
}
