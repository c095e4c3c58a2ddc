/** How deep quotes and lists may lie in one another; the parser's time and the call stack grow with it. */
const DEEPEST = 40;
const DEEPLY_NESTED = new RegExp(`^(?:[ \\t]*(?:>|[-*+](?=[ \\t])|\\d{1,9}[.)](?=[ \\t]))){${DEEPEST}}`, "m");

/** Whether no person would have nested this: it is shown as it is. */
export const isDeeplyNested = (text: string): boolean => DEEPLY_NESTED.test(text);

/** Where the first part of a long text ends: after a paragraph if possible, and never inside a fenced block. */
export function sliceEnd(text: string, from: number, size: number): number {
  if (text.length - from <= size) return text.length;
  const limit = from + size;
  let best = -1;
  let fence: string | null = null;
  let start = from;
  while (start < limit) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 || newline >= limit ? limit : newline;
    const line = text.slice(start, Math.min(end, start + 200));
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined) {
      if (fence === null) fence = mark;
      else if (mark.startsWith(fence)) fence = null;
    }
    start = end + 1;
    if (fence === null && line.trim() === "" && end < limit) best = start;
  }
  return best > from ? best : limit;
}
