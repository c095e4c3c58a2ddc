import { useState } from "react";

import { useBackend } from "@/app/backend";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { ErrorNote } from "@/ui/error-note";
import { Field, Input } from "@/ui/field";
import { ApiError, bodyOf } from "@/wire/client";
import type { Session } from "@/wire/types";

const FIELDS = [
  { key: "session_name", label: "Name", hint: undefined },
  { key: "agent_name", label: "Agent", hint: "The name of the agent's blueprint; may be empty." },
  { key: "project_dir", label: "Project", hint: "The directory it works in; may be empty." },
] as const;

type Key = (typeof FIELDS)[number]["key"];
type Values = Record<Key, string>;

type Props = { session: Session; open: boolean; onClose: () => void };

/** Says what a session is called, by whom it runs, and where. */
export function RenameDialog({ session, open, onClose }: Props) {
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        if (!next) onClose();
      }}
      title="Rename"
      description="A name that is given here is kept, whatever the agent reports later."
    >
      <Form session={session} onClose={onClose} />
    </Dialog>
  );
}

function Form({ session, onClose }: { session: Session; onClose: () => void }) {
  const { coordinator } = useBackend();
  // As it was when the dialog opened: what others change meanwhile is not written over unless it is changed here, too.
  const [before] = useState(() => valuesOf(session));
  const [values, setValues] = useState(before);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const save = async () => {
    const body = changesOf(before, values);
    if (Object.keys(body).length === 0) return onClose();
    setBusy(true);
    setError(null);
    try {
      const path = { session_id: session.session_id };
      await bodyOf(coordinator.PATCH("/sessions/{session_id}/metadata", { params: { path }, body }));
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  const problems = problemsOf(error);
  return (
    <form
      noValidate
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {FIELDS.map(({ key, label, hint }) => (
        <Field key={key} label={label} hint={hint} error={problems[key]}>
          {(control) => (
            <Input
              {...control}
              value={values[key]}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => setValues({ ...values, [key]: event.target.value })}
            />
          )}
        </Field>
      ))}
      {error === null || Object.keys(problems).length > 0 ? null : <ErrorNote error={error} />}
      <div className="flex justify-end gap-2 pt-1">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="primary" disabled={busy}>
          Save
        </Button>
      </div>
    </form>
  );
}

const valuesOf = (session: Session): Values => ({
  session_name: session.session_name,
  agent_name: session.agent_name ?? "",
  project_dir: session.project_dir ?? "",
});

/** Only what was changed; an emptied agent or project is null. */
export function changesOf(before: Values, after: Values): Partial<Record<Key, string | null>> {
  const changed = FIELDS.filter(({ key }) => after[key] !== before[key]);
  return Object.fromEntries(
    changed.map(({ key }) => [key, after[key] === "" && key !== "session_name" ? null : after[key]]),
  );
}

/** What the server has against which field. */
export function problemsOf(error: unknown): Partial<Record<Key, string>> {
  if (!(error instanceof ApiError)) return {};
  const problems: Partial<Record<Key, string>> = {};
  for (const { loc, msg } of error.fields) {
    const field = FIELDS.find(({ key }) => loc?.includes(key));
    if (field) problems[field.key] = msg;
  }
  return problems;
}
