/**
 * A small strict reader of the feed, for the tests of this folder: it shares nothing with the code
 * that renders, and refuses anything but tags, attributes and white space.
 *
 * @module
 */

/** An element: its attributes and the elements in it. */
export interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
}

const TAG = /\s*<(\/?)([\w-]+)((?:\s+[\w-]+="[^"<]*")*)\s*(\/?)>\s*/y;
const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"' };

/**
 * Reads a whole feed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const list = readFeed('<?xml version="1.0"?><planList><output a="&lt;"/></planList>');
 * assertEquals(list.children[0].attributes, { a: "<" });
 * ```
 *
 * @param xml The feed.
 * @returns Its root element.
 * @throws {SyntaxError} If it is not well-formed.
 */
export function readFeed(xml: string): Element {
  const declaration = xml.match(/^<\?xml [^?]*\?>/)?.[0] ?? "";
  const document: Element = { name: "", attributes: {}, children: [] };
  const open = [document];
  for (let at = declaration.length; at < xml.length;) {
    TAG.lastIndex = at;
    const match = TAG.exec(xml);
    if (!match) throw new SyntaxError(`unreadable at ${at}: ${xml.slice(at, at + 60)}`);
    at = TAG.lastIndex;
    const [, isEnd, name, attributes, isEmpty] = match;
    if (isEnd) {
      const element = open.pop();
      if (element?.name !== name) throw new SyntaxError(`</${name}> ends <${element?.name}>`);
      continue;
    }
    const element: Element = { name, attributes: readAttributes(attributes), children: [] };
    open.at(-1)?.children.push(element);
    if (!isEmpty) open.push(element);
  }
  if (open.length !== 1 || document.children.length !== 1) {
    throw new SyntaxError(`the feed ends inside <${open.at(-1)?.name}>`);
  }
  return document.children[0];
}

function readAttributes(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/([\w-]+)="([^"]*)"/g)) {
    if (Object.hasOwn(attributes, name)) throw new SyntaxError(`${name} twice`);
    attributes[name] = value.replace(/&(\w*;?)/g, (_, entity: string) => {
      const character = ENTITIES[entity.slice(0, -1)];
      if (!character || !entity.endsWith(";")) throw new SyntaxError(`bad entity &${entity}`);
      return character;
    });
  }
  return attributes;
}
