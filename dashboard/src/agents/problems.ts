import { ApiError, type FieldProblem } from "@/wire/client";

import type { Problem } from "./rules";
import type { Servers } from "./servers";

/** A server's kind stands in the path to what is wrong in it, after its name. */
const KINDS = new Set<unknown>(["stdio", "http"]);

/** What the server has against an agent, by the form's paths; null when the error is of another kind. */
export function problemsFrom(error: unknown, servers: Servers): Problem[] | null {
  if (!(error instanceof ApiError)) return null;
  if (error.status === 409) return [{ path: ["name"], message: `${capital(error.message)}.` }];
  if (error.status !== 422 || error.fields.length === 0) return null;
  return error.fields.map((field) => problemOf(field, servers));
}

function problemOf({ loc, msg }: FieldProblem, servers: Servers): Problem {
  const path = loc[0] === "body" ? loc.slice(1) : [...loc];
  const message = capital(msg);
  if (path[0] !== "mcp_servers" || path.length === 1) return { path, message };
  const [name, ...within] = path.slice(1);
  const rest = KINDS.has(within[0]) ? within.slice(1) : within;
  const named = rest[0] === "[key]" ? ["name"] : rest;
  if (servers.view === "json") return { path: ["mcp_servers"], message: `${[name, ...named].join(".")}: ${message}` };
  const row = servers.rows.findLast((one) => one.name === String(name));
  if (row === undefined) return { path: ["mcp_servers"], message: `${name}: ${message}` };
  return { path: ["mcp_servers", row.id, ...named], message };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What is said at exactly this path; undefined when nothing is. */
export function messageAt(problems: readonly Problem[], ...path: Problem["path"]): string | undefined {
  return inOne(problems.filter((problem) => problem.path.length === path.length && startsWith(problem, path)));
}

/** What is said at this path and at all that lies below it. */
export function messageUnder(problems: readonly Problem[], ...path: Problem["path"]): string | undefined {
  return inOne(problems.filter((problem) => startsWith(problem, path)));
}

const startsWith = (problem: Problem, path: Problem["path"]): boolean =>
  path.every((step, index) => problem.path[index] === step);

const inOne = (problems: readonly Problem[]): string | undefined =>
  problems.length > 0 ? [...new Set(problems.map((problem) => problem.message))].join(" ") : undefined;

/** The parts that the form has a place for; a problem elsewhere is shown above it. */
const SHOWN = new Set<unknown>(["name", "description", "system_prompt", "mcp_servers", "tags", "skills"]);

export const withoutPlace = (problems: readonly Problem[]): Problem[] =>
  problems.filter((problem) => !SHOWN.has(problem.path[0]));
