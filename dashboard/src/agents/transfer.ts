import type { Blueprint } from "@/wire/types";

import type { Source } from "./draft";
import { checkServers, isObject, type Problem } from "./rules";
import type { ServersObject } from "./servers";

/** No file of an agent's is larger, as far as the server takes it. */
export const LARGEST_FILE = 4 * 1024 * 1024;

/** What a file of an agent's is called. */
export const fileName = (name: string): string => `${name}.agent.json`;

/** An agent as a file: all that is handed in to create one, and so all that the page reads back. */
export function fileOf(agent: Blueprint): string {
  const { name, description, system_prompt, mcp_servers, skills, tags, status } = agent;
  return `${JSON.stringify({ name, description, system_prompt, mcp_servers, skills, tags, status }, null, 2)}\n`;
}

/** Whether values of `env` and `headers`, which may be secrets, are in an agent's file. */
export function holdsValues(agent: Blueprint): boolean {
  return Object.values(agent.mcp_servers ?? {}).some((server) =>
    [server.env, server.headers].some((value) => isObject(value) && Object.keys(value).length > 0),
  );
}

/** What a file was read as; `problems` say why it could not be. */
export type ReadFile = { source: Source; problems: [] } | { source: null; problems: string[] };

/**
 * Reads an agent's file. Wrong types and servers that can't be used are refused, since the form can't show them; what
 * breaks another rule, such as a name that is too long, opens in the form and is said there.
 */
export function readFile(text: string): ReadFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refused([`This is not JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
  if (!isObject(value)) return refused(["This is not an agent: an object with a name and a description is expected."]);
  const problems = wrongTypes(value);
  if (problems.length > 0) return refused(problems);
  return {
    source: {
      name: value.name as string,
      description: (value.description ?? "") as string,
      system_prompt: (value.system_prompt ?? null) as string | null,
      mcp_servers: (value.mcp_servers ?? null) as ServersObject | null,
      skills: (value.skills ?? null) as string[] | null,
      tags: (value.tags ?? []) as string[],
      status: value.status === "inactive" ? "inactive" : "active",
    },
    problems: [],
  };
}

const refused = (problems: string[]): ReadFile => ({ source: null, problems });

function wrongTypes(value: Record<string, unknown>): string[] {
  const problems: string[] = [];
  const expect = (field: string, fits: boolean, what: string) => {
    if (!fits) problems.push(`${field}: ${what} is expected.`);
  };
  expect("name", typeof value.name === "string", "a text");
  expect("description", absent(value.description) || typeof value.description === "string", "a text");
  expect("system_prompt", absent(value.system_prompt) || typeof value.system_prompt === "string", "a text or null");
  expect("skills", absent(value.skills) || isTexts(value.skills), "a list of texts or null");
  expect("tags", absent(value.tags) || isTexts(value.tags), "a list of texts");
  expect("status", [undefined, "active", "inactive"].includes(value.status as string), "“active” or “inactive”");
  if (absent(value.mcp_servers)) return problems;
  if (!isObject(value.mcp_servers)) return [...problems, "mcp_servers: an object or null is expected."];
  return [...problems, ...checkServers(value.mcp_servers).map(inWords)];
}

const absent = (value: unknown): boolean => value === undefined || value === null;

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === "string");

const inWords = (problem: Problem): string => `${["mcp_servers", ...problem.path].join(".")}: ${problem.message}`;
