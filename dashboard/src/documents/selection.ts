/** The chosen documents: id to file name, which is needed where one of them fails. */
export type Selection = ReadonlyMap<string, string>;

type Named = { id: string; filename: string };

export const NOTHING: Selection = new Map();

export function withToggled(selection: Selection, document: Named): Selection {
  const next = new Map(selection);
  if (!next.delete(document.id)) next.set(document.id, document.filename);
  return next;
}

export function withAll(selection: Selection, documents: readonly Named[]): Selection {
  const next = new Map(selection);
  for (const { id, filename } of documents) next.set(id, filename);
  return next;
}

/** The selection without some ids; the same one when it has none of them. */
export function without(selection: Selection, ids: readonly string[]): Selection {
  if (!ids.some((id) => selection.has(id))) return selection;
  const next = new Map(selection);
  for (const id of ids) next.delete(id);
  return next;
}
