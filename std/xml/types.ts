/**
 * The types of the streaming parser, and the error that it throws.
 *
 * @module
 */

/** A place in a document. All three are 0 where positions are not tracked. */
export interface XmlPosition {
  /** Line, from 1. */
  readonly line: number;
  /** Column, from 1, in characters. */
  readonly column: number;
  /** Offset from the start of the text, from 0, in UTF-16 code units. */
  readonly offset: number;
}

/**
 * Thrown when a document is not well-formed, or goes beyond what the options allow.
 *
 * @example
 * ```ts
 * import { XmlSyntaxError } from "@std/xml";
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 *
 * const error = new XmlSyntaxError("unexpected end", { line: 3, column: 7, offset: 40 });
 * assertInstanceOf(error, SyntaxError);
 * assertEquals(error.message, "unexpected end at line 3, column 7");
 * ```
 */
export class XmlSyntaxError extends SyntaxError implements XmlPosition {
  /** Line of the error, from 1; 0 without position tracking. */
  readonly line: number;
  /** Column of the error, from 1; 0 without position tracking. */
  readonly column: number;
  /** Offset of the error, in UTF-16 code units; 0 without position tracking. */
  readonly offset: number;

  /** Makes the error; the position, where known, becomes part of the message. */
  constructor(message: string, position: XmlPosition) {
    const { line, column, offset } = position;
    super(line > 0 ? `${message} at line ${line}, column ${column}` : message);
    this.name = "XmlSyntaxError";
    this.line = line;
    this.column = column;
    this.offset = offset;
  }
}

/** The options of every parser of the package. */
export interface BaseParseOptions {
  /**
   * Leaves out texts of nothing but white space.
   *
   * @default {false}
   */
  readonly ignoreWhitespace?: boolean;
  /**
   * Leaves out comments.
   *
   * @default {false}
   */
  readonly ignoreComments?: boolean;
  /**
   * Gives callbacks and errors their line, column and offset, which are 0 otherwise.
   *
   * @default {false}
   */
  readonly trackPosition?: boolean;
  /**
   * Refuses a DOCTYPE as soon as it begins. Allowed or not, its entities are never expanded.
   *
   * @default {true}
   */
  readonly disallowDoctype?: boolean;
  /**
   * How deep elements may be nested; the root is at depth 1.
   *
   * @default {Infinity}
   */
  readonly maxDepth?: number;
  /**
   * How many attributes an element may have.
   *
   * @default {Infinity}
   */
  readonly maxAttributes?: number;
}

/** The options of the streaming parsers. */
export interface ParseStreamOptions extends BaseParseOptions {
  /**
   * Leaves out processing instructions.
   *
   * @default {false}
   */
  readonly ignoreProcessingInstructions?: boolean;
  /**
   * Hands CDATA sections to `onText`.
   *
   * @default {false}
   */
  readonly coerceCDataToText?: boolean;
}

/** Called with the XML declaration. */
export type XmlDeclarationCallback = (
  version: string,
  encoding: string | undefined,
  standalone: "yes" | "no" | undefined,
  line: number,
  column: number,
  offset: number,
) => void;

/** Called with the DOCTYPE, where one is allowed. */
export type XmlDoctypeCallback = (
  name: string,
  publicId: string | undefined,
  systemId: string | undefined,
  line: number,
  column: number,
  offset: number,
) => void;

/** Called with a text, a CDATA section or a comment. */
export type XmlContentCallback = (
  content: string,
  line: number,
  column: number,
  offset: number,
) => void;

/** Called with a processing instruction. */
export type XmlProcessingInstructionCallback = (
  target: string,
  content: string,
  line: number,
  column: number,
  offset: number,
) => void;

/** The attributes of an element, by index. Valid only during the callback: the next element reuses it. */
export interface XmlAttributeIterator {
  /** How many there are. */
  readonly count: number;
  /** The qualified name, as written. */
  getName(index: number): string;
  /** The value, entities decoded. */
  getValue(index: number): string;
  /** Where the colon of the name is, -1 without one. */
  getColonIndex(index: number): number;
  /** Always undefined in this stand-in, see the module's description. */
  getUri(index: number): string | undefined;
}

/** What is called while a document is read, in the document's order. What a callback throws ends the parsing. */
export interface XmlEventCallbacks {
  /** Called with the XML declaration. */
  onDeclaration?: XmlDeclarationCallback;
  /** Called with the DOCTYPE, where one is allowed. */
  onDoctype?: XmlDoctypeCallback;
  /** Called with a start tag or an empty-element tag; the position is that of its `<`. */
  onStartElement?(
    name: string,
    colonIndex: number,
    uri: string | undefined,
    attributes: XmlAttributeIterator,
    selfClosing: boolean,
    line: number,
    column: number,
    offset: number,
  ): void;
  /** Called with an end tag, and also after `onStartElement` for an empty-element tag. */
  onEndElement?(
    name: string,
    colonIndex: number,
    uri: string | undefined,
    line: number,
    column: number,
    offset: number,
  ): void;
  /** Called with a text inside the root element, entities decoded. */
  onText?: XmlContentCallback;
  /** Called with a CDATA section. */
  onCData?: XmlContentCallback;
  /** Called with a comment. */
  onComment?: XmlContentCallback;
  /** Called with a processing instruction. */
  onProcessingInstruction?: XmlProcessingInstructionCallback;
}
