import { useNavigate } from "@tanstack/react-router";
import { Bot, Plus } from "lucide-react";
import { type ReactNode, useRef } from "react";

import { useMayChange } from "@/app/backend";
import { useOffer } from "@/app/shortcuts";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { Empty } from "@/ui/empty";
import { ErrorNote } from "@/ui/error-note";
import { PageHeader } from "@/ui/page";

import { AgentFilters } from "./agent-filters";
import { useAgents } from "./agent-queries";
import { AgentTable } from "./agent-table";
import type { Source } from "./draft";
import { found } from "./finding";
import { ImportButton } from "./import-button";
import type { AgentsSearch } from "./search";

const IMPORT = "agent-orchestrator agents import DIR";

type AgentsListProps = {
  search: AgentsSearch;
  /** A new one is to be written, from a file where one was read. */
  onNew: (source: Source | null) => void;
};

/** All agents, found by search and filters. */
export function AgentsList({ search, onNew }: AgentsListProps) {
  const { data, error, refetch } = useAgents();
  const mayChange = useMayChange();
  const navigate = useNavigate({ from: "/agents" });
  const input = useRef<HTMLInputElement>(null);
  const rows = useRef<HTMLDivElement>(null);
  const agents = data ?? [];
  const shown = found(agents, search);
  const create = () => onNew(null);
  const move = (step: 1 | -1) => {
    const links = [...(rows.current?.querySelectorAll<HTMLElement>("[data-agent]") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
  };
  useOffer([
    { id: "agents-search", group: "Agents", label: "Search agents", keys: "/", run: () => input.current?.focus() },
    { id: "agents-next", group: "Agents", label: "Next agent", keys: "j", run: () => move(1) },
    { id: "agents-before", group: "Agents", label: "Previous agent", keys: "k", run: () => move(-1) },
    ...(mayChange ? [{ id: "agents-new", group: "Agents", label: "New agent", keys: "n", run: create }] : []),
  ]);
  return (
    <div className="flex h-full flex-col gap-3 p-3 md:p-5">
      <PageHeader title="Agents">
        {mayChange ? (
          <>
            <ImportButton onRead={onNew} />
            <Button look="primary" onClick={create}>
              <Plus className="size-4" aria-hidden />
              New agent
            </Button>
          </>
        ) : null}
      </PageHeader>
      {agents.length > 0 ? <AgentFilters agents={agents} shown={shown.length} search={search} input={input} /> : null}
      {error === null ? null : <ErrorNote error={error} onRetry={() => void refetch()} />}
      <Region label="Agents" box={rows}>
        {data === undefined ? (
          error === null ? (
            <p className="p-4 text-muted">Loading …</p>
          ) : null
        ) : agents.length === 0 ? (
          <FirstSteps onCreate={mayChange ? create : null} />
        ) : shown.length === 0 ? (
          <Empty title="No agent matches">
            <Button onClick={() => void navigate({ search: {} })}>Clear the filters</Button>
          </Empty>
        ) : (
          <AgentTable agents={shown} />
        )}
      </Region>
    </div>
  );
}

function Region(props: { label: string; box: React.RefObject<HTMLDivElement | null>; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a section would be the same, and it has to be reachable to be scrolled
    <div
      ref={props.box}
      role="region"
      aria-label={props.label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
      tabIndex={0}
      className="min-h-0 flex-1 overflow-auto rounded-lg border border-line bg-surface"
    >
      {props.children}
    </div>
  );
}

function FirstSteps({ onCreate }: { onCreate: (() => void) | null }) {
  return (
    <Empty icon={<Bot aria-hidden />} title="No agents yet">
      <p className="max-w-prose">
        An agent is a blueprint: a system prompt, MCP servers and skills under a name. Programs read it at{" "}
        <code className="font-mono text-xs">GET /agents/NAME</code> to start sessions from it.
      </p>
      {onCreate === null ? null : (
        <>
          <Button look="primary" onClick={onCreate}>
            <Plus className="size-4" aria-hidden />
            New agent
          </Button>
          <p>Or bring in folders, such as a project’s:</p>
          <div className="flex max-w-full items-center gap-1 rounded-md bg-raised py-1 pr-1 pl-3">
            <code className="min-w-0 font-mono text-xs break-all text-ink">{IMPORT}</code>
            <CopyButton text={IMPORT} />
          </div>
        </>
      )}
    </Empty>
  );
}
