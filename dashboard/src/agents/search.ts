import type { Blueprint } from "@/wire/types";

type Status = Blueprint["status"];

/** What the address says of the agents' page; defaults are left out of it. */
export type AgentsSearch = {
  /** Words that the name, the description, a tag or a skill has. */
  q?: string | undefined;
  /** Tags that an agent has to have, all of them. */
  tag?: string[] | undefined;
  status?: Status | undefined;
  /** The agent that is open. */
  open?: string | undefined;
  /** A new one is being written. */
  new?: true | undefined;
  /** The agent that the new one begins as a copy of. */
  from?: string | undefined;
};

/** Reads what somebody may have typed or linked to; what means nothing is dropped. */
export function readAgentsSearch(raw: Record<string, unknown>): AgentsSearch {
  const search: AgentsSearch = {};
  const q = textOf(raw.q);
  if (q) search.q = q;
  const tags = [...new Set((Array.isArray(raw.tag) ? raw.tag : [raw.tag]).map(textOf).filter((tag) => tag !== ""))];
  if (tags.length > 0) search.tag = tags;
  if (raw.status === "active" || raw.status === "inactive") search.status = raw.status;
  if (raw.new === true || raw.new === 1) {
    search.new = true;
    const from = textOf(raw.from);
    if (from) search.from = from;
  } else {
    const open = textOf(raw.open);
    if (open) search.open = open;
  }
  return search;
}

/** The router reads `q=12` as a number and `q=true` as a boolean; here they are words. */
function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}
