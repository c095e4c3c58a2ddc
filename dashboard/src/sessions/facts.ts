import { whole } from "@/format/numbers";
import type { Session, Status } from "@/wire/types";

/** How long the present run has gone on, or the last one went on, in ms. */
export function runLength(session: Session, now: number): number {
  const start = Date.parse(session.started_at ?? session.created_at);
  const end = session.ended_at ?? (session.status === "running" ? null : session.modified_at);
  return Math.max(0, (end === null ? now : Date.parse(end)) - start);
}

/** All tokens that were reported, cached ones included; null where nobody has reported any. */
export function tokensOf({ usage }: Session): number | null {
  if (!usage) return null;
  return usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
}

/** How many events a session has, in words. */
export function eventsIn({ events }: Session): string {
  return `${whole(events ?? 0)} ${events === 1 ? "event" : "events"}`;
}

/** The last part of a path, under either system's rules. */
export function folderOf(path: string): string {
  const parts = path.split(/[/\\]+/).filter(Boolean);
  return parts.at(-1) ?? path;
}

/** How a session stands, finer than its status. */
export type Standing = "running" | "stopping" | "stopped" | "stopped-unconfirmed" | "finished";

export function standingOf(session: { status: Status; stop_confirmed?: boolean | null }): Standing {
  const pending = session.stop_confirmed === false;
  if (session.status === "finished") return "finished";
  if (session.status === "running") return pending ? "stopping" : "running";
  return pending ? "stopped-unconfirmed" : "stopped";
}
