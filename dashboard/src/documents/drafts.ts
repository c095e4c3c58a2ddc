import { useStore } from "zustand";
import { createStore, type StoreApi } from "zustand/vanilla";

import type { Versioned } from "./wire";

/** A value that somebody has begun to edit, and the document as it was then. */
export type Draft<T> = { value: T; base: Versioned };

/** Drafts by document id. They outlive the panel: going to the next document must not cost what was typed. */
export type Drafts<T> = StoreApi<ReadonlyMap<string, Draft<T>>>;

export const createDrafts = <T>(): Drafts<T> => createStore<ReadonlyMap<string, Draft<T>>>(() => new Map());

export const useDraft = <T>(drafts: Drafts<T>, id: string): Draft<T> | null =>
  useStore(drafts, (all) => all.get(id) ?? null);

/** Keeps a draft; null forgets it. */
export function setDraft<T>(drafts: Drafts<T>, id: string, draft: Draft<T> | null): void {
  const next = new Map(drafts.getState());
  if (draft === null) next.delete(id);
  else next.set(id, draft);
  drafts.setState(next, true);
}
