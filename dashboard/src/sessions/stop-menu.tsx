import { ChevronDown, CircleStop } from "lucide-react";
import { useMemo, useState } from "react";

import { whole } from "@/format/numbers";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Menu, MenuItem, MenuSeparator } from "@/ui/menu";
import type { Session } from "@/wire/types";

import type { Which } from "./bulk";
import { runningByAgent } from "./listing";

type Props = { sessions: ReadonlyMap<string, Session>; onStop: (which: Which) => Promise<void> };

/** Stops all of an agent, or everything. */
export function StopMenu({ sessions, onStop }: Props) {
  const { agents, running } = useMemo(() => runningByAgent(sessions.values()), [sessions]);
  const [agent, setAgent] = useState<string | null>(null);
  const [everything, setEverything] = useState(false);
  const countOf = (name: string | null) => agents.find(({ value }) => value === name)?.count ?? 0;
  return (
    <>
      <Menu
        trigger={
          <Button disabled={running === 0}>
            <CircleStop className="size-4" aria-hidden />
            <span>
              Stop<span className="max-sm:sr-only"> several</span>
            </span>
            <ChevronDown className="size-4" aria-hidden />
          </Button>
        }
      >
        {agents.map(({ value, count }) => (
          <MenuItem key={value} onSelect={() => setTimeout(() => setAgent(value))}>
            <span className="max-w-64 truncate">Stop all of {value}</span>
            <span className="ml-auto pl-4 text-xs text-muted tabular-nums">{whole(count)}</span>
          </MenuItem>
        ))}
        {agents.length > 0 ? <MenuSeparator /> : null}
        <MenuItem danger onSelect={() => setTimeout(() => setEverything(true))}>
          Stop everything …<span className="ml-auto pl-4 text-xs tabular-nums">{whole(running)}</span>
        </MenuItem>
      </Menu>
      <ConfirmDialog
        open={agent !== null}
        onOpenChange={(open) => {
          if (!open) setAgent(null);
        }}
        title={`Stop all of ${agent ?? ""}?`}
        description={`${whole(countOf(agent))} running now, and any that begins before the server has been asked.`}
        action="Stop them"
        onConfirm={() => onStop({ agent_name: agent ?? "" })}
      />
      <ConfirmDialog
        open={everything}
        onOpenChange={setEverything}
        title="Stop everything?"
        description={`Every session that runs is stopped, whoever began it: ${whole(running)} at this moment.`}
        action="Stop everything"
        typed="stop"
        onConfirm={() => onStop({ all: true })}
      />
    </>
  );
}
