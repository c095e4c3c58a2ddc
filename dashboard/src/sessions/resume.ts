import type { Session } from "@/wire/types";

/** A way to go on with a session: what it is for, and what to type. */
export type Way = { title: string; language: "sh" | "python"; text: string };

/** Claude Code names its sessions by UUIDs. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** How to start a session's agent again, so that it goes on in the same session; the likeliest way first. */
export function waysToResume(session: Pick<Session, "session_id" | "project_dir">): readonly Way[] {
  const { session_id, project_dir } = session;
  const ways: Way[] = [
    {
      title: "An agent in Python",
      language: "python",
      text: `AgentBridge(session_id=${JSON.stringify(session_id)})`,
    },
    {
      title: "A command",
      language: "sh",
      text: `.venv/bin/agent-bridge run --session-id=${quoted(session_id)} -- CMD`,
    },
  ];
  if (UUID.test(session_id)) {
    const there = project_dir ? `cd ${quoted(project_dir)} && ` : "";
    ways.unshift({ title: "Claude Code", language: "sh", text: `${there}claude --resume ${session_id}` });
  }
  return ways;
}

/** The text as one word of a shell's, whatever is in it: it comes from whoever reported the session. */
export function quoted(text: string): string {
  return /^[\w./@%+:,-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
