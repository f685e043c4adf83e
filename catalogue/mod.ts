/**
 * The read model. Every version of the store becomes an {@linkcode Edition}: its visible events, sorted and rendered
 * once, so that the answer to a search is a list of slices. {@linkcode Catalogue} holds the current one and builds the
 * next beside it. What an edition answers equals `search` of the domain, byte for byte.
 *
 * @module
 */
export * from "./catalogue.ts";
export * from "./cursor.ts";
export * from "./edition.ts";
export * from "./search_answer.ts";
