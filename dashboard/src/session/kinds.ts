import type { Kind } from "./search";

/** What a step is about; the strip has a lane for each. */
export const LANES = ["shell", "edit", "read", "web", "message", "other"] as const;
export type Lane = (typeof LANES)[number];

export const LANE_NAMES: Record<Lane, string> = {
  shell: "Shell",
  edit: "Edits",
  read: "Reads",
  web: "Web, MCP",
  message: "Messages",
  other: "Other",
};

/** By the names that tools of several agents have, in lower case. */
const TOOLS: Record<Exclude<Lane, "message" | "other">, readonly string[]> = {
  shell: ["bash", "bashoutput", "killshell", "killbash", "powershell", "shell", "exec", "local_shell", "run_command"],
  edit: ["edit", "write", "multiedit", "notebookedit", "apply_patch", "write_file", "str_replace_editor"],
  read: ["read", "grep", "glob", "ls", "notebookread", "lsp", "read_file", "list_files", "search", "toolsearch"],
  web: ["webfetch", "websearch", "fetch", "web_search", "browser"],
};
const LANE_OF_TOOL = new Map(
  Object.entries(TOOLS).flatMap(([lane, names]) => names.map((name) => [name, lane as Lane])),
);

export function laneOfTool(name: string): Lane {
  const lower = name.toLowerCase();
  return LANE_OF_TOOL.get(lower) ?? (lower.startsWith("mcp__") ? "web" : "other");
}

export function laneOf(event: { event_type: string; tool_name: string | null }): Lane {
  if (event.event_type === "message") return "message";
  if (event.event_type === "output") return "shell";
  return event.tool_name === null ? "other" : laneOfTool(event.tool_name);
}

/** Tools that let a subagent work. */
export const isAgentTool = (name: string): boolean => name === "Task" || name === "Agent";

export const KIND_NAMES: Record<Kind, string> = {
  prompts: "Prompts",
  answers: "Answers",
  tools: "Tools",
  other: "Other",
};
