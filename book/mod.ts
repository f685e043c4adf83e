/**
 * The performance book: chapters in Markdown whose numbers come from the samples of the benches, and one HTML page of
 * them that needs nothing else. What no run produced fails the build. docs/book/README.md says how it is written,
 * docs/decisions/0011-book.md why it is so.
 *
 * @module
 */
export { type Book, BookError, type BookOptions, buildBook } from "./build.ts";
export { type ChapterSource } from "./chapter.ts";
export { readChapters } from "./read_chapters.ts";
