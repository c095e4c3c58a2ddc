/** What the server takes. The limits are those of `agent_bus/blueprints.py`; lengths are in characters. */
export const MOST = {
  name: 60,
  description: 10_000,
  prompt: 256 * 1024,
  entries: 100,
  tag: 64,
  skill: 200,
  serverName: 100,
  nesting: 32,
} as const;

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$/;

export const NAME_RULE = "1 to 60 letters, digits, “-” and “_”, a letter or a digit first. It can’t be changed later.";

/** One thing that is wrong: where in the agent (names and indexes), and what, in words for people. */
export type Problem = { path: readonly (string | number)[]; message: string };

/** How many characters the server counts: code points, not UTF-16 units. */
export function lengthOf(text: string): number {
  let length = text.length;
  for (let index = 1; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    const before = text.charCodeAt(index - 1);
    // A lone half is a character of its own, so only whole pairs are taken off.
    if (unit >= 0xdc00 && unit <= 0xdfff && before >= 0xd800 && before <= 0xdbff) length -= 1;
  }
  return length;
}

export function checkName(name: string): string | null {
  if (name === "") return "A name is needed.";
  if (NAME.test(name)) return null;
  if (name.length > MOST.name) return `At most ${MOST.name} characters.`;
  return /^[^A-Za-z0-9]/.test(name)
    ? "It has to begin with a letter or a digit (a–z, A–Z, 0–9)."
    : "Only letters (a–z, A–Z), digits, “-” and “_”.";
}

export function checkLength(text: string, most: number): string | null {
  const over = lengthOf(text) - most;
  return over > 0 ? `${over.toLocaleString()} characters over the limit of ${most.toLocaleString()}.` : null;
}

export function checkTag(tag: string): string | null {
  if (tag.includes(",")) return "A tag can’t have a comma in it.";
  if (tag !== tag.trim()) return "A tag can’t begin or end with a space.";
  return checkLength(tag, MOST.tag);
}

export function checkSkill(skill: string): string | null {
  return checkLength(skill, MOST.skill);
}

/** What is wrong with MCP servers as they would be sent, by paths from the name of a server on. */
export function checkServers(servers: Readonly<Record<string, unknown>>): Problem[] {
  const problems: Problem[] = [];
  const names = Object.keys(servers);
  if (names.length > MOST.entries)
    problems.push({ path: [], message: `At most ${MOST.entries} servers; these are ${names.length}.` });
  if (!nestedWithin(servers, MOST.nesting))
    problems.push({ path: [], message: `Nested deeper than ${MOST.nesting} levels.` });
  for (const [name, server] of Object.entries(servers)) {
    const wrong = checkServerName(name);
    if (wrong !== null) problems.push({ path: [name], message: wrong });
    for (const { path, message } of checkServer(server)) problems.push({ path: [name, ...path], message });
  }
  return problems;
}

export function checkServerName(name: string): string | null {
  if (name === "") return "A server needs a name.";
  return checkLength(name, MOST.serverName);
}

function checkServer(server: unknown): Problem[] {
  if (!isObject(server)) return [{ path: [], message: "A server is an object with a command or a URL." }];
  const type = server.type ?? "stdio";
  if (server.type === null || (type !== "stdio" && type !== "http"))
    return [{ path: ["type"], message: "The type is “stdio” (the default) or “http”." }];
  return type === "stdio"
    ? [...needed(server, "command"), ...texts(server, "args"), ...pairs(server, "env")]
    : [...needed(server, "url"), ...pairs(server, "headers")];
}

function needed(server: Record<string, unknown>, field: "command" | "url"): Problem[] {
  const value = server[field];
  const message = field === "command" ? "A command is needed." : "A URL is needed.";
  if (value === undefined || value === "") return [{ path: [field], message }];
  return checkText(value, [field]);
}

function texts(server: Record<string, unknown>, field: "args"): Problem[] {
  const value = server[field];
  if (value === undefined) return [];
  if (!Array.isArray(value)) return [{ path: [field], message: "This has to be a list of texts." }];
  return value.flatMap((one, index) => checkText(one, [field, index]));
}

function pairs(server: Record<string, unknown>, field: "env" | "headers"): Problem[] {
  const value = server[field];
  if (value === undefined || value === null) return [];
  if (!isObject(value)) return [{ path: [field], message: "This has to be an object of texts." }];
  return Object.entries(value).flatMap(([name, one]) => checkText(one, [field, name]));
}

function checkText(value: unknown, path: Problem["path"]): Problem[] {
  if (typeof value !== "string") return [{ path, message: "This has to be a text, in quotes." }];
  return value.isWellFormed() ? [] : [{ path, message: "This has half a character in it (a lone surrogate)." }];
}

function nestedWithin(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((child) => nestedWithin(child, levels - 1));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
