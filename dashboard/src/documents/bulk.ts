import { ApiError } from "@/wire/client";

import { sameTags } from "./edits";
import { together } from "./tags";
import type { DocumentsApi } from "./wire";

/** What is done to many documents at once. */
export type BulkChange = { kind: "add-tags" | "remove-tags"; tags: readonly string[] } | { kind: "delete" };

/** A document as it was chosen. */
export type Chosen = { id: string; filename: string };

/** What became of one of them; `error` is null when it was done. */
export type Outcome = Chosen & { error: unknown };

const AT_ONCE = 6;
const ATTEMPTS = 5;

/** The tags after a change; null when it changes nothing. */
export function tagsAfter(change: BulkChange & { tags: readonly string[] }, tags: readonly string[]): string[] | null {
  const after = change.kind === "add-tags" ? together(tags, change.tags) : tags.filter((t) => !change.tags.includes(t));
  return sameTags(after, tags) ? null : after;
}

/** Does it to one document. Adding and removing go together with what others do meanwhile, so a conflict is no matter. */
export async function changeOne(
  api: Pick<DocumentsApi, "read" | "patch" | "remove">,
  change: BulkChange,
  id: string,
): Promise<void> {
  if (change.kind === "delete") {
    await api.remove(id).catch((error: unknown) => {
      // Somebody else was faster; what was wanted is so.
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    });
    return;
  }
  for (let attempt = 1; ; attempt += 1) {
    const { document, version } = await api.read(id);
    const tags = tagsAfter(change, document.tags);
    if (tags === null) return;
    try {
      await api.patch(id, { tags }, version);
      return;
    } catch (error) {
      const conflict = error instanceof ApiError && error.status === 412;
      if (!conflict || attempt === ATTEMPTS) throw error;
    }
  }
}

/**
 * Does it to all of them, a few at once, and says what became of each; one that fails does not keep the others.
 *
 * @param done is told of each as it ends.
 * @param signal ends it early: what has not been begun is left out of the outcomes.
 */
export async function changeAll(
  one: (chosen: Chosen) => Promise<void>,
  chosen: readonly Chosen[],
  done: (outcome: Outcome) => void,
  signal: AbortSignal,
  atOnce: number = AT_ONCE,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = chosen.values();
  const work = async () => {
    for (const next of waiting) {
      if (signal.aborted) return;
      const error = await one(next).then(
        () => null,
        (problem: unknown) => problem,
      );
      const outcome = { ...next, error };
      outcomes.push(outcome);
      done(outcome);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return outcomes;
}
