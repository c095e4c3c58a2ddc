import { diffArrays, diffWordsWithSpace } from "diff";

/** A piece of a line; `changed` where a word differs from its counterpart. */
export type Part = { text: string; changed: boolean };

/** A line of the difference, with its numbers in the two texts, counted from 1. */
export type DiffLine =
  | { kind: "same"; before: number; after: number; parts: Part[] }
  | { kind: "removed"; before: number; after: null; parts: Part[] }
  | { kind: "added"; before: null; after: number; parts: Part[] };

/** Lines in a row that are shown, or that are the same in both and folded away. */
export type DiffBlock = { folded: boolean; lines: DiffLine[] };

export type DiffModel = {
  blocks: DiffBlock[];
  added: number;
  removed: number;
  /** What differs only in how the text ends, which lines don't show. */
  endNote: string | null;
};

/** Beyond these the two texts are too much, or too different, for a comparison while somebody waits. */
const MOST_CHARACTERS = 1_000_000;
const MOST_LINES = 20_000;
const MOST_EDITS = 2_000;
/** Words are compared in lines up to this length, in characters, and in this many pairs of lines. */
const LONGEST_LINE = 1_000;
const MOST_PAIRS = 400;
/** Of two lines with less in common, words that happen to be in both say nothing. */
const LEAST_IN_COMMON = 0.3;
/** Unchanged lines that are shown around a change. */
const CONTEXT = 3;
/** Fewer lines than this are not worth folding. */
const LEAST_FOLDED = 4;

/** The difference, line by line; null where the texts are too large or too different. */
export function diffOf(before: string, after: string): DiffModel | null {
  if (before.length + after.length > MOST_CHARACTERS) return null;
  const old = linesOf(before);
  const now = linesOf(after);
  if (old.length + now.length > MOST_LINES) return null;
  const changes = diffArrays(old, now, { maxEditLength: MOST_EDITS });
  if (changes === undefined) return null;
  const lines: DiffLine[] = [];
  let oldAt = 0;
  let newAt = 0;
  let added = 0;
  let removed = 0;
  for (const change of changes) {
    for (const text of change.value) {
      const parts = [{ text, changed: false }];
      if (change.added) lines.push({ kind: "added", before: null, after: ++newAt, parts });
      else if (change.removed) lines.push({ kind: "removed", before: ++oldAt, after: null, parts });
      else lines.push({ kind: "same", before: ++oldAt, after: ++newAt, parts });
    }
    if (change.added) added += change.value.length;
    if (change.removed) removed += change.value.length;
  }
  markWords(lines);
  return { blocks: foldedBlocks(lines), added, removed, endNote: endNoteOf(before, after) };
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

function endNoteOf(before: string, after: string): string | null {
  if (before === "" || after === "" || before.endsWith("\n") === after.endsWith("\n")) return null;
  return after.endsWith("\n") ? "A newline was added at the end." : "The newline at the end was removed.";
}

/** Where lines were replaced by as many others, marks the words that differ in each pair. */
function markWords(lines: DiffLine[]): void {
  let pairs = 0;
  for (let at = 0; at < lines.length; ) {
    const removedEnd = runEnd(lines, at, "removed");
    const addedEnd = runEnd(lines, removedEnd, "added");
    const count = removedEnd - at;
    if (count > 0 && count === addedEnd - removedEnd) {
      for (let index = 0; index < count && pairs < MOST_PAIRS; index += 1, pairs += 1) {
        const removed = lines[at + index];
        const added = lines[removedEnd + index];
        if (removed !== undefined && added !== undefined) markPair(removed, added);
      }
    }
    at = Math.max(addedEnd, at + 1);
  }
}

function runEnd(lines: readonly DiffLine[], from: number, kind: DiffLine["kind"]): number {
  let end = from;
  while (lines[end]?.kind === kind) end += 1;
  return end;
}

function markPair(removed: DiffLine, added: DiffLine): void {
  const old = removed.parts[0]?.text ?? "";
  const now = added.parts[0]?.text ?? "";
  if (old.length > LONGEST_LINE || now.length > LONGEST_LINE) return;
  const changes = diffWordsWithSpace(old, now);
  const common = changes.reduce((sum, one) => sum + (one.added || one.removed ? 0 : one.value.trim().length), 0);
  if (common < LEAST_IN_COMMON * Math.max(old.trim().length, now.trim().length)) return;
  removed.parts = changes.filter((one) => !one.added).map((one) => ({ text: one.value, changed: one.removed }));
  added.parts = changes.filter((one) => !one.removed).map((one) => ({ text: one.value, changed: one.added }));
}

function foldedBlocks(lines: readonly DiffLine[]): DiffBlock[] {
  const near = new Uint8Array(lines.length);
  lines.forEach((line, at) => {
    if (line.kind !== "same") near.fill(1, Math.max(at - CONTEXT, 0), at + CONTEXT + 1);
  });
  const blocks: DiffBlock[] = [];
  for (let at = 0; at < lines.length; ) {
    let end = at;
    while (end < lines.length && near[end] === near[at]) end += 1;
    const folded = near[at] === 0 && end - at >= LEAST_FOLDED;
    const last = blocks.at(-1);
    if (last !== undefined && last.folded === folded) last.lines.push(...lines.slice(at, end));
    else blocks.push({ folded, lines: lines.slice(at, end) });
    at = end;
  }
  return blocks;
}
