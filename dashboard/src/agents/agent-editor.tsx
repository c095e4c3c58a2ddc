import { useNavigate } from "@tanstack/react-router";
import { useEffect, useId, useMemo, useRef, useState } from "react";

import { useOffer } from "@/app/shortcuts";
import { moment } from "@/format/time";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { ErrorNote } from "@/ui/error-note";
import { notify } from "@/ui/toasts";
import type { Blueprint } from "@/wire/types";

import { AgentForm } from "./agent-form";
import { AgentMenu } from "./agent-menu";
import { useAgents, useChangeAgent, useCreateAgent, useSwitchAgent } from "./agent-queries";
import { changesOf, creationOf, type Draft, differences, draftOf, type Field, rebase } from "./draft";
import { EditorHeader } from "./editor-header";
import { LeaveGuard } from "./leave-guard";
import { GoneNote, MeanwhileNote } from "./meanwhile";
import { StatusSwitch } from "./status-switch";
import { useDraft } from "./use-draft";

const BACK = { open: undefined, new: undefined, from: undefined } as const;
const NOBODY: ReadonlySet<string> = new Set();

/** An agent that is there, to be read and changed. */
export function AgentEditor({ name }: { name: string }) {
  const { data: agents, error, refetch } = useAgents();
  const stored = agents?.find((agent) => agent.name === name) ?? null;
  // It stays open when somebody deletes it: what was typed is not theirs to take away.
  const opened = useRef<Blueprint | null>(null);
  opened.current ??= stored;
  if (opened.current !== null) return <Editing opened={opened.current} stored={stored} />;
  return (
    <>
      <EditorHeader title={name} />
      {agents !== undefined ? (
        <Empty title={`There is no agent named “${name}”`}>It may have been deleted.</Empty>
      ) : (
        <div className="p-4">
          {error === null ? (
            <p className="text-muted">Loading …</p>
          ) : (
            <ErrorNote error={error} onRetry={() => void refetch()} />
          )}
        </div>
      )}
    </>
  );
}

/** What the draft was made from. */
type Base = { draft: Draft; modifiedAt: string };

function Editing({ opened, stored }: { opened: Blueprint; stored: Blueprint | null }) {
  const id = useId();
  const navigate = useNavigate({ from: "/agents" });
  const [base, setBase] = useState<Base>(() => ({ draft: draftOf(opened), modifiedAt: opened.modified_at }));
  const { draft, setDraft, form, problems, isFit, refused } = useDraft(base.draft, {
    isNew: false,
    takenNames: NOBODY,
  });
  const change = useChangeAgent(opened.name);
  const create = useCreateAgent();
  const flip = useSwitchAgent();
  const [failure, setFailure] = useState<unknown>(null);
  const [meanwhile, setMeanwhile] = useState<{ taken: Field[]; clashes: Field[] } | null>(null);
  const [deleting, setDeleting] = useState(false);
  const changed = useMemo(() => differences(base.draft, draft), [base, draft]);
  const saving = change.isPending || create.isPending;
  const shown = stored ?? opened;

  // Takes over what somebody else has changed, except where it was changed here, too.
  useEffect(() => {
    if (stored === null || saving || stored.modified_at <= base.modifiedAt) return;
    const theirs = draftOf(stored, draft.servers.view);
    const outcome = rebase(base.draft, draft, theirs);
    setBase({ draft: theirs, modifiedAt: stored.modified_at });
    if (outcome.taken.length > 0) setDraft(outcome.draft);
    if (outcome.taken.length > 0 || outcome.clashes.length > 0)
      setMeanwhile((before) => ({
        taken: [...new Set([...(before?.taken ?? []), ...outcome.taken])],
        clashes: outcome.clashes,
      }));
  }, [stored, saving, base, draft, setDraft]);

  const save = () => {
    if (saving || (changed.length === 0 && stored !== null) || !isFit()) return;
    setFailure(null);
    const settled = {
      onSuccess: (agent: Blueprint) => {
        const saved = draftOf(agent, draft.servers.view);
        setBase({ draft: saved, modifiedAt: agent.modified_at });
        // What was typed while it was being saved stays.
        setDraft((now) => rebase(draft, now, saved).draft);
        setMeanwhile(null);
        notify({ tone: "good", title: `Saved “${agent.name}”` });
      },
      onError: (error: unknown) => {
        if (!refused(error, draft)) setFailure(error);
      },
    };
    if (stored === null) create.mutate(creationOf(draft, shown.status), settled);
    else change.mutate(changesOf(base.draft, draft), settled);
  };
  const leave = () => void navigate({ search: (before) => ({ ...before, ...BACK }) });
  useOffer([{ id: "agent-leave", group: "Agents", label: "Back to the agents", keys: "Escape", run: leave }]);
  return (
    <div className="flex h-full flex-col gap-4">
      <EditorHeader title={opened.name}>
        {stored === null ? null : (
          <>
            <StatusSwitch
              status={stored.status}
              label={`${stored.name} is active`}
              onChange={(status) => flip.mutate({ name: stored.name, status })}
            />
            <AgentMenu
              agent={stored}
              onDeleting={setDeleting}
              onDeleted={() => void navigate({ search: (before) => ({ ...before, ...BACK }), ignoreBlocker: true })}
            />
          </>
        )}
        {changed.length > 0 ? <Button onClick={() => setDraft(base.draft)}>Discard</Button> : null}
        <Button type="submit" form={id} look="primary" disabled={saving || (changed.length === 0 && stored !== null)}>
          {saving ? "Saving …" : stored === null ? "Create again" : "Save"}
        </Button>
      </EditorHeader>
      <AgentForm
        id={id}
        form={form}
        draft={draft}
        problems={problems}
        isNew={false}
        onChange={setDraft}
        onSubmit={save}
        notes={
          <>
            {failure === null ? null : <ErrorNote error={failure} />}
            {stored === null && !deleting ? <GoneNote onLeave={leave} /> : null}
            {stored === null || meanwhile === null ? null : (
              <MeanwhileNote
                {...meanwhile}
                onLoad={() => {
                  setDraft(base.draft);
                  setMeanwhile(null);
                }}
                onKeep={() => setMeanwhile(null)}
              />
            )}
          </>
        }
        aside={
          <dl className="flex flex-col gap-1 text-xs text-muted">
            <div>
              <dt className="inline">Created </dt>
              <dd className="inline">{moment(shown.created_at)}</dd>
            </div>
            <div>
              <dt className="inline">Changed </dt>
              <dd className="inline">{moment(shown.modified_at)}</dd>
            </div>
          </dl>
        }
      />
      <LeaveGuard unsaved={changed.length > 0} />
    </div>
  );
}
