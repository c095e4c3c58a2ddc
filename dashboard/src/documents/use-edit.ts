import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { DocumentInfo } from "@/wire/types";

import { type Drafts, setDraft, useDraft } from "./drafts";
import { save } from "./edits";
import { documentQuery, refreshDocuments, useApi } from "./queries";
import type { Change, Versioned } from "./wire";

type EditOptions<T> = {
  current: Versioned;
  drafts: Drafts<T>;
  read: (document: DocumentInfo) => T;
  changeOf: (value: T) => Change;
};

/** Editing one field of a document in its place, with what others do to it meanwhile. */
export function useEdit<T>({ current, drafts, read, changeOf }: EditOptions<T>) {
  const api = useApi();
  const queries = useQueryClient();
  const { id } = current.document;
  const draft = useDraft(drafts, id);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [theirs, setTheirs] = useState<Versioned | null>(null);

  const end = () => {
    setDraft(drafts, id, null);
    setError(null);
    setTheirs(null);
  };
  const submit = async (base: Versioned, value: T) => {
    setBusy(true);
    setError(null);
    try {
      const saved = await save(api, base, changeOf(value));
      const known = saved.kind === "saved" ? saved.now : saved.theirs;
      queries.setQueryData(documentQuery(api, id).queryKey, known);
      if (saved.kind === "conflict") setTheirs(saved.theirs);
      else {
        end();
        void refreshDocuments(queries);
      }
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };

  return {
    draft: draft?.value ?? null,
    busy,
    error,
    /** The document as somebody else has left it, when they have changed the same field. */
    theirs,
    begin: () => setDraft(drafts, id, { value: read(current.document), base: current }),
    change: (value: T) => {
      if (draft !== null) setDraft(drafts, id, { ...draft, value });
    },
    cancel: end,
    save: () => {
      if (draft !== null && !busy) void submit(draft.base, draft.value);
    },
    takeTheirs: end,
    keepMine: () => {
      if (draft === null || theirs === null || busy) return;
      setTheirs(null);
      setDraft(drafts, id, { ...draft, base: theirs });
      void submit(theirs, draft.value);
    },
  };
}
