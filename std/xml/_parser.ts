import { SaxesParser } from "saxes";
import {
  type ParseStreamOptions,
  type XmlAttributeIterator,
  type XmlEventCallbacks,
  XmlSyntaxError,
} from "./types.ts";

/**
 * What this file uses of saxes 6.0.0 beyond its public interface, which is why that version is pinned. saxes is a table
 * of states, each a method that reads from `chunk` at `i`; we put other methods in four places of the table.
 */
interface SaxesInternals {
  /** The methods of the states. */
  readonly stateTable: ((this: SaxesInternals) => void)[];
  /** The index of the current state. */
  state: number;
  /** The text being read, and how far it has been read. */
  readonly chunk: string;
  i: number;
  /** Where the reading is: the line from 1, characters of it that were read, code units read in all. */
  readonly line: number;
  column: number;
  readonly position: number;
  /** Called with each attribute; saxes' own collects them in a dictionary, at half of its time. */
  pushAttrib: (name: string, value: string) => void;
}

/** Indices into the state table: after `<!DOCTYPE`, in text, after `<`, before an attribute, after its closing quote. */
const DOCTYPE = 2, TEXT = 13, MARKUP = 15, ATTRIBUTE = 36, ATTRIBUTE_END = 41;

const SPACE = 0x20, QUOTE = 0x22, AMPERSAND = 0x26, LESS = 0x3c, EQUALS = 0x3d, SURROGATES = 0xd800;

/** The ASCII characters of names: 1 for those that may start one, 2 for the others, 0 for all else. */
const NAME_CHARACTERS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /[A-Za-z_]/.test(character) ? 1 : /[-.:0-9]/.test(character) ? 2 : 0;
});

/** From how many attributes on a duplicate is looked up in a set, so that hostile tags don't take quadratic time. */
const LINEAR_SEARCH_MAX = 32;

/** The attributes of the current element. The arrays keep what they held for the elements before, beyond `count`. */
class Attributes implements XmlAttributeIterator {
  readonly names: string[] = [];
  readonly values: string[] = [];
  count = 0;
  /** How many of `names`, those left over included, are known to be different from each other. */
  distinct = 0;
  #seen = new Set<string>();

  constructor(readonly countMax: number, readonly fail: (message: string) => never) {}

  /** Adds an attribute, after a look at whether the element has it already. */
  add(name: string, value: string): void {
    const { names, count } = this;
    if (count < LINEAR_SEARCH_MAX) {
      for (let index = 0; index < count; index++) if (names[index] === name) this.#failTwice(name);
      this.distinct = count + 1;
    } else {
      if (count === LINEAR_SEARCH_MAX) this.#seen = new Set(names.slice(0, count));
      if (this.#seen.has(name)) this.#failTwice(name);
      this.#seen.add(name);
    }
    names[count] = name;
    this.addNext(value);
  }

  /** Adds an attribute whose name stands at its place already; below `distinct` it can't be a duplicate. */
  addNext(value: string): void {
    if (this.count >= this.countMax) this.fail(`an element has over ${this.countMax} attributes`);
    this.values[this.count++] = value;
  }

  #failTwice(name: string): never {
    return this.fail(`duplicate attribute: ${name}`);
  }

  getName(index: number): string {
    return this.names[index];
  }

  getValue(index: number): string {
    return this.values[index];
  }

  getColonIndex(index: number): number {
    return this.names[index].indexOf(":");
  }

  getUri(_index: number): undefined {
    return undefined;
  }
}

/** A parser: text is written to it in chunks cut anywhere, then it is closed. */
export interface Parser {
  /** Reads a chunk, and calls the callbacks for what it completes. Throws XmlSyntaxError; then the parser is done for. */
  write(chunk: string): unknown;
  /** Says that the document ends here. Throws XmlSyntaxError if it is not complete. */
  close(): unknown;
}

/** Makes a parser that is strict, and calls the callbacks synchronously. */
export function createParser(callbacks: XmlEventCallbacks, options: ParseStreamOptions): Parser {
  const {
    ignoreWhitespace = false,
    ignoreComments = false,
    trackPosition = false,
    disallowDoctype = true,
    maxDepth = Infinity,
    maxAttributes = Infinity,
    ignoreProcessingInstructions = false,
    coerceCDataToText = false,
  } = options;
  // An XML 1.1 declaration does not change the rules: those are 1.0's, as in the real package.
  const saxes = new SaxesParser({
    position: false,
    forceXMLVersion: true,
    defaultXMLVersion: "1.0",
  });
  const internals = saxes as unknown as SaxesInternals;
  let depth = 0;
  // Where the markup or text that is being read began; stays 0 unless positions are tracked.
  let line = 0, column = 0, offset = 0;

  const fail = (message: string): never => {
    throw new XmlSyntaxError(message, { line, column, offset });
  };

  saxes.on("error", ({ message }) => {
    if (trackPosition) {
      ({ line, column } = internals);
      offset = Math.max(0, internals.position - 1); // the character that it stumbled over has been read
    }
    fail(message.replace(/\.$/, ""));
  });
  if (disallowDoctype) {
    internals.stateTable[DOCTYPE] = () => fail("a DOCTYPE is not allowed");
  }
  const attributes = new Attributes(maxAttributes, fail);
  internals.pushAttrib = (name, value) => attributes.add(name, value);
  readPlainAttributes(internals, attributes);

  saxes.on("opentag", ({ name, isSelfClosing }) => {
    if (++depth > maxDepth) fail(`elements are nested over ${maxDepth} deep`);
    callbacks.onStartElement?.(
      name,
      name.indexOf(":"),
      undefined,
      attributes,
      isSelfClosing,
      line,
      column,
      offset,
    );
    attributes.count = 0;
  });
  saxes.on("closetag", ({ name }) => {
    depth--;
    callbacks.onEndElement?.(name, name.indexOf(":"), undefined, line, column, offset);
  });
  // Handlers that nobody needs are not set: saxes then does not cut out their text.
  if (callbacks.onText) {
    saxes.on("text", (text) => {
      // Outside of the root there is nothing but white space, which is not part of the document's content.
      if (depth === 0 || ignoreWhitespace && !/[^ \t\r\n]/.test(text)) return;
      callbacks.onText!(text, line, column, offset);
    });
  }
  if (coerceCDataToText ? callbacks.onText : callbacks.onCData) {
    saxes.on("cdata", (content) => {
      if (coerceCDataToText) callbacks.onText!(content, line, column, offset);
      else callbacks.onCData!(content, line, column, offset);
    });
  }
  if (callbacks.onComment && !ignoreComments) {
    saxes.on("comment", (content) => callbacks.onComment!(content, line, column, offset));
  }
  if (callbacks.onProcessingInstruction && !ignoreProcessingInstructions) {
    saxes.on("processinginstruction", ({ target, body }) => {
      callbacks.onProcessingInstruction!(target, body, line, column, offset);
    });
  }
  if (callbacks.onDeclaration) {
    saxes.on("xmldecl", ({ version, encoding, standalone }) => {
      const alone = standalone as "yes" | "no" | undefined; // saxes has refused anything else
      callbacks.onDeclaration!(version!, encoding, alone, line, column, offset);
    });
  }
  if (!disallowDoctype) {
    saxes.on("doctype", (text) => {
      const { name, publicId, systemId } = readDoctype(text) ?? fail("malformed DOCTYPE");
      callbacks.onDoctype?.(name, publicId, systemId, line, column, offset);
    });
  }

  if (trackPosition) {
    let inText = false;
    const readText = internals.stateTable[TEXT], readMarkup = internals.stateTable[MARKUP];
    internals.stateTable[TEXT] = function () {
      // Called again for the same text after an entity, and where a chunk ends.
      if (!inText) [line, column, offset] = [this.line, this.column + 1, this.position];
      inText = true;
      readText.call(this);
    };
    internals.stateTable[MARKUP] = function () {
      [line, column, offset] = [this.line, this.column, this.position - 1];
      inText = false;
      readMarkup.call(this);
    };
  }
  return saxes;
}

/**
 * Reads attributes that are plain in one go: a space, an ASCII name, `="`, and a value in the same chunk without
 * entities, line breaks and surrogates. Everything else, and every error, is left to saxes, a character at a time.
 * A feed of 25 MB, its attributes copied: 175 MB/s with this, 138 without, 85 by saxes with its own `pushAttrib`.
 */
function readPlainAttributes(internals: SaxesInternals, attributes: Attributes): void {
  const { names } = attributes;
  const readAttribute = internals.stateTable[ATTRIBUTE];
  internals.stateTable[ATTRIBUTE] = function () {
    const { chunk, i: first } = this;
    let end = first; // behind the last attribute that was read; beyond the chunk, charCodeAt gives NaN and nothing fits
    do {
      let index = end;
      while (chunk.charCodeAt(index) === SPACE) index++;
      const start = index;
      let code: number;
      // Most elements have the attributes of the one before: its names are then used again, without being cut out.
      const { count } = attributes;
      const isNext = count < attributes.distinct && chunk.startsWith(names[count], start) &&
        chunk.charCodeAt(start + names[count].length) === EQUALS;
      if (isNext) {
        index += names[count].length;
      } else {
        code = chunk.charCodeAt(index);
        if (!(code < 128) || NAME_CHARACTERS[code] !== 1) break;
        do code = chunk.charCodeAt(++index); while (code < 128 && NAME_CHARACTERS[code] > 0);
        if (code !== EQUALS) break;
      }
      const nameEnd = index;
      if (chunk.charCodeAt(++index) !== QUOTE) break;
      const valueStart = ++index;
      while (
        (code = chunk.charCodeAt(index)) >= SPACE && code !== QUOTE && code !== AMPERSAND &&
        code !== LESS && code < SURROGATES
      ) index++;
      if (code !== QUOTE) break;
      const value = chunk.slice(valueStart, index);
      if (isNext) attributes.addNext(value);
      else attributes.add(chunk.slice(start, nameEnd), value);
      end = index + 1;
    } while (chunk.charCodeAt(end) === SPACE);
    if (end === first) return readAttribute.call(this);
    this.column += end - first;
    this.i = end;
    this.state = ATTRIBUTE_END;
  };
}

const DOCTYPE_CONTENT =
  /^\s+([^\s["'<>]+)(?:\s+(?:PUBLIC\s+("[^"]*"|'[^']*')\s+|SYSTEM\s+)("[^"]*"|'[^']*'))?\s*(?:\[.*\]\s*)?$/s;

function readDoctype(text: string) {
  const [, name, publicId, systemId] = DOCTYPE_CONTENT.exec(text) ?? [];
  return name && { name, publicId: publicId?.slice(1, -1), systemId: systemId?.slice(1, -1) } ||
    null;
}
