import { Tag, Trash2, X } from "lucide-react";
import { useState } from "react";

import { whole } from "@/format/numbers";
import { Button, IconButton } from "@/ui/button";

import { BulkDialog, type BulkKind } from "./bulk-dialog";
import type { Selection } from "./selection";

type BulkBarProps = {
  selection: Selection;
  total: number;
  suggestions: readonly string[];
  onAll: () => void;
  onClear: () => void;
  onDone: (ids: string[]) => void;
};

/** What can be done to the chosen documents. */
export function BulkBar({ selection, total, suggestions, onAll, onClear, onDone }: BulkBarProps) {
  const [kind, setKind] = useState<BulkKind | null>(null);
  const count = selection.size;
  if (count === 0 && kind === null) return null;
  return (
    <section
      aria-label="Selected documents"
      className="flex flex-wrap items-center gap-1.5 rounded-md bg-accent-soft px-2 py-1"
    >
      <IconButton label="Select none (Escape)" size="small" onClick={onClear}>
        <X className="size-4" aria-hidden />
      </IconButton>
      <span role="status" className="mr-1 text-sm font-medium tabular-nums">
        {whole(count)} selected
      </span>
      {count < total ? (
        <Button size="small" look="quiet" onClick={onAll}>
          Select all {whole(total)}
        </Button>
      ) : null}
      <span className="ml-auto flex flex-wrap gap-1.5">
        <Button size="small" onClick={() => setKind("add-tags")}>
          <Tag className="size-3.5" aria-hidden />
          Add tags
        </Button>
        <Button size="small" onClick={() => setKind("remove-tags")}>
          Remove tags
        </Button>
        <Button size="small" onClick={() => setKind("delete")}>
          <Trash2 className="size-3.5" aria-hidden />
          Delete
        </Button>
      </span>
      {kind === null ? null : (
        <BulkDialog
          kind={kind}
          chosen={Array.from(selection, ([id, filename]) => ({ id, filename }))}
          suggestions={suggestions}
          onClose={() => setKind(null)}
          onDone={onDone}
        />
      )}
    </section>
  );
}
