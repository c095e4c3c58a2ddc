import { isObject } from "./rules";

/** What is repeated in the form has an id of its own, so that it keeps its place and focus while its name changes. */
export type Item = { id: string; value: string };
export type Pair = { id: string; name: string; value: string };

/** An MCP server as the form has it. What belongs to the other kind is kept while somebody changes their mind. */
export type Row = {
  id: string;
  name: string;
  kind: "stdio" | "http";
  command: string;
  args: readonly Item[];
  env: readonly Pair[];
  url: string;
  headers: readonly Pair[];
  /** Fields that the form does not know, as they came. */
  extra: Readonly<Record<string, unknown>>;
};

export type ServersObject = Record<string, unknown>;

/**
 * The servers while they are edited: in the form's view `rows` count, in the other one `text`.
 *
 * In the form's view `text` is the JSON that the rows were read from, until one changes: who only looks at the form finds
 * the JSON as it was left.
 */
export type Servers = { view: "form" | "json"; rows: readonly Row[]; text: string | null };

let last = 0;

export function newId(): string {
  last += 1;
  return `row-${last}`;
}

export const newItem = (value = ""): Item => ({ id: newId(), value });
export const newPair = (name = "", value = ""): Pair => ({ id: newId(), name, value });

export const newRow = (name = ""): Row => ({
  id: newId(),
  name,
  kind: "stdio",
  command: "",
  args: [],
  env: [],
  url: "",
  headers: [],
  extra: {},
});

const OWN = { stdio: ["type", "command", "args", "env"], http: ["type", "url", "headers"] };

/** The form's rows for servers that have been checked. */
export function rowsOf(servers: Readonly<ServersObject> | null): Row[] {
  return Object.entries(servers ?? {}).map(([name, server]) => rowOf(name, isObject(server) ? server : {}));
}

function rowOf(name: string, server: Readonly<Record<string, unknown>>): Row {
  const kind = server.type === "http" ? "http" : "stdio";
  return {
    ...newRow(name),
    kind,
    command: kind === "stdio" ? String(server.command ?? "") : "",
    args: kind === "stdio" && Array.isArray(server.args) ? server.args.map((one) => newItem(String(one))) : [],
    env: kind === "stdio" ? pairsOf(server.env) : [],
    url: kind === "http" ? String(server.url ?? "") : "",
    headers: kind === "http" ? pairsOf(server.headers) : [],
    extra: Object.fromEntries(Object.entries(server).filter(([field]) => !OWN[kind].includes(field))),
  };
}

const pairsOf = (value: unknown): Pair[] =>
  isObject(value) ? Object.entries(value).map(([name, one]) => newPair(name, String(one))) : [];

/** The servers as they are sent. Of rows with one name the last counts, as in JSON; the form refuses them before. */
export function serversOf(rows: readonly Row[]): ServersObject {
  return Object.fromEntries(rows.map((row) => [row.name, serverOf(row)]));
}

function serverOf(row: Row): Record<string, unknown> {
  if (row.kind === "http")
    return { type: "http", url: row.url, ...objectOf("headers", row.headers), ...otherThan("http", row.extra) };
  const args = row.args.map((item) => item.value);
  return { type: "stdio", command: row.command, args, ...objectOf("env", row.env), ...otherThan("stdio", row.extra) };
}

const objectOf = (field: string, pairs: readonly Pair[]) =>
  pairs.length > 0 ? { [field]: Object.fromEntries(pairs.map((pair) => [pair.name, pair.value])) } : {};

/** A field that the other kind does not know becomes the form's own when the kind is changed. */
const otherThan = (kind: Row["kind"], extra: Row["extra"]) =>
  Object.fromEntries(Object.entries(extra).filter(([field]) => !OWN[kind].includes(field)));

export function jsonOf(servers: Readonly<ServersObject>): string {
  return JSON.stringify(servers, null, 2);
}

/** What `{"mcpServers": {…}}` holds, as other programs' settings have it; anything else as it is. */
export function unwrapped(value: ServersObject): { servers: ServersObject; path: readonly string[] } {
  const inner = value.mcpServers;
  const alone = Object.keys(value).length === 1 && isObject(inner);
  return alone && typeof inner.command !== "string" && typeof inner.url !== "string"
    ? { servers: inner, path: ["mcpServers"] }
    : { servers: value, path: [] };
}

/** The name that a server can take next to the others: `server`, `server-2`, … */
export function freeName(rows: readonly Row[]): string {
  const taken = new Set(rows.map((row) => row.name));
  for (let number = 1; ; number += 1) {
    const proposed = number === 1 ? "server" : `server-${number}`;
    if (!taken.has(proposed)) return proposed;
  }
}
