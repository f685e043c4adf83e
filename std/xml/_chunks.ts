import { XmlSyntaxError } from "./types.ts";

const NOWHERE = { line: 0, column: 0, offset: 0 };

/**
 * Decodes UTF-8 that may be cut anywhere; a byte order mark at the start is dropped.
 *
 * @throws {XmlSyntaxError} If the bytes are not UTF-8
 */
export async function* decodeUtf8(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw Object.assign(new XmlSyntaxError("the input is not valid UTF-8", NOWHERE), { cause });
    }
  };
  for await (const chunk of source) yield decode(chunk);
  yield decode();
}

/**
 * Passes text through whose surrogate pairs may be cut by the end of a chunk. (saxes lets a lone high surrogate pass.)
 *
 * @throws {XmlSyntaxError} If a surrogate is without its other half
 */
export async function* checkSurrogates(source: AsyncIterable<string>): AsyncGenerator<string> {
  let carried = "";
  const check = (text: string): string => {
    if (text.isWellFormed()) return text;
    throw new XmlSyntaxError("the input has a lone surrogate", NOWHERE);
  };
  for await (const chunk of source) {
    const text = carried + chunk;
    const last = text.charCodeAt(text.length - 1);
    const end = last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length;
    carried = text.slice(end);
    yield check(text.slice(0, end));
  }
  check(carried);
}
