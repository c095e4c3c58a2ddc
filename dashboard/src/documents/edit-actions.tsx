import type { KeyboardEvent } from "react";

import { Button } from "@/ui/button";

export function EditActions({ busy, onCancel }: { busy: boolean; onCancel: () => void }) {
  return (
    <div className="flex gap-2">
      {/* Not `disabled`, which would take the focus from it. */}
      <Button type="submit" size="small" look="primary" aria-disabled={busy}>
        Save
      </Button>
      <Button size="small" onClick={onCancel}>
        Cancel
      </Button>
    </div>
  );
}

/** Escape leaves an edit, Ctrl+Enter saves it; neither reaches the page. */
export function keysOfEdit(edit: { cancel: () => void }) {
  return (event: KeyboardEvent<HTMLFormElement>) => {
    if (event.key === "Escape") {
      event.preventDefault();
      edit.cancel();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.currentTarget.requestSubmit();
    }
  };
}
