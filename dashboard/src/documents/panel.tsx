import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { Trash2, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";

import { useMayChange } from "@/app/backend";
import { ScrollRegion } from "@/content/scroll-region";
import { Button, IconButton } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { ConfirmDialog } from "@/ui/dialog";
import { ErrorNote } from "@/ui/error-note";
import { ApiError } from "@/wire/client";

import { DescriptionField } from "./description-field";
import { DownloadAction } from "./download-action";
import { Facts } from "./facts";
import { FileName } from "./file-name";
import { visibleName } from "./name";
import { Preview } from "./preview";
import { documentQuery, refreshDocuments, useApi } from "./queries";
import { TagsField } from "./tags-field";
import type { Versioned } from "./wire";

type PanelProps = { id: string; suggestions: readonly string[]; onClose: () => void };

/** The document that is open: what it holds, what is said of it, and what can be done with it. */
export function DocumentPanel({ id, suggestions, onClose }: PanelProps) {
  const api = useApi();
  const query = useQuery(documentQuery(api, id));
  const [details, setDetails] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const gone = query.error instanceof ApiError && query.error.status === 404;
  const name = query.data?.document.filename;

  // Whoever opened it by a link is led to it. Who goes through the list with j and k stays in the list.
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);

  return (
    <aside aria-label="Document" className="flex h-full min-w-0 flex-col bg-surface">
      <div className="flex items-center gap-1 border-b border-line py-1.5 pr-2 pl-4">
        <h2 ref={heading} tabIndex={-1} className="min-w-0 flex-1 font-semibold outline-none">
          {name === undefined ? gone ? "Deleted" : "Document" : <FileName name={name} />}
        </h2>
        {query.data !== undefined && !gone ? <Actions current={query.data} onDeleted={onClose} /> : null}
        <IconButton label="Close (Escape)" size="small" onClick={onClose}>
          <X className="size-4" aria-hidden />
        </IconButton>
      </div>
      {gone ? (
        <div className="flex flex-col items-start gap-3 p-4">
          <ErrorNote error={query.error} />
          <p className="text-muted">It was deleted, or the link is not right.</p>
          <Button onClick={onClose}>Close</Button>
        </div>
      ) : query.data === undefined ? (
        <div className="p-4">
          {query.error === null ? (
            <p className="text-muted">Loading …</p>
          ) : (
            <ErrorNote error={query.error} onRetry={() => void query.refetch()} />
          )}
        </div>
      ) : (
        <Content
          key={id}
          current={query.data}
          suggestions={suggestions}
          details={details}
          onDetails={() => setDetails(!details)}
        />
      )}
    </aside>
  );
}

type ContentProps = {
  current: Versioned;
  suggestions: readonly string[];
  /** Whether the details are unfolded; they stay so from one document to the next. */
  details: boolean;
  onDetails: () => void;
};

function Content({ current, suggestions, details, onDetails }: ContentProps) {
  const { document } = current;
  return (
    <ScrollRegion label="Details and preview" className="min-h-0 flex-1 overflow-auto">
      <div className="flex flex-col gap-4 p-4">
        <TagsField current={current} suggestions={suggestions} />
        <DescriptionField current={current} />
        <Facts document={document} open={details} onToggle={onDetails} />
        <section className="flex min-w-0 flex-col gap-2 border-t border-line pt-3">
          <h3 className="text-xs font-medium text-muted">Preview</h3>
          <Preview document={document} />
        </section>
      </div>
    </ScrollRegion>
  );
}

function Actions({ current, onDeleted }: { current: Versioned; onDeleted: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const router = useRouter();
  const mayChange = useMayChange();
  const [asking, setAsking] = useState(false);
  const { id, filename } = current.document;
  const link = () => {
    const { href } = router.buildLocation({ to: "/documents", search: { doc: id } });
    return new URL(router.history.createHref(href), window.location.href).toString();
  };
  return (
    <>
      <CopyButton label="Copy a link to this document" text={link} />
      <DownloadAction document={current.document} />
      {mayChange ? (
        <IconButton label="Delete" size="small" onClick={() => setAsking(true)}>
          <Trash2 className="size-4" aria-hidden />
        </IconButton>
      ) : null}
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title="Delete this document?"
        description={`${visibleName(filename)} is deleted for everybody, and can't be brought back.`}
        action="Delete"
        onConfirm={async () => {
          await api.remove(id);
          onDeleted();
          void refreshDocuments(queries);
        }}
      />
    </>
  );
}
