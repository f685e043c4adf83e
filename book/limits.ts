/** The bounds of a book, each with what happens at it: the build fails with its name. */

/** Chapters of a book. */
export const CHAPTERS_MAX = 40;
/** Characters of a chapter. */
export const CHAPTER_LENGTH_MAX = 200_000;
/** Rows of a table. */
export const TABLE_ROWS_MAX = 40;
/** Bars of a chart. */
export const BARS_MAX = 24;
/** Characters of a bar's label: so many are as wide as a phone. */
export const BAR_LABEL_LENGTH_MAX = 44;
/** Characters of a line's label, which stands beside its end. */
export const LINE_LABEL_LENGTH_MAX = 28;
/** More lines than these can't be told apart. */
export const LINES_MAX = 6;
/** Points of a line that are drawn and listed: of more, evenly chosen ones. */
export const LINE_POINTS_MAX = 120;
/** Problems that are listed; the rest are counted. */
export const PROBLEMS_LISTED = 100;
