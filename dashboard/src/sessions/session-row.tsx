import { type MouseEvent, memo } from "react";

import { useLive, useMayChange } from "@/app/backend";
import { dollars } from "@/format/numbers";
import { StopButton } from "@/stop/stop-button";
import { cn } from "@/ui/cn";
import type { Session } from "@/wire/types";

import { Ago, CellContent, NameLink, RunLength, SelectBox } from "./cells";
import { type Column, edgeOf } from "./columns";
import { eventsIn, folderOf } from "./facts";
import { PresenceDot } from "./presence-dot";
import { type Chosen, SessionMenuButton } from "./session-menu";
import { StatusBadge } from "./status-badge";

/** What rows can bring about. The object stays the same, so that rows are not drawn anew for it. */
export type RowActions = {
  open: (id: string) => void;
  focus: (id: string) => void;
  select: (id: string, range: boolean) => void;
  choose: (id: string, chosen: Chosen) => void;
};

type Props = {
  session: Session;
  index: number;
  top: number;
  height: number;
  selected: boolean;
  current: boolean;
  /** Null: as a card. */
  columns: readonly Column[] | null;
  template: string;
  actions: RowActions;
};

/** One session in the list. */
export const SessionRow = memo(function SessionRow(props: Props) {
  const { index, top, height, selected, current, columns, template, actions } = props;
  const { session_id } = props.session;
  // The list's order is renewed less often than a session changes.
  const session = useLive((state) => state.sessions.get(session_id)) ?? props.session;
  const openByPointer = ({ target, currentTarget }: MouseEvent<HTMLElement>) => {
    // React lets presses in the row's menu come by here, though it is elsewhere in the document.
    const here = target instanceof Element && currentTarget.contains(target) ? target : null;
    if (here !== null && here.closest("a,button,label,input") === null) actions.open(session_id);
  };
  return (
    // For the keyboard, the name in it is a link; this only makes the target larger.
    <tr
      aria-rowindex={index + 2}
      data-key={session_id}
      onClick={openByPointer}
      style={{ transform: `translateY(${top}px)`, height, ...(columns ? { gridTemplateColumns: template } : {}) }}
      className={cn(
        "absolute inset-x-0 top-0 cursor-pointer border-b border-line",
        "has-[a:focus-visible]:outline-2 has-[a:focus-visible]:-outline-offset-2 has-[a:focus-visible]:outline-accent",
        selected ? "bg-accent-soft" : current ? "bg-raised" : "hover:bg-raised",
        columns ? `grid items-center ${edgeOf(columns)}` : "flex items-center gap-1 py-1 pr-2 pl-1",
      )}
    >
      {columns ? (
        columns.map((column) => (
          <td
            key={column.key}
            className={cn(
              "min-w-0 px-1.5",
              column.key === "stop" && "pl-3",
              column.figures && "text-right text-muted tabular-nums",
            )}
          >
            <CellContent column={column.key} session={session} selected={selected} actions={actions} />
          </td>
        ))
      ) : (
        <Card session={session} selected={selected} actions={actions} />
      )}
    </tr>
  );
});

function Card({ session, selected, actions }: { session: Session; selected: boolean; actions: RowActions }) {
  const mayChange = useMayChange();
  const about = [session.agent_name, session.project_dir && folderOf(session.project_dir)].filter(Boolean).join(" · ");
  return (
    <>
      {mayChange ? (
        <td>
          <SelectBox session={session} selected={selected} actions={actions} />
        </td>
      ) : null}
      <td className={cn("flex min-w-0 flex-1 flex-col gap-1", !mayChange && "pl-2")}>
        <NameLink session={session} actions={actions} />
        <div className="flex min-w-0 items-center gap-2 text-xs text-muted tabular-nums">
          <StatusBadge session={session} />
          {session.status === "running" || session.presence === "connected" ? <PresenceDot session={session} /> : null}
          <span className="min-w-0 truncate">
            <RunLength session={session} /> · <Ago iso={session.modified_at} />
            {about ? ` · ${about}` : ""} · {eventsIn(session)}
            {session.cost_usd == null ? "" : ` · ${dollars(session.cost_usd)}`}
          </span>
        </div>
      </td>
      <td className="flex items-center">
        <StopButton session={session} size="small" />
        <SessionMenuButton session={session} onChoose={(chosen) => actions.choose(session.session_id, chosen)} />
      </td>
    </>
  );
}
