import { useNavigate } from "@tanstack/react-router";
import { useId, useMemo, useState } from "react";

import { useOffer } from "@/app/shortcuts";
import { Button } from "@/ui/button";
import { ErrorNote } from "@/ui/error-note";
import { notify } from "@/ui/toasts";
import type { Blueprint } from "@/wire/types";

import { AgentForm } from "./agent-form";
import { useAgents, useCreateAgent } from "./agent-queries";
import { creationOf, differences, draftOf, EMPTY, type Source } from "./draft";
import { EditorHeader } from "./editor-header";
import { copyName } from "./finding";
import { LeaveGuard } from "./leave-guard";
import { StatusSwitch } from "./status-switch";
import { useDraft } from "./use-draft";

type NewAgentProps = {
  /** The agent that it begins as a copy of. */
  from: string | undefined;
  /** What was read from a file. */
  imported: Source | null;
};

/** An agent that is written, as a copy of another or from a file where there is one. */
export function NewAgent({ from, imported }: NewAgentProps) {
  const { data: agents, error, refetch } = useAgents();
  if (agents !== undefined) return <Writing agents={agents} from={from} imported={imported} />;
  return (
    <>
      <EditorHeader title="New agent" />
      <div className="p-4">
        {error === null ? (
          <p className="text-muted">Loading …</p>
        ) : (
          <ErrorNote error={error} onRetry={() => void refetch()} />
        )}
      </div>
    </>
  );
}

function Writing({ agents, from, imported }: NewAgentProps & { agents: readonly Blueprint[] }) {
  const id = useId();
  const navigate = useNavigate({ from: "/agents" });
  const takenNames = useMemo(() => new Set(agents.map((agent) => agent.name)), [agents]);
  const [first] = useState((): { source: Source | null; from: Blueprint | undefined } => {
    const copied = agents.find((agent) => agent.name === from);
    return { source: copied ? { ...copied, name: copyName(copied.name, takenNames) } : imported, from: copied };
  });
  const [status, setStatus] = useState<Blueprint["status"]>(first.source?.status ?? "active");
  const [start] = useState(() => (first.source === null ? EMPTY : draftOf(first.source)));
  const { draft, setDraft, form, problems, isFit, refused } = useDraft(start, { isNew: true, takenNames });
  const create = useCreateAgent();
  const [failure, setFailure] = useState<unknown>(null);
  const back = { open: undefined, new: undefined, from: undefined } as const;

  const save = () => {
    if (create.isPending || !isFit()) return;
    setFailure(null);
    create.mutate(creationOf(draft, status), {
      onSuccess: (agent) => {
        notify({ tone: "good", title: `Created “${agent.name}”` });
        void navigate({
          search: (before) => ({ ...before, ...back, open: agent.name }),
          replace: true,
          ignoreBlocker: true,
        });
      },
      onError: (error) => {
        if (!refused(error, draft)) setFailure(error);
      },
    });
  };
  const leave = () => void navigate({ search: (before) => ({ ...before, ...back }) });
  useOffer([{ id: "agent-leave", group: "Agents", label: "Back to the agents", keys: "Escape", run: leave }]);
  return (
    <div className="flex h-full flex-col gap-4">
      <EditorHeader title={first.from ? `Copy of ${first.from.name}` : "New agent"}>
        <StatusSwitch status={status} label="It is active" onChange={setStatus} />
        <Button onClick={leave}>Cancel</Button>
        <Button type="submit" form={id} look="primary" disabled={create.isPending}>
          {create.isPending ? "Creating …" : "Create"}
        </Button>
      </EditorHeader>
      <AgentForm
        id={id}
        form={form}
        draft={draft}
        problems={problems}
        isNew
        onChange={setDraft}
        onSubmit={save}
        notes={failure === null ? null : <ErrorNote error={failure} />}
      />
      <LeaveGuard unsaved={draft.name !== start.name || differences(start, draft).length > 0} />
    </div>
  );
}
