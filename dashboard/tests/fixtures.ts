import type { Session, StoredEvent } from "@/wire/types";

/** A session as the server sends it; a test says what matters to it. */
export function session(session_id: string, rest: Partial<Session> = {}): Session {
  return {
    session_id,
    session_name: session_id,
    status: "running",
    created_at: "2026-01-24T10:00:00.000000+00:00",
    modified_at: "2026-01-24T10:00:00.000000+00:00",
    project_dir: null,
    agent_name: null,
    presence: "none",
    stop_confirmed: null,
    usage: null,
    cost_usd: null,
    run: "1",
    events: 0,
    started_at: "2026-01-24T10:00:00.000000+00:00",
    ended_at: null,
    stop_requested_at: null,
    stop_confirmed_at: null,
    ...rest,
  };
}

/** An event as the server sends it. */
export function event(id: number, rest: Partial<StoredEvent> = {}): StoredEvent {
  return {
    id,
    event_type: "message",
    session_id: "s",
    session_name: "s",
    timestamp: "2026-01-24T10:00:01.000000+00:00",
    tool_name: null,
    tool_input: null,
    tool_output: null,
    error: null,
    exit_code: null,
    reason: null,
    role: null,
    content: null,
    ...rest,
  };
}
