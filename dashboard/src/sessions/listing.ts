import type { Session, Status } from "@/wire/types";

import { folderOf, runLength, tokensOf } from "./facts";
import { DEFAULT_SORT, directionOf, type SessionsSearch, type SortKey } from "./search";

/** A value to filter by, and how many sessions would be shown if it were chosen. */
export type Facet<T> = { value: T; count: number };

export type Listing = {
  /** The sessions that match, in order. */
  matching: readonly Session[];
  /** How many would match under each status, and `all` under none. */
  statuses: Readonly<Record<Status | "all", number>>;
  agents: readonly Facet<string>[];
  projects: readonly Facet<string>[];
};

export type Item =
  | { kind: "group"; key: string; project: string; count: number; running: number; collapsed: boolean }
  | { kind: "session"; key: string; session: Session };

/** The sessions that an address asks for. `now` matters to those that run, when they are sorted by duration. */
export function listSessions(sessions: Iterable<Session>, search: SessionsSearch, now: number): Listing {
  const words = (search.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const statuses = { all: 0, running: 0, finished: 0, stopped: 0 };
  const agents = new Map<string, number>();
  const projects = new Map<string, number>();
  const matching: Session[] = [];
  for (const session of sessions) {
    if (words.length > 0 && !containsAll(textOf(session), words)) continue;
    const agent = session.agent_name ?? "";
    const project = session.project_dir ?? "";
    const ofStatus = search.status === undefined || search.status === session.status;
    const ofAgent = search.agent === undefined || search.agent === agent;
    const ofProject = search.project === undefined || search.project === project;
    if (ofAgent && ofProject) {
      statuses.all += 1;
      statuses[session.status] += 1;
    }
    if (ofStatus && ofProject) agents.set(agent, (agents.get(agent) ?? 0) + 1);
    if (ofStatus && ofAgent) projects.set(project, (projects.get(project) ?? 0) + 1);
    if (ofStatus && ofAgent && ofProject) matching.push(session);
  }
  return {
    matching: inOrder(matching, search, now),
    statuses,
    agents: facets(agents, search.agent),
    projects: facets(projects, search.project),
  };
}

/** What the list shows, line by line: the sessions, or under headings by project in the order of their first. */
export function itemsOf(
  matching: readonly Session[],
  group: SessionsSearch["group"],
  collapsed: ReadonlySet<string>,
): readonly Item[] {
  if (group === undefined) return matching.map(asItem);
  const items: Item[] = [];
  for (const [project, members] of Map.groupBy(matching, (session) => session.project_dir ?? "")) {
    const running = members.reduce((sum, { status }) => sum + (status === "running" ? 1 : 0), 0);
    const folded = collapsed.has(project);
    items.push({
      kind: "group",
      key: groupKey(project),
      project,
      count: members.length,
      running,
      collapsed: folded,
    });
    if (!folded) for (const session of members) items.push(asItem(session));
  }
  return items;
}

/** A heading's key. No session's id has a slash in it. */
export const groupKey = (project: string): string => `project/${project}`;

/** The agents that have something to stop, by name, with how many sessions of theirs run. */
export function runningByAgent(sessions: Iterable<Session>): { agents: readonly Facet<string>[]; running: number } {
  const agents = new Map<string, number>();
  let running = 0;
  for (const { status, agent_name } of sessions) {
    if (status !== "running") continue;
    running += 1;
    if (agent_name) agents.set(agent_name, (agents.get(agent_name) ?? 0) + 1);
  }
  return { agents: facets(agents, undefined), running };
}

const asItem = (session: Session): Item => ({ kind: "session", key: session.session_id, session });

// A session is another object whenever it changes.
const texts = new WeakMap<Session, string>();

function textOf(session: Session): string {
  let text = texts.get(session);
  if (text === undefined) {
    const { session_name, session_id, project_dir, agent_name } = session;
    text = `${session_name}\n${session_id}\n${project_dir ?? ""}\n${agent_name ?? ""}`.toLowerCase();
    texts.set(session, text);
  }
  return text;
}

const containsAll = (text: string, words: readonly string[]): boolean => words.every((word) => text.includes(word));

type Value = string | number | null;

const VALUES: Record<SortKey, (session: Session, now: number) => Value> = {
  created: (session) => session.created_at,
  name: (session) => session.session_name.toLowerCase(),
  agent: (session) => session.agent_name?.toLowerCase() ?? null,
  project: (session) => (session.project_dir ? folderOf(session.project_dir).toLowerCase() : null),
  status: (session) => ["running", "stopped", "finished"].indexOf(session.status),
  presence: (session) => ["connected", "hooks", "none"].indexOf(session.presence),
  duration: runLength,
  activity: (session) => session.modified_at,
  events: (session) => session.events ?? 0,
  tokens: tokensOf,
  cost: (session) => session.cost_usd ?? null,
};

/** What has no value comes last, whichever the direction; among equals the newest comes first. */
function inOrder(sessions: readonly Session[], search: SessionsSearch, now: number): readonly Session[] {
  const keyOf = VALUES[search.sort ?? DEFAULT_SORT];
  const sign = directionOf(search) === "asc" ? 1 : -1;
  const keyed = sessions.map((session) => ({ session, value: keyOf(session, now) }));
  keyed.sort((a, b) => {
    if (a.value !== b.value) {
      if (a.value === null) return 1;
      if (b.value === null) return -1;
      return a.value < b.value ? -sign : sign;
    }
    if (a.session.created_at !== b.session.created_at) return a.session.created_at < b.session.created_at ? 1 : -1;
    return a.session.session_id < b.session.session_id ? -1 : 1;
  });
  return keyed.map(({ session }) => session);
}

/** By name. What is chosen is among them though nothing matches, so that it can be seen and taken back. */
function facets(counts: ReadonlyMap<string, number>, chosen: string | undefined): readonly Facet<string>[] {
  const all = [...counts].map(([value, count]) => ({ value, count }));
  if (chosen !== undefined && !counts.has(chosen)) all.push({ value: chosen, count: 0 });
  return all.sort((a, b) => (a.value < b.value ? -1 : 1));
}
