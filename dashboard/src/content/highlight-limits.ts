/** What is longer is shown plain. In characters. */
const LONGEST = 50_000;
/** The highlighter's patterns take time with the square of a line, and in some languages of a stretch of mere words. */
const LONG_LINE = /.{2000}/;
const LONG_STRETCH = /[\w\s]{800}/;

/** Whether highlighting the text takes less than is felt, even where it was written to take long. */
export function isQuicklyHighlighted(text: string): boolean {
  return text.length <= LONGEST && !LONG_LINE.test(text) && !LONG_STRETCH.test(text);
}
