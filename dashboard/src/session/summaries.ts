import type { StoredEvent } from "@/wire/types";

import type { Item } from "./items";

/** A line is cut here before it is drawn; what is cut is seen when the row is opened. */
const LONGEST = 300;

type Fields = { readonly [name: string]: unknown };

/** Which field of its input says best what a tool was asked to do. */
const TELLING: Record<string, readonly string[]> = {
  Bash: ["command"],
  PowerShell: ["command"],
  BashOutput: ["bash_id", "shell_id"],
  KillShell: ["shell_id"],
  Read: ["file_path"],
  Edit: ["file_path"],
  MultiEdit: ["file_path"],
  Write: ["file_path"],
  NotebookEdit: ["notebook_path"],
  NotebookRead: ["notebook_path"],
  LS: ["path"],
  Glob: ["pattern"],
  WebFetch: ["url"],
  WebSearch: ["query"],
  Task: ["description", "prompt"],
  Agent: ["description", "prompt"],
  Skill: ["skill", "command"],
  ToolSearch: ["query"],
};
/** Where the tool is not known: the first of these that it has. */
const OFTEN_TELLING = [
  "command",
  "cmd",
  "file_path",
  "path",
  "pattern",
  "query",
  "url",
  "description",
  "prompt",
  "title",
  "name",
  "id",
];

/** What a tool was asked to do, in a line. `project` is cut from the front of paths. */
export function summaryOfTool(name: string, input: Fields | null, project: string | null): string {
  if (input === null) return "";
  if (name === "Grep") {
    const where = said(input.path) ?? said(input.glob);
    return line(`${said(input.pattern) ?? ""}${where === null ? "" : ` in ${within(where, project)}`}`);
  }
  if (name === "TodoWrite" && Array.isArray(input.todos)) return todos(input.todos);
  const fields = TELLING[name] ?? OFTEN_TELLING;
  for (const field of fields) {
    const value = said(input[field]);
    if (value !== null) return line(field.endsWith("path") ? within(value, project) : value);
  }
  const names = Object.keys(input);
  return names.length === 0 ? "" : line(JSON.stringify(input).slice(0, 2 * LONGEST));
}

/** A tool's name as people say it: `mcp__github__create_issue` is `github: create_issue`. */
export function toolName(name: string): string {
  const mcp = /^mcp__(.+?)__(.+)$/.exec(name);
  return mcp ? `${mcp[1]}: ${mcp[2]}` : name;
}

/** An item in a line, without its name. */
export function summaryOf(item: Item, project: string | null): string {
  switch (item.kind) {
    case "prompt":
    case "answer":
      return line(textOf(item.event));
    case "tool":
      return summaryOfTool(item.name, (item.use ?? item.result)?.tool_input ?? null, project);
    case "agent":
      return line(said(item.agent.start?.description) ?? "");
    case "begin":
      return line([said(item.event.source), said(item.event.model)].filter((word) => word !== null).join(", "));
    case "end":
      return line(ending(item.event));
    case "output":
      return line(textOfOutput(item.events).trimEnd().split("\n").at(-1) ?? "");
    case "usage":
      return line(said(item.event.model) ?? "");
    case "other":
      return summaryOfOther(item.event);
  }
}

/** How an event's kind is called where nothing else is known: `events_dropped` is "Events dropped". */
export function eventName(eventType: string): string {
  const words = eventType.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What a message says; blocks that are no text are named. */
export function textOf(event: StoredEvent): string {
  const blocks = event.content ?? [];
  return blocks.map((block) => (typeof block.text === "string" ? block.text : `[${block.type}]`)).join("\n");
}

export function textOfOutput(events: readonly StoredEvent[]): string {
  return events.map((event) => (typeof event.text === "string" ? event.text : "")).join("");
}

function ending(event: StoredEvent): string {
  const code = event.exit_code != null ? `exit code ${event.exit_code}` : null;
  return [said(event.reason), code].filter((word) => word !== null).join(", ");
}

function summaryOfOther(event: StoredEvent): string {
  if (event.event_type === "events_dropped" && typeof event.count === "number") {
    return `${event.count} events are missing here: Redis was away for too long`;
  }
  if (event.event_type === "output_dropped" && typeof event.dropped_bytes === "number") {
    return `${event.dropped_bytes} bytes of output are not shown`;
  }
  for (const field of ["message", "text", "reason", "error", "subtype", "title", "description", "tool_name"]) {
    const value = said(event[field]);
    if (value !== null) return line(value);
  }
  return "";
}

function todos(list: readonly unknown[]): string {
  const done = list.filter((todo) => isFields(todo) && todo.status === "completed").length;
  const current = list.find((todo) => isFields(todo) && todo.status === "in_progress");
  const now = isFields(current) ? (said(current.activeForm) ?? said(current.content)) : null;
  return line(`${done} of ${list.length} done${now === null ? "" : `: ${now}`}`);
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function said(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value.trim() !== "" ? value : null;
}

function within(path: string, project: string | null): string {
  return project !== null && path.startsWith(`${project}/`) ? path.slice(project.length + 1) : path;
}

/** One line of a text: its first, with what follows it hinted at. Control characters would not be seen as they are. */
function line(text: string): string {
  const trimmed = text.trim();
  const end = trimmed.indexOf("\n");
  const first = end === -1 ? trimmed : `${trimmed.slice(0, end).trimEnd()} …`;
  const cut = first.length > LONGEST ? `${first.slice(0, LONGEST)}…` : first;
  return cut.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, " ");
}
