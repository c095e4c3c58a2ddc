import { expect, test } from "vitest";

import { copyName, found, tagCounts } from "@/agents/finding";
import type { Blueprint } from "@/wire/types";

const agent = (name: string, rest: Partial<Blueprint> = {}): Blueprint => ({
  name,
  description: "",
  system_prompt: null,
  mcp_servers: null,
  skills: null,
  tags: [],
  status: "active",
  created_at: "2026-01-24T10:00:00.000000+00:00",
  modified_at: "2026-01-24T10:00:00.000000+00:00",
  ...rest,
});

const AGENTS = [
  agent("nightly", { description: "Builds everything", tags: ["ci", "infra"] }),
  agent("reviewer", { description: "Reads changes", tags: ["ci"], skills: ["Diff"] }),
  agent("writer", { status: "inactive" }),
];
const names = (agents: readonly Blueprint[]) => agents.map((one) => one.name);

test("every word has to be somewhere in an agent, in whatever case", () => {
  expect(names(found(AGENTS, { q: "builds CI" }))).toEqual(["nightly"]);
  expect(names(found(AGENTS, { q: " diff " }))).toEqual(["reviewer"]);
  expect(names(found(AGENTS, { q: "builds diff" }))).toEqual([]);
});

test("an agent has to have all the tags", () => {
  expect(names(found(AGENTS, { tag: ["ci"] }))).toEqual(["nightly", "reviewer"]);
  expect(names(found(AGENTS, { tag: ["ci", "infra"] }))).toEqual(["nightly"]);
});

test("the status filters, and no filter leaves all", () => {
  expect(names(found(AGENTS, { status: "inactive" }))).toEqual(["writer"]);
  expect(found(AGENTS, {})).toHaveLength(3);
});

test("tags are counted once an agent, the most used first", () => {
  expect(tagCounts([...AGENTS, agent("odd", { tags: ["b", "b", "infra", "a"] })])).toEqual([
    { name: "ci", count: 2 },
    { name: "infra", count: 2 },
    { name: "a", count: 1 },
    { name: "b", count: 1 },
  ]);
});

test("a copy takes the first name that is free, and none is too long", () => {
  expect(copyName("reviewer", new Set(["reviewer"]))).toBe("reviewer-copy");
  expect(copyName("reviewer", new Set(["reviewer-copy", "reviewer-copy-2"]))).toBe("reviewer-copy-3");
  const long = "x".repeat(60);
  const first = copyName(long, new Set());
  expect(first).toHaveLength(60);
  expect(first.endsWith("-copy")).toBe(true);
  expect(copyName(long, new Set([first]))).toHaveLength(60);
});
