import { Pencil } from "lucide-react";

import { useMayChange } from "@/app/backend";
import { ScrollRegion } from "@/content/scroll-region";
import { Button, IconButton } from "@/ui/button";
import { ErrorNote } from "@/ui/error-note";
import { Field, Textarea } from "@/ui/field";

import { ConflictNote } from "./conflict-note";
import { createDrafts } from "./drafts";
import { EditActions, keysOfEdit } from "./edit-actions";
import { descriptionOf, problemWith } from "./edits";
import { useEdit } from "./use-edit";
import { useReturnFocus } from "./use-return-focus";
import type { Versioned } from "./wire";

const drafts = createDrafts<string>();

const changeOf = (value: string) => ({ description: value === "" ? null : value });

/** What is said of a document, edited where it stands. */
export function DescriptionField({ current }: { current: Versioned }) {
  const mayChange = useMayChange();
  const edit = useEdit({ current, drafts, read: descriptionOf, changeOf });
  const button = useReturnFocus(edit.draft !== null);
  const description = descriptionOf(current.document);
  if (edit.draft === null || !mayChange) {
    return (
      <section className="flex flex-col gap-1">
        <div className="flex min-h-7 items-center gap-1">
          <h3 className="text-xs font-medium text-muted">Description</h3>
          {description === "" || !mayChange ? null : (
            <IconButton label="Edit the description" size="small" ref={button} onClick={edit.begin}>
              <Pencil className="size-3.5" aria-hidden />
            </IconButton>
          )}
        </div>
        {description === "" && !mayChange ? (
          <p className="text-muted">No description</p>
        ) : description === "" ? (
          <Button ref={button} size="small" className="self-start" onClick={edit.begin}>
            Add a description
          </Button>
        ) : (
          <ScrollRegion label="Description" className="max-h-40 overflow-auto">
            <p className="break-words whitespace-pre-wrap">{description}</p>
          </ScrollRegion>
        )}
      </section>
    );
  }
  const problem = problemWith("description", edit.error);
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        edit.save();
      }}
      onKeyDown={keysOfEdit(edit)}
    >
      <Field label="Description" error={problem}>
        {(control) => (
          <Textarea
            {...control}
            autoFocus
            rows={4}
            value={edit.draft ?? ""}
            onChange={(event) => edit.change(event.target.value)}
          />
        )}
      </Field>
      {edit.error !== null && problem === undefined ? <ErrorNote error={edit.error} /> : null}
      {edit.theirs === null ? (
        <EditActions busy={edit.busy} onCancel={edit.cancel} />
      ) : (
        <ConflictNote
          theirs={descriptionOf(edit.theirs.document) || "No description"}
          mine={edit.draft || "No description"}
          busy={edit.busy}
          onTheirs={edit.takeTheirs}
          onMine={edit.keepMine}
        />
      )}
    </form>
  );
}
