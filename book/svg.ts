/** Text as it may stand in HTML and SVG, attributes included. */
export function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** About how wide a text is, of the height of its letters: bold letters of a wide sans-serif face, on the safe side. */
const LETTER_WIDTH = 0.62;

/** About how many units of the drawing a text is wide. */
export function textWidth(text: string, size: number): number {
  return text.length * size * LETTER_WIDTH;
}

/** A place in a drawing, short in the file. */
export function place(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Text at a place. */
export function drawText(
  x: number,
  y: number,
  text: string,
  classes = "",
  anchor: "start" | "middle" | "end" = "start",
): string {
  const anchored = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  const classed = classes === "" ? "" : ` class="${classes}"`;
  return `<text x="${place(x)}" y="${place(y)}"${anchored}${classed}>${escapeText(text)}</text>`;
}

/** A straight line. */
export function drawLine(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map(place);
  return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" class="${classes}"/>`;
}

/** A drawing as a picture with a title and a description for those who do not see it. */
export function drawing(
  { id, width, height, title, description, body }: {
    /** Unique in the page. */
    id: string;
    width: number;
    height: number;
    title: string;
    description: string;
    body: string;
  },
): string {
  return `<svg role="img" viewBox="0 0 ${place(width)} ${
    place(height)
  }" aria-labelledby="${id}-title ${id}-description"><title id="${id}-title">${
    escapeText(title)
  }</title><desc id="${id}-description">${escapeText(description)}</desc>${body}</svg>`;
}
