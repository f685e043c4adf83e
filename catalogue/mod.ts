/**
 * The read model. Every version of the store becomes an {@linkcode Edition}: its visible events, sorted and rendered
 * once, in memory outside the JavaScript heap, so that the answer to a search is a list of slices. A builder, in a
 * thread of its own where there are threads, makes the next edition beside the current one; {@linkcode Catalogue} swaps
 * them, and gives memory back when nobody reads it any more. What an edition answers equals `search` of the domain,
 * byte for byte.
 *
 * @module
 */
export * from "./answer_stream.ts";
export * from "./builder.ts";
export * from "./builder_thread.ts";
export * from "./catalogue.ts";
export * from "./cursor.ts";
export * from "./edition.ts";
export * from "./edition_descriptor.ts";
export * from "./gather_list.ts";
export * from "./memory.ts";
