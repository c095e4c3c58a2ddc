import { useNavigate } from "@tanstack/react-router";
import { Eye, EyeOff } from "lucide-react";
import { type ReactNode, useState } from "react";

import { useOffer } from "@/app/shortcuts";
import { Code } from "@/content/code";
import { moment } from "@/format/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { ErrorNote } from "@/ui/error-note";
import type { Blueprint } from "@/wire/types";

import { AgentMenu } from "./agent-menu";
import { useAgents } from "./agent-queries";
import { concealed } from "./concealed";
import { EditorHeader } from "./editor-header";
import type { ServersObject } from "./servers";
import { StatusSwitch } from "./status-switch";
import { holdsValues } from "./transfer";

const BACK = { open: undefined, new: undefined, from: undefined } as const;

/** An agent, for who may read and not change it. */
export function AgentView({ name }: { name: string }) {
  const { data: agents, error, refetch } = useAgents();
  const navigate = useNavigate({ from: "/agents" });
  const leave = () => void navigate({ search: (before) => ({ ...before, ...BACK }) });
  useOffer([{ id: "agent-leave", group: "Agents", label: "Back to the agents", keys: "Escape", run: leave }]);
  const agent = agents?.find((one) => one.name === name);
  if (agent !== undefined) return <Shown agent={agent} />;
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

function Shown({ agent }: { agent: Blueprint }) {
  return (
    <div className="flex h-full flex-col">
      <EditorHeader title={agent.name}>
        <StatusSwitch status={agent.status} label={`${agent.name} is active`} onChange={() => undefined} />
        <AgentMenu agent={agent} />
      </EditorHeader>
      {/* biome-ignore lint/a11y/useSemanticElements: a section would be the same, and it has to be reachable to be scrolled */}
      <div
        role="region"
        aria-label={agent.name}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
        tabIndex={0}
        className="min-h-0 flex-1 overflow-auto px-3 py-4 md:px-5"
      >
        <div className="grid max-w-7xl gap-x-8 gap-y-5 lg:grid-cols-[minmax(0,1fr)_18rem]">
          <div className="flex min-w-0 flex-col gap-5">
            <Part title="Description">
              <p className="break-words whitespace-pre-wrap">{agent.description || <None />}</p>
            </Part>
            <Part title="System prompt">
              {agent.system_prompt ? (
                <Code text={agent.system_prompt} language="markdown" label="System prompt" full />
              ) : (
                <None />
              )}
            </Part>
            <Servers agent={agent} />
          </div>
          <div className="flex min-w-0 flex-col gap-5">
            <Words title="Tags" words={agent.tags} />
            <Words title="Skills" words={agent.skills ?? []} />
            <dl className="flex flex-col gap-1 text-xs text-muted">
              <div>
                <dt className="inline">Created </dt>
                <dd className="inline">{moment(agent.created_at)}</dd>
              </div>
              <div>
                <dt className="inline">Changed </dt>
                <dd className="inline">{moment(agent.modified_at)}</dd>
              </div>
            </dl>
          </div>
        </div>
      </div>
    </div>
  );
}

function Servers({ agent }: { agent: Blueprint }) {
  const [shown, setShown] = useState(false);
  const servers = (agent.mcp_servers ?? {}) as ServersObject;
  const toggle = (
    <Button size="small" look="quiet" aria-pressed={shown} onClick={() => setShown(!shown)}>
      {shown ? <EyeOff className="size-3.5" aria-hidden /> : <Eye className="size-3.5" aria-hidden />}
      {shown ? "Hide values" : "Show values"}
    </Button>
  );
  return (
    <Part title="MCP servers" action={holdsValues(agent) ? toggle : null}>
      {Object.keys(servers).length === 0 ? (
        <None />
      ) : (
        <Code
          text={JSON.stringify(shown ? servers : concealed(servers), null, 2)}
          language="json"
          label="MCP servers"
          full
        />
      )}
    </Part>
  );
}

function Words({ title, words }: { title: string; words: readonly string[] }) {
  return (
    <Part title={title}>
      {words.length === 0 ? (
        <None />
      ) : (
        <ul className="flex flex-wrap gap-1">
          {words.map((word) => (
            <li key={word} className="flex max-w-full">
              <Badge className="max-w-full">
                <span className="truncate">{word}</span>
              </Badge>
            </li>
          ))}
        </ul>
      )}
    </Part>
  );
}

function Part({ title, action = null, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <section className="flex min-w-0 flex-col gap-1">
      <div className="flex min-h-7 flex-wrap items-center justify-between gap-2">
        <h2 className="text-sm font-medium">{title}</h2>
        {action}
      </div>
      {children}
    </section>
  );
}

function None() {
  return <span className="text-muted">None</span>;
}
