import { Pencil } from "lucide-react";

import { useMayChange } from "@/app/backend";
import { Badge } from "@/ui/badge";
import { Button, IconButton } from "@/ui/button";
import { ErrorNote } from "@/ui/error-note";
import { Field } from "@/ui/field";
import type { DocumentInfo } from "@/wire/types";

import { ConflictNote } from "./conflict-note";
import { createDrafts } from "./drafts";
import { EditActions, keysOfEdit } from "./edit-actions";
import { problemWith } from "./edits";
import { TagInput } from "./tag-input";
import { useEdit } from "./use-edit";
import { useReturnFocus } from "./use-return-focus";
import type { Versioned } from "./wire";

const drafts = createDrafts<readonly string[]>();

const tagsOf = (document: DocumentInfo): readonly string[] => document.tags;
const changeOf = (tags: readonly string[]) => ({ tags });

/** A document's tags, edited where they stand. Whether they are tags is for the server to say. */
export function TagsField({ current, suggestions }: { current: Versioned; suggestions: readonly string[] }) {
  const mayChange = useMayChange();
  const edit = useEdit({ current, drafts, read: tagsOf, changeOf });
  const button = useReturnFocus(edit.draft !== null);
  const { tags } = current.document;
  if (edit.draft === null || !mayChange) {
    return (
      <section className="flex flex-col gap-1">
        <div className="flex min-h-7 items-center gap-1">
          <h3 className="text-xs font-medium text-muted">Tags</h3>
          {tags.length === 0 || !mayChange ? null : (
            <IconButton label="Edit the tags" size="small" ref={button} onClick={edit.begin}>
              <Pencil className="size-3.5" aria-hidden />
            </IconButton>
          )}
        </div>
        {tags.length === 0 && mayChange ? (
          <Button ref={button} size="small" className="self-start" onClick={edit.begin}>
            Add tags
          </Button>
        ) : (
          <TagList tags={tags} />
        )}
      </section>
    );
  }
  const problem = problemWith("tags", edit.error);
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        edit.save();
      }}
      onKeyDown={keysOfEdit(edit)}
    >
      <Field label="Tags" error={problem} hint="Enter or a comma ends a tag">
        {(control) => (
          <TagInput {...control} autoFocus tags={edit.draft ?? []} onChange={edit.change} suggestions={suggestions} />
        )}
      </Field>
      {edit.error !== null && problem === undefined ? <ErrorNote error={edit.error} /> : null}
      {edit.theirs === null ? (
        <EditActions busy={edit.busy} onCancel={edit.cancel} />
      ) : (
        <ConflictNote
          theirs={<TagList tags={edit.theirs.document.tags} />}
          mine={<TagList tags={edit.draft} />}
          busy={edit.busy}
          onTheirs={edit.takeTheirs}
          onMine={edit.keepMine}
        />
      )}
    </form>
  );
}

function TagList({ tags }: { tags: readonly string[] }) {
  if (tags.length === 0) return "No tags";
  return (
    <ul className="flex flex-wrap gap-1">
      {tags.map((tag) => (
        <li key={tag} className="flex max-w-full">
          <Badge className="max-w-full">
            <span className="truncate">{tag}</span>
          </Badge>
        </li>
      ))}
    </ul>
  );
}
