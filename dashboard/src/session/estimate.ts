import type { Row } from "./rows";
import { textOf } from "./summaries";

const LINE_PX = 33;
const BODY_LINE_PX = 21;
/** Longer texts are folded. */
const MOST_LINES = 42;
const CHARACTERS_A_LINE = 90;

/** About how high a row will be, in px, until it has been drawn and measured. */
export function estimate(row: Row | undefined, open: boolean): number {
  if (row === undefined || !open) return LINE_PX;
  const { item } = row;
  if (item.kind !== "prompt" && item.kind !== "answer") return LINE_PX + 6 * BODY_LINE_PX;
  const text = textOf(item.event);
  const breaks = text.slice(0, 8000).split("\n").length - 1;
  const lines = Math.min(MOST_LINES, 1 + breaks + Math.ceil(text.length / CHARACTERS_A_LINE));
  return LINE_PX + 12 + lines * BODY_LINE_PX;
}
