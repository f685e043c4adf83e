import type { ChapterSource } from "./chapter.ts";
import { CHAPTER_LENGTH_MAX, CHAPTERS_MAX } from "./limits.ts";

/**
 * Reads the chapters of a folder: NN-title.md, in the order of their numbers, which are 1 and on.
 *
 * @param folder Where they are, with a slash at its end
 * @param shown What problems call the folder
 * @throws {Error} If there are none, one is too long, or a number is missing
 */
export async function readChapters(folder: URL, shown: string): Promise<ChapterSource[]> {
  const chapters: ChapterSource[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const [, number, id] = name.match(/^(\d\d)-([a-z0-9-]+)\.md$/) ?? [];
    if (!isFile || number === undefined) continue;
    const markdown = await Deno.readTextFile(new URL(name, folder));
    if (markdown.length > CHAPTER_LENGTH_MAX) {
      throw new RangeError(
        `${shown}/${name} has ${markdown.length} characters; ${CHAPTER_LENGTH_MAX} are a chapter`,
      );
    }
    chapters.push({ file: `${shown}/${name}`, number: Number(number), id, markdown });
  }
  chapters.sort((a, b) => a.number - b.number);
  if (chapters.length === 0 || chapters.length > CHAPTERS_MAX) {
    throw new RangeError(
      `${shown} has ${chapters.length} chapters NN-title.md, not 1 to ${CHAPTERS_MAX}`,
    );
  }
  chapters.forEach(({ file, number }, i) => {
    if (number !== i + 1) throw new Error(`${file} should be chapter ${i + 1}: rename it`);
  });
  return chapters;
}
