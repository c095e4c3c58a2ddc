/** The selection after a press on one checkbox: that row, or with shift all from the row pressed before to it. */
export function toggled(
  selected: ReadonlySet<string>,
  shown: readonly string[],
  id: string,
  anchor: string | null,
): ReadonlySet<string> {
  const next = new Set(selected);
  const select = !selected.has(id);
  const from = anchor === null ? -1 : shown.indexOf(anchor);
  const to = shown.indexOf(id);
  const range = from < 0 || to < 0 ? [id] : shown.slice(Math.min(from, to), Math.max(from, to) + 1);
  for (const one of range) {
    if (select) next.add(one);
    else next.delete(one);
  }
  return next;
}

/** The selected ones among what matches: what a filter hides is not acted upon. */
export const selectedAmong = (selected: ReadonlySet<string>, shown: readonly string[]): readonly string[] =>
  selected.size === 0 ? [] : shown.filter((id) => selected.has(id));
