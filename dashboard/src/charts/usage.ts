import type { Session } from "@/wire/types";

import type { By } from "./search";

export type Tokens = { input: number; output: number; cacheRead: number; cacheWrite: number };

/** What the sessions of one agent, or project, have used. */
export type Spender = Tokens & { name: string; sessions: number; tokens: number; cost: number };

/** `looked` sessions were active, of which `telling` say what they have used, and `costing` what it cost. */
export type UsageOverview = { spenders: Spender[]; looked: number; telling: number; costing: number };

/** What sessions are under that name nothing. */
export const NAMELESS = { agent: "no agent named", project: "no project" } as const;

/**
 * Tokens and cost of the sessions that were active since a moment, in ms since 1970. They are those of the whole
 * sessions: what of it was used since then, no session says.
 */
export function usageSince(sessions: Iterable<Session>, since: number, by: By): UsageOverview {
  const spenders = new Map<string, Spender>();
  const overview = { looked: 0, telling: 0, costing: 0 };
  for (const session of sessions) {
    if (Date.parse(session.modified_at) < since) continue;
    overview.looked += 1;
    const { usage, cost_usd: cost } = session;
    if (usage !== null) overview.telling += 1;
    if (cost !== null) overview.costing += 1;
    if (usage === null && cost === null) continue;
    const name = (by === "agent" ? session.agent_name : session.project_dir) ?? NAMELESS[by];
    const sum = spenders.get(name) ?? nothingOf(name);
    sum.sessions += 1;
    sum.input += usage?.input_tokens ?? 0;
    sum.output += usage?.output_tokens ?? 0;
    sum.cacheRead += usage?.cache_read_tokens ?? 0;
    sum.cacheWrite += usage?.cache_write_tokens ?? 0;
    sum.tokens = sum.input + sum.output + sum.cacheRead + sum.cacheWrite;
    sum.cost += cost ?? 0;
    spenders.set(name, sum);
  }
  return { spenders: [...spenders.values()], ...overview };
}

const nothingOf = (name: string): Spender => ({
  name,
  sessions: 0,
  tokens: 0,
  cost: 0,
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
});

/** Those that have used the most, and the rest as one. Who has used none is left out. */
export function topSpenders(spenders: readonly Spender[], what: "tokens" | "cost", most: number): Spender[] {
  const sorted = spenders
    .filter((one) => one[what] > 0)
    .sort((one, other) => other[what] - one[what] || one.name.localeCompare(other.name));
  if (sorted.length <= most) return sorted;
  const rest = sorted.slice(most - 1);
  const sum = nothingOf(`${rest.length} others`);
  for (const one of rest)
    for (const field of ["sessions", "tokens", "cost", "input", "output", "cacheRead", "cacheWrite"] as const)
      sum[field] += one[field];
  return [...sorted.slice(0, most - 1), sum];
}
