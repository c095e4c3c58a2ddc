import { ApiError } from "@/wire/client";
import type { DocumentInfo } from "@/wire/types";

import type { Change, DocumentsApi, Versioned } from "./wire";

/** What became of a change: it is made, or somebody else has changed the same thing meanwhile. */
export type Saved = { kind: "saved"; now: Versioned } | { kind: "conflict"; theirs: Versioned };

/** So often a change is tried again because something else of the document has changed. */
const ATTEMPTS = 5;
const CHANGED_MEANWHILE = 412;

export const descriptionOf = (document: DocumentInfo): string => document.metadata.description ?? "";

export const sameTags = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((tag, index) => tag === other[index]);

/**
 * Makes a change to a document as it was when the change was begun.
 *
 * If others have changed something else of it meanwhile, both changes stand: a change touches only what it names. If
 * they have changed the same thing to something else, it is for a person to decide.
 *
 * @param base the document that the person has seen.
 */
export async function save(api: Pick<DocumentsApi, "patch" | "read">, base: Versioned, change: Change): Promise<Saved> {
  const { id } = base.document;
  let seen = base;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { kind: "saved", now: await api.patch(id, change, seen.version) };
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== CHANGED_MEANWHILE) throw error;
    }
    const theirs = await api.read(id);
    if (isAlready(theirs.document, change)) return { kind: "saved", now: theirs };
    if (attempt === ATTEMPTS || touchesSame(base.document, theirs.document, change))
      return { kind: "conflict", theirs };
    seen = theirs;
  }
}

function isAlready(document: DocumentInfo, change: Change): boolean {
  return (
    (change.tags === undefined || sameTags(change.tags, document.tags)) &&
    (change.description === undefined || (change.description ?? "") === descriptionOf(document))
  );
}

function touchesSame(base: DocumentInfo, theirs: DocumentInfo, change: Change): boolean {
  return (
    (change.tags !== undefined && !sameTags(base.tags, theirs.tags)) ||
    (change.description !== undefined && descriptionOf(base) !== descriptionOf(theirs))
  );
}

/**
 * What the server has against a field, in its words (and without those that its validator puts before them); undefined
 * when it speaks of something else.
 */
export function problemWith(field: "tags" | "description", error: unknown): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const problems = error.fields.filter((problem) => problem.loc.includes(field));
  return problems.length > 0 ? problems.map(({ msg }) => msg).join("; ") : undefined;
}
