import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";

import { ScrollRegion } from "@/content/scroll-region";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { messageOf } from "@/ui/error-note";
import { Field } from "@/ui/field";
import { notify } from "@/ui/toasts";

import { type BulkChange, type Chosen, changeAll, changeOne, type Outcome } from "./bulk";
import { FileName } from "./file-name";
import { refreshDocuments, useApi } from "./queries";
import { objectionToAny, TagInput } from "./tag-input";

export type BulkKind = BulkChange["kind"];

const documents = (count: number): string => `${count} ${count === 1 ? "document" : "documents"}`;

const WORDS: Record<BulkKind, { title: (n: number) => string; action: string; done: (n: number) => string }> = {
  "add-tags": {
    title: (n) => `Add tags to ${documents(n)}`,
    action: "Add",
    done: (n) => `Tags added to ${documents(n)}`,
  },
  "remove-tags": {
    title: (n) => `Remove tags from ${documents(n)}`,
    action: "Remove",
    done: (n) => `Tags removed from ${documents(n)}`,
  },
  delete: { title: (n) => `Delete ${documents(n)}?`, action: "Delete", done: (n) => `Deleted ${documents(n)}` },
};

type BulkDialogProps = {
  kind: BulkKind;
  chosen: readonly Chosen[];
  suggestions: readonly string[];
  onClose: () => void;
  /** Documents for which it is done; they need not be chosen any longer. */
  onDone: (ids: string[]) => void;
};

/** Asks, does it to all that were chosen, and says what became of those that failed. */
export function BulkDialog({ kind, chosen: now, suggestions, onClose, onDone }: BulkDialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  // Those that are gone are no longer chosen; how many there were at first is what is told in the end.
  const [chosen] = useState(now);
  const [todo, setTodo] = useState(chosen);
  const [tags, setTags] = useState<readonly string[]>([]);
  const [ended, setEnded] = useState<number | null>(null);
  const [failed, setFailed] = useState<Outcome[]>([]);
  const stop = useRef<AbortController | null>(null);
  const words = WORDS[kind];
  const running = ended !== null;
  const objection = objectionToAny(tags);

  const run = async () => {
    const controller = new AbortController();
    stop.current = controller;
    setEnded(0);
    setFailed([]);
    const change: BulkChange = kind === "delete" ? { kind } : { kind, tags };
    const count = () => setEnded((before) => (before ?? 0) + 1);
    const outcomes = await changeAll(({ id }) => changeOne(api, change, id), todo, count, controller.signal);
    const done = new Set(outcomes.filter((outcome) => outcome.error === null).map((outcome) => outcome.id));
    const left = todo.filter((one) => !done.has(one.id));
    const bad = outcomes.filter((outcome) => outcome.error !== null);
    void refreshDocuments(queries, done);
    if (kind === "delete") onDone([...done]);
    setEnded(null);
    if (bad.length > 0) {
      setTodo(left);
      setFailed(bad);
      return;
    }
    const body = left.length > 0 ? { body: `${documents(left.length)} left as they were.` } : {};
    notify({ tone: left.length > 0 ? "warn" : "good", title: words.done(chosen.length - left.length), ...body });
    onClose();
  };

  return (
    <Dialog
      open
      onOpenChange={() => {
        stop.current?.abort();
        if (!running) onClose();
      }}
      title={failed.length > 0 ? `Not done for ${documents(todo.length)}` : words.title(todo.length)}
      description={
        kind === "delete" && failed.length === 0 ? "They are deleted for everybody, and can't be brought back." : null
      }
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        {kind === "delete" || running ? null : (
          <Field label="Tags" hint="Enter or a comma ends a tag" error={objection}>
            {(control) => <TagInput {...control} autoFocus tags={tags} onChange={setTags} suggestions={suggestions} />}
          </Field>
        )}
        {failed.length === 0 ? null : <Failures failed={failed} unbegun={todo.length - failed.length} />}
        <p role="status" className={running ? "text-sm tabular-nums" : "sr-only"}>
          {running ? `${ended} of ${documents(todo.length)} …` : ""}
        </p>
        <div className="flex justify-end gap-2">
          <Button onClick={() => (running ? stop.current?.abort() : onClose())}>{running ? "Stop" : "Cancel"}</Button>
          <Button
            type="submit"
            look={kind === "delete" ? "danger" : "primary"}
            disabled={running || (kind !== "delete" && (tags.length === 0 || objection !== undefined))}
          >
            {failed.length > 0 ? "Try again" : words.action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Failures({ failed, unbegun }: { failed: readonly Outcome[]; unbegun: number }) {
  return (
    <ScrollRegion label="Failures" className="max-h-60 overflow-auto rounded-md bg-bad-soft p-3">
      <ul className="flex flex-col gap-2">
        {failed.map(({ id, filename, error }) => (
          <li key={id} className="text-sm">
            <FileName name={filename} className="font-medium" />
            <span className="break-words text-bad">{messageOf(error)}</span>
          </li>
        ))}
        {unbegun > 0 ? <li className="text-sm text-bad">{documents(unbegun)} not begun</li> : null}
      </ul>
    </ScrollRegion>
  );
}
