import { Link } from "@tanstack/react-router";

import { useId } from "react";

import { dollars, short, whole } from "@/format/numbers";
import { ago, duration, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { elapsed } from "@/stop/elapsed";
import { StopButton } from "@/stop/stop-button";
import { Checkbox } from "@/ui/field";
import type { Session } from "@/wire/types";

import type { ColumnKey } from "./columns";
import { eventsIn, folderOf, runLength, tokensOf } from "./facts";
import { PresenceDot } from "./presence-dot";
import { SessionMenuButton } from "./session-menu";
import type { RowActions } from "./session-row";
import { StatusBadge } from "./status-badge";

type CellProps = { column: ColumnKey; session: Session; selected: boolean; actions: RowActions };

/** What a column shows of a session. */
export function CellContent({ column, session, selected, actions }: CellProps) {
  switch (column) {
    case "select":
      return <SelectBox session={session} selected={selected} actions={actions} />;
    case "name":
      return <NameLink session={session} actions={actions} />;
    case "agent":
      return <Truncated text={session.agent_name} title={session.agent_name} />;
    case "project":
      return (
        <Truncated text={session.project_dir ? folderOf(session.project_dir) : null} title={session.project_dir} />
      );
    case "status":
      return <StatusBadge session={session} />;
    case "presence":
      return <PresenceDot session={session} />;
    case "duration":
      return <RunLength session={session} />;
    case "activity":
      return <Ago iso={session.modified_at} />;
    case "events":
      return <span title={eventsIn(session)}>{short(session.events ?? 0)}</span>;
    case "tokens":
      return <Tokens session={session} />;
    case "cost":
      return <>{session.cost_usd == null ? <Nothing /> : dollars(session.cost_usd)}</>;
    case "stop":
      return <StopButton session={session} size="small" />;
    case "more":
      return (
        <SessionMenuButton
          session={session}
          size="small"
          onChoose={(chosen) => actions.choose(session.session_id, chosen)}
        />
      );
  }
}

type BoxProps = { session: Session; selected: boolean; actions: RowActions };

export function SelectBox({ session, selected, actions }: BoxProps) {
  const id = useId();
  return (
    <label htmlFor={id} className="flex size-7 items-center justify-center">
      <span className="sr-only">Select {session.session_name}</span>
      <Checkbox
        id={id}
        checked={selected}
        onChange={({ nativeEvent }) =>
          actions.select(session.session_id, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey)
        }
      />
    </label>
  );
}

export function NameLink({ session, actions }: { session: Session; actions: RowActions }) {
  return (
    <Link
      to="/sessions/$sessionId"
      params={{ sessionId: session.session_id }}
      // Pointing at a row on the way to another is no intent.
      preload={false}
      data-row-focus
      title={
        session.session_name === session.session_id
          ? session.session_id
          : `${session.session_name}\n${session.session_id}`
      }
      onFocus={() => actions.focus(session.session_id)}
      className="block min-w-0 truncate font-medium text-ink outline-none hover:text-accent"
    >
      {session.session_name}
    </Link>
  );
}

export function RunLength({ session }: { session: Session }) {
  const length = runLength(session, useNow());
  return <>{session.status === "running" ? elapsed(length) : duration(length)}</>;
}

export function Ago({ iso }: { iso: string }) {
  return (
    <time dateTime={iso} title={moment(iso)}>
      {ago(iso, useNow())}
    </time>
  );
}

function Tokens({ session }: { session: Session }) {
  const tokens = tokensOf(session);
  const { usage } = session;
  if (tokens === null || !usage) return <Nothing />;
  const title = `${whole(usage.input_tokens)} in, ${whole(usage.output_tokens)} out, ${whole(usage.cache_read_tokens)} read from cache, ${whole(usage.cache_write_tokens)} written to cache`;
  return <span title={title}>{short(tokens)}</span>;
}

function Truncated({ text, title }: { text: string | null; title: string | null }) {
  if (!text) return <Nothing />;
  return (
    <span className="block truncate" title={title ?? undefined}>
      {text}
    </span>
  );
}

/** A value that there is none of: a dash for the eye, nothing for the ear. */
function Nothing() {
  return (
    <span className="text-muted" aria-hidden>
      –
    </span>
  );
}
