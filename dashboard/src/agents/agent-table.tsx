import { Link, useNavigate } from "@tanstack/react-router";

import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import type { Blueprint } from "@/wire/types";

import { AgentMenu } from "./agent-menu";
import { useSwitchAgent } from "./agent-queries";
import { StatusSwitch } from "./status-switch";

const HEAD = "px-3 py-2 text-left text-xs font-medium text-muted";
const CELL = "px-3 py-2.5 align-top";

/** The agents, one a row; on a phone only what is needed to tell and to switch them. */
export function AgentTable({ agents }: { agents: readonly Blueprint[] }) {
  return (
    <table className="w-full border-collapse text-sm">
      <caption className="sr-only">Agents by name</caption>
      <thead>
        <tr className="border-b border-line">
          <th scope="col" className={HEAD}>
            Agent
          </th>
          <th scope="col" className={`${HEAD} hidden lg:table-cell`}>
            Tags
          </th>
          <th scope="col" className={`${HEAD} hidden text-right sm:table-cell`}>
            Servers
          </th>
          <th scope="col" className={`${HEAD} hidden text-right sm:table-cell`}>
            Skills
          </th>
          <th scope="col" className={`${HEAD} hidden xl:table-cell`}>
            Changed
          </th>
          <th scope="col" className={HEAD}>
            Status
          </th>
          <th scope="col" className={HEAD}>
            <span className="sr-only">More</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {agents.map((agent) => (
          <AgentRow key={agent.name} agent={agent} />
        ))}
      </tbody>
    </table>
  );
}

const MOST_TAGS = 4;

function AgentRow({ agent }: { agent: Blueprint }) {
  const flip = useSwitchAgent();
  const navigate = useNavigate({ from: "/agents" });
  const servers = Object.keys(agent.mcp_servers ?? {}).length;
  const skills = agent.skills?.length ?? 0;
  const rest = agent.tags.length - MOST_TAGS;
  return (
    <tr className="border-b border-line last:border-b-0 hover:bg-raised/60">
      <td className={`${CELL} max-w-0 w-full lg:w-[45%]`}>
        <Link
          from="/agents"
          to="/agents"
          search={(before) => ({ ...before, open: agent.name })}
          data-agent={agent.name}
          className="block truncate font-medium hover:text-accent hover:underline"
        >
          {agent.name}
        </Link>
        <p className="line-clamp-2 break-words text-muted">{agent.description || "No description"}</p>
      </td>
      <td className={`${CELL} hidden lg:table-cell`}>
        <span className="flex flex-wrap gap-1">
          {agent.tags.slice(0, MOST_TAGS).map((tag) => (
            <button
              key={tag}
              type="button"
              title={`Only agents with the tag ${tag}`}
              onClick={() =>
                void navigate({
                  search: (before) => ({ ...before, tag: [...new Set([...(before.tag ?? []), tag])] }),
                })
              }
              className="inline-flex min-h-6 max-w-40 items-center rounded-full bg-raised px-2 text-xs font-medium text-muted hover:bg-accent-soft hover:text-accent"
            >
              <span className="truncate">{tag}</span>
            </button>
          ))}
          {rest > 0 ? <span className="inline-flex min-h-6 items-center text-xs text-muted">+{rest}</span> : null}
        </span>
      </td>
      <td className={`${CELL} hidden text-right tabular-nums sm:table-cell`}>{servers}</td>
      <td className={`${CELL} hidden text-right tabular-nums sm:table-cell`}>{skills}</td>
      <td className={`${CELL} hidden whitespace-nowrap text-muted xl:table-cell`}>
        <Changed at={agent.modified_at} />
      </td>
      <td className={`${CELL} whitespace-nowrap`}>
        <StatusSwitch
          status={agent.status}
          label={`${agent.name} is active`}
          onChange={(status) => flip.mutate({ name: agent.name, status })}
        />
      </td>
      <td className="px-1 py-1 align-top">
        <AgentMenu agent={agent} />
      </td>
    </tr>
  );
}

function Changed({ at }: { at: string }) {
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at, useNow())}
    </time>
  );
}
