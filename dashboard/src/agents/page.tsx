import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";

import { useMayChange } from "@/app/backend";

import { AgentsList } from "./agents-list";
import type { Source } from "./draft";

// The editor of texts is the largest part of the page, and the list does not need it.
const NewAgent = lazy(async () => ({ default: (await import("./new-agent")).NewAgent }));
const AgentView = lazy(async () => ({ default: (await import("./agent-view")).AgentView }));
const AgentEditor = lazy(async () => ({ default: (await import("./agent-editor")).AgentEditor }));

/** The agents: all of them, one that is changed, or one that is written. */
export function AgentsPage() {
  const search = useSearch({ from: "/agents" });
  const navigate = useNavigate({ from: "/agents" });
  const mayChange = useMayChange();
  const [imported, setImported] = useState<Source | null>(null);
  const writing = search.new === true && mayChange;
  useEffect(() => {
    // What was read from a file is for the one that is written now, and not for the next.
    if (writing) return () => setImported(null);
  }, [writing]);
  if (writing || search.open !== undefined) {
    return (
      <Suspense fallback={<p className="p-6 text-muted">Loading …</p>}>
        {search.open !== undefined && !mayChange ? (
          <AgentView key={search.open} name={search.open} />
        ) : search.open === undefined ? (
          <NewAgent key={search.from ?? ""} from={search.from} imported={search.from === undefined ? imported : null} />
        ) : (
          <AgentEditor key={search.open} name={search.open} />
        )}
      </Suspense>
    );
  }
  return (
    <AgentsList
      search={search}
      onNew={(source) => {
        setImported(source);
        void navigate({ search: (before) => ({ ...before, new: true }) });
      }}
    />
  );
}
