import type { Status } from "@/wire/types";

export const STATUSES = ["running", "finished", "stopped"] as const satisfies readonly Status[];
export const SORT_KEYS = [
  "created",
  "name",
  "agent",
  "project",
  "status",
  "presence",
  "duration",
  "activity",
  "events",
  "tokens",
  "cost",
] as const;
export type SortKey = (typeof SORT_KEYS)[number];
export type Direction = "asc" | "desc";

/** What the address says of the list. What is absent is as it is by default: everything, newest first, not grouped. */
export type SessionsSearch = {
  /** Part of the name, id, project or agent. */
  q?: string;
  status?: Status;
  /** An agent's name; empty for sessions that name none. */
  agent?: string;
  /** A project's directory; empty for sessions that name none. */
  project?: string;
  sort?: SortKey;
  dir?: Direction;
  group?: "project";
};

export const DEFAULT_SORT: SortKey = "created";

/** The direction in which a column is wanted first: names from A, figures and times from the largest. */
export const firstDirection = (sort: SortKey): Direction =>
  ["name", "agent", "project", "status", "presence"].includes(sort) ? "asc" : "desc";

export function readSessionsSearch(raw: Record<string, unknown>): SessionsSearch {
  const search: SessionsSearch = {};
  const q = textOf(raw.q);
  if (q) search.q = q;
  const status = STATUSES.find((one) => one === raw.status);
  if (status) search.status = status;
  const agent = textOf(raw.agent);
  if (agent !== undefined) search.agent = agent;
  const project = textOf(raw.project);
  if (project !== undefined) search.project = project;
  const sort = SORT_KEYS.find((one) => one === raw.sort) ?? DEFAULT_SORT;
  if (sort !== DEFAULT_SORT) search.sort = sort;
  if ((raw.dir === "asc" || raw.dir === "desc") && raw.dir !== firstDirection(sort)) search.dir = raw.dir;
  if (raw.group === "project") search.group = "project";
  return search;
}

/** The search after a press on a column's heading: first as it is wanted first, then reversed, then as by default. */
export function sortedBy(search: SessionsSearch, sort: SortKey): SessionsSearch {
  const { sort: _sort, dir: _dir, ...rest } = search;
  const first = firstDirection(sort);
  if ((search.sort ?? DEFAULT_SORT) !== sort) return sort === DEFAULT_SORT ? rest : { ...rest, sort };
  if (search.dir === undefined) return { ...rest, ...(sort === DEFAULT_SORT ? {} : { sort }), dir: opposite(first) };
  return rest;
}

export const directionOf = (search: SessionsSearch): Direction =>
  search.dir ?? firstDirection(search.sort ?? DEFAULT_SORT);

const opposite = (direction: Direction): Direction => (direction === "asc" ? "desc" : "asc");

/** The router reads digits in an address as a number. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
