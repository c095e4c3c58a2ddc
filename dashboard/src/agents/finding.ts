import type { Blueprint } from "@/wire/types";

import type { AgentsSearch } from "./search";

/** The agents that the filters leave, in the order in which they came. */
export function found(agents: readonly Blueprint[], search: AgentsSearch): Blueprint[] {
  const words = (search.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const tags = search.tag ?? [];
  return agents.filter((agent) => {
    if (search.status !== undefined && agent.status !== search.status) return false;
    if (!tags.every((tag) => agent.tags.includes(tag))) return false;
    if (words.length === 0) return true;
    const text = [agent.name, agent.description, ...agent.tags, ...(agent.skills ?? [])].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export type Count = { name: string; count: number };

/** How many agents have each tag, the most used first. */
export function tagCounts(agents: readonly Blueprint[]): Count[] {
  const counts = new Map<string, number>();
  for (const agent of agents) for (const tag of new Set(agent.tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort((one, other) => other.count - one.count || one.name.localeCompare(other.name));
}

const LONGEST_NAME = 60;

/** A name for a copy that nobody has yet: `reviewer-copy`, `reviewer-copy-2`, … */
export function copyName(name: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number += 1) {
    const ending = number === 1 ? "-copy" : `-copy-${number}`;
    const proposed = name.slice(0, LONGEST_NAME - ending.length) + ending;
    if (!taken.has(proposed)) return proposed;
  }
}
