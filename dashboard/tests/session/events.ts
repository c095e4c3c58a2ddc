import type { StoredEvent } from "@/wire/types";

const START = Date.parse("2026-01-24T10:00:00Z");

/** An event as the coordinator answers it; a second passes with each id. */
export function event(id: number, event_type: string, more: Record<string, unknown> = {}): StoredEvent {
  return {
    id,
    event_type,
    session_id: "s",
    session_name: "s",
    timestamp: new Date(START + id * 1000).toISOString(),
    tool_name: null,
    tool_input: null,
    tool_output: null,
    error: null,
    exit_code: null,
    reason: null,
    role: null,
    content: null,
    ...more,
  };
}

/** Messages with these ids. */
export const messages = (...ids: number[]): StoredEvent[] =>
  ids.map((id) => event(id, "message", { role: "assistant", content: [{ type: "text", text: `m${id}` }] }));

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);
