import { useNavigate } from "@tanstack/react-router";
import { Search, X } from "lucide-react";
import type { RefObject } from "react";

import { whole } from "@/format/numbers";
import { Input, Select } from "@/ui/field";
import type { Blueprint } from "@/wire/types";

import { tagCounts } from "./finding";
import type { AgentsSearch } from "./search";

type AgentFiltersProps = {
  agents: readonly Blueprint[];
  /** How many of them the filters leave. */
  shown: number;
  search: AgentsSearch;
  input: RefObject<HTMLInputElement | null>;
};

/** Which agents are shown; all of it stands in the address. */
export function AgentFilters({ agents, shown, search, input }: AgentFiltersProps) {
  const navigate = useNavigate({ from: "/agents" });
  const change = (next: Partial<AgentsSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const chosen = search.tag ?? [];
  const active = agents.filter((agent) => agent.status === "active").length;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <div className="relative w-full sm:w-auto sm:min-w-40 sm:max-w-xs sm:flex-1">
        <Search className="pointer-events-none absolute top-2.5 left-2.5 size-4 text-muted" aria-hidden />
        <Input
          ref={input}
          type="search"
          aria-label="Search agents"
          placeholder="Search"
          value={search.q ?? ""}
          onChange={(event) => change({ q: event.target.value || undefined })}
          className="pl-8"
        />
      </div>
      <div className="min-w-32 flex-1 sm:max-w-40">
        <Select
          aria-label="Status"
          value={search.status ?? ""}
          onChange={(event) => {
            const { value } = event.target;
            change({ status: value === "active" || value === "inactive" ? value : undefined });
          }}
        >
          <option value="">Any status</option>
          <option value="active">Active ({active})</option>
          <option value="inactive">Inactive ({agents.length - active})</option>
        </Select>
      </div>
      <div className="min-w-32 flex-1 sm:max-w-40">
        <Select
          aria-label="Tags: add one to filter by"
          value=""
          disabled={agents.length === 0}
          onChange={(event) => change({ tag: [...chosen, event.target.value] })}
        >
          <option value="">{chosen.length > 0 ? "And the tag …" : "Any tag"}</option>
          {tagCounts(agents)
            .filter((tag) => !chosen.includes(tag.name))
            .map((tag) => (
              <option key={tag.name} value={tag.name}>
                {tag.name} ({tag.count})
              </option>
            ))}
        </Select>
      </div>
      {chosen.map((tag) => (
        <button
          key={tag}
          type="button"
          aria-label={`No longer only the tag ${tag}`}
          title={`No longer only the tag ${tag}`}
          onClick={() => {
            const left = chosen.filter((one) => one !== tag);
            change({ tag: left.length > 0 ? left : undefined });
          }}
          className="inline-flex min-h-7 max-w-48 items-center gap-1 rounded-full bg-accent-soft px-2.5 text-xs font-medium text-accent"
        >
          <span className="truncate">{tag}</span>
          <X className="size-3.5 shrink-0" aria-hidden />
        </button>
      ))}
      <p role="status" className="ml-auto text-xs text-muted tabular-nums">
        {shown === agents.length
          ? `${whole(agents.length)} ${agents.length === 1 ? "agent" : "agents"}`
          : `${whole(shown)} of ${whole(agents.length)} agents`}
      </p>
    </div>
  );
}
