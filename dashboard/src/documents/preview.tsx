import { lazy, Suspense, useCallback } from "react";

import type { DocumentInfo } from "@/wire/types";

import { useApi } from "./queries";

// What shows Markdown, code, tables and PDF is large, and a list of files needs none of it.
const DocumentPreview = lazy(async () => {
  const { DocumentPreview } = await import("@/content/document-preview");
  return { default: DocumentPreview };
});

/** What is in a document, as far as it can be shown. */
export function Preview({ document }: { document: DocumentInfo }) {
  const api = useApi();
  const { id } = document;
  const load = useCallback(
    (signal: AbortSignal, progress: (bytes: number) => void) => api.bytes(id, signal, progress),
    [api, id],
  );
  return (
    <Suspense fallback={<p className="text-muted">Loading …</p>}>
      <DocumentPreview
        contentType={document.content_type}
        filename={document.filename}
        size={document.size_bytes}
        load={load}
      />
    </Suspense>
  );
}
