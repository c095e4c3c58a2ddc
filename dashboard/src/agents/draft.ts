import type { Blueprint, BlueprintCreate } from "@/wire/types";

import {
  checkLength,
  checkName,
  checkServerName,
  checkServers,
  checkSkill,
  checkTag,
  MOST,
  type Problem,
} from "./rules";
import { jsonOf, type Pair, type Row, rowsOf, type Servers, type ServersObject, serversOf } from "./servers";
import { inWords, readServers } from "./servers-json";

/** An agent while it is written. Its name counts only while it is new. */
export type Draft = {
  name: string;
  description: string;
  prompt: string;
  servers: Servers;
  skills: readonly string[];
  tags: readonly string[];
};

/** The parts that can be changed later. */
export const FIELDS = ["description", "prompt", "servers", "tags", "skills"] as const;
export type Field = (typeof FIELDS)[number];

/** What people call the parts, and what the contract does. */
export const LABELS: Record<Field, string> = {
  description: "the description",
  prompt: "the system prompt",
  servers: "the MCP servers",
  tags: "the tags",
  skills: "the skills",
};
export const WIRE_NAMES: Record<Field, keyof BlueprintCreate> = {
  description: "description",
  prompt: "system_prompt",
  servers: "mcp_servers",
  tags: "tags",
  skills: "skills",
};

export const EMPTY: Draft = {
  name: "",
  description: "",
  prompt: "",
  servers: { view: "form", rows: [], text: null },
  skills: [],
  tags: [],
};

/** What is written from: a stored agent, a copy of one, or a file. */
export type Source = Partial<Omit<BlueprintCreate, "mcp_servers">> & { mcp_servers?: ServersObject | null | undefined };

export function draftOf(source: Source, view: Servers["view"] = "form"): Draft {
  const rows = rowsOf(source.mcp_servers ?? null);
  const text = view === "json" ? jsonOf(serversOf(rows)) : null;
  return {
    name: source.name ?? "",
    description: source.description ?? "",
    prompt: source.system_prompt ?? "",
    servers: { view, rows, text },
    // Twice the same says nothing more.
    skills: [...new Set(source.skills)],
    tags: [...new Set(source.tags)],
  };
}

/** The MCP servers as they would be sent; null while the JSON can't be used. */
export function serversIn(servers: Servers): ServersObject | null {
  if (servers.view === "form") return serversOf(servers.rows);
  const { servers: value, problems } = readServers(servers.text ?? "");
  return problems.length === 0 ? value : null;
}

/** The other view of the same servers; null when the JSON can't be used, and has to be mended first. */
export function otherView(servers: Servers): Servers | null {
  if (servers.view === "form")
    return { ...servers, view: "json", text: servers.text ?? jsonOf(serversOf(servers.rows)) };
  const value = serversIn(servers);
  return value === null ? null : { view: "form", rows: rowsOf(value), text: servers.text };
}

/** The value of one part as it is sent: what is empty is null where it can be, for null clears. */
function sentValue(draft: Draft, field: Field): unknown {
  switch (field) {
    case "description":
      return draft.description;
    case "prompt":
      return draft.prompt === "" ? null : draft.prompt;
    case "servers": {
      const servers = serversIn(draft.servers);
      return servers !== null && Object.keys(servers).length === 0 ? null : servers;
    }
    case "tags":
      return draft.tags;
    case "skills":
      return draft.skills.length === 0 ? null : draft.skills;
  }
}

/** One part in a form that can be compared. */
function comparable(draft: Draft, field: Field): string {
  if (field === "servers" && serversIn(draft.servers) === null) return `unreadable ${draft.servers.text}`;
  return JSON.stringify(sentValue(draft, field));
}

const sameIn = (one: Draft, other: Draft, field: Field): boolean =>
  one[field] === other[field] || comparable(one, field) === comparable(other, field);

/** The parts in which two drafts differ. */
export function differences(one: Draft, other: Draft): Field[] {
  return FIELDS.filter((field) => !sameIn(one, other, field));
}

/** What is sent to create the agent. The draft has been checked. */
export function creationOf(draft: Draft, status: Blueprint["status"]): BlueprintCreate {
  const values = Object.fromEntries(FIELDS.map((field) => [WIRE_NAMES[field], sentValue(draft, field)]));
  return { name: draft.name, ...values, status } as BlueprintCreate;
}

/** What is sent to change it: the parts that differ from what it was. The draft has been checked. */
export function changesOf(base: Draft, draft: Draft): Partial<BlueprintCreate> {
  return Object.fromEntries(differences(base, draft).map((field) => [WIRE_NAMES[field], sentValue(draft, field)]));
}

export type Rebased = { draft: Draft; taken: Field[]; clashes: Field[] };

/**
 * What becomes of a draft when somebody else has changed the agent: what was not touched here becomes theirs, and what
 * both have changed stays ours, but is said.
 */
export function rebase(base: Draft, mine: Draft, theirs: Draft): Rebased {
  const changed = differences(base, theirs);
  const clashes = changed.filter((field) => !sameIn(base, mine, field) && !sameIn(mine, theirs, field));
  const taken = changed.filter((field) => sameIn(base, mine, field));
  return { draft: { ...mine, ...Object.fromEntries(taken.map((field) => [field, theirs[field]])) }, taken, clashes };
}

/** What is wrong with a draft, by paths of the contract's names; rows of the form are named by their ids. */
export function checkDraft(draft: Draft, isNew: boolean, takenNames: ReadonlySet<string>): Problem[] {
  const problems: Problem[] = [];
  const note = (path: Problem["path"], message: string | null) => {
    if (message !== null) problems.push({ path, message });
  };
  if (isNew) {
    note(["name"], checkName(draft.name));
    if (takenNames.has(draft.name)) note(["name"], "There is an agent of that name already.");
  }
  note(["description"], checkLength(draft.description, MOST.description));
  note(["system_prompt"], checkLength(draft.prompt, MOST.prompt));
  problems.push(...(draft.servers.view === "form" ? checkRows(draft.servers.rows) : checkText(draft.servers.text)));
  for (const [index, tag] of draft.tags.entries()) note(["tags", index], checkTag(tag));
  for (const [index, skill] of draft.skills.entries()) note(["skills", index], checkSkill(skill));
  for (const field of ["tags", "skills"] as const)
    if (draft[field].length > MOST.entries) note([field], `At most ${MOST.entries}.`);
  return problems;
}

function checkText(text: string | null): Problem[] {
  return readServers(text ?? "").problems.map((problem) => ({ path: ["mcp_servers"], message: inWords(problem) }));
}

function checkRows(rows: readonly Row[]): Problem[] {
  const problems: Problem[] = [];
  const names = new Set<string>();
  for (const row of rows) {
    const path = ["mcp_servers", row.id];
    const wrong = names.has(row.name) ? "There is a server of that name above." : checkServerName(row.name);
    if (wrong !== null) problems.push({ path: [...path, "name"], message: wrong });
    names.add(row.name);
    problems.push(...checkPairs(row.kind === "stdio" ? row.env : row.headers, path));
    // Under a name of its own, so that one row is looked at and not another of the same name.
    for (const found of checkServers(serversOf([{ ...row, name: "server" }])))
      problems.push({ path: [...path, ...found.path.slice(1)], message: found.message });
  }
  if (rows.length > MOST.entries) problems.push({ path: ["mcp_servers"], message: `At most ${MOST.entries} servers.` });
  return problems;
}

function checkPairs(pairs: readonly Pair[], path: Problem["path"]): Problem[] {
  const names = new Set<string>();
  return pairs.flatMap((pair) => {
    const message = pair.name === "" ? "A name is needed." : names.has(pair.name) ? "This name is there twice." : null;
    names.add(pair.name);
    return message === null ? [] : [{ path: [...path, pair.id], message }];
  });
}
