import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";

import { dollars, short, whole } from "@/format/numbers";
import { duration, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { PresenceDot } from "@/sessions/presence-dot";
import { SessionMenu } from "@/sessions/session-menu";
import { StatusBadge } from "@/sessions/status-badge";
import { StopButton } from "@/stop/stop-button";
import { StopTruth } from "@/stop/stop-truth";
import { IconButton } from "@/ui/button";
import { PageHeader } from "@/ui/page";
import type { Session } from "@/wire/types";

import { DownloadButton } from "./download-button";

/** Whose run this is, how it stands and what it has taken; and Stop. */
export function SessionHeader({
  session,
  gone,
  onDeleted,
}: {
  session: Session;
  gone: boolean;
  onDeleted: () => void;
}) {
  return (
    <div className="flex flex-col gap-2 px-3 pt-3 md:px-4">
      <div className="flex items-start gap-1">
        <IconButton label="Back to the sessions" asChild>
          <Link to="/sessions">
            <ArrowLeft className="size-4" aria-hidden />
          </Link>
        </IconButton>
        <div className="min-w-0 flex-1">
          <PageHeader title={session.session_name}>
            {gone ? null : (
              <>
                <DownloadButton
                  sessionId={session.session_id}
                  name={session.session_name}
                  total={session.events ?? null}
                />
                <SessionMenu session={session} onDeleted={onDeleted} />
                <StopButton session={session} />
              </>
            )}
          </PageHeader>
        </div>
      </div>
      <Facts session={session} gone={gone} />
      {gone ? null : <StopTruth session={session} />}
    </div>
  );
}

function Facts({ session, gone }: { session: Session; gone: boolean }) {
  const { usage, cost_usd: cost } = session;
  const events = session.events ?? null;
  return (
    <dl className="flex flex-wrap items-center gap-x-4 gap-y-1 text-xs text-muted tabular-nums md:pl-10">
      {gone ? null : (
        <>
          <Fact label="Status">
            <StatusBadge session={session} />
          </Fact>
          <Fact label="Presence">
            <PresenceDot session={session} />
          </Fact>
        </>
      )}
      {session.agent_name ? <Fact label="Agent">{session.agent_name}</Fact> : null}
      {session.project_dir ? (
        <Fact label="Project">
          <span className="font-mono break-all">{session.project_dir}</span>
        </Fact>
      ) : null}
      <Fact label="Duration of the run">
        <Duration session={session} />
      </Fact>
      {events === null ? null : <Fact label="Events">{`${whole(events)} ${events === 1 ? "event" : "events"}`}</Fact>}
      {usage ? (
        <Fact label="Tokens">
          <span title={tokensInFull(usage)}>
            {short(usage.input_tokens)} in · {short(usage.output_tokens)} out ·{" "}
            {short(usage.cache_read_tokens + usage.cache_write_tokens)} cached
          </span>
        </Fact>
      ) : null}
      {cost === null || cost === undefined ? null : <Fact label="Cost">{dollars(cost)}</Fact>}
    </dl>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="sr-only">{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Duration({ session }: { session: Session }) {
  const now = useNow();
  const start = session.started_at ?? session.created_at;
  const end = session.ended_at ?? (session.status === "running" ? null : session.modified_at);
  const ms = (end === null ? now : Date.parse(end)) - Date.parse(start);
  return <span title={`Since ${moment(start)}`}>{duration(ms)}</span>;
}

function tokensInFull(usage: NonNullable<Session["usage"]>): string {
  return [
    `${whole(usage.input_tokens)} input tokens`,
    `${whole(usage.output_tokens)} output tokens`,
    `${whole(usage.cache_read_tokens)} read from the cache`,
    `${whole(usage.cache_write_tokens)} written to it`,
  ].join(", ");
}
