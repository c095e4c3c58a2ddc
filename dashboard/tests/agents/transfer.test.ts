import { expect, test } from "vitest";

import { creationOf, draftOf } from "@/agents/draft";
import { fileName, fileOf, holdsValues, readFile } from "@/agents/transfer";
import type { Blueprint } from "@/wire/types";

const AGENT: Blueprint = {
  name: "reviewer",
  description: "Reads changes",
  system_prompt: "# Role\r\n",
  mcp_servers: { github: { type: "stdio", command: "npx", args: [], env: { T: "secret" }, cwd: "/tmp" } },
  skills: ["diff"],
  tags: ["ci"],
  status: "inactive",
  created_at: "2026-01-24T10:00:00.000000+00:00",
  modified_at: "2026-01-24T10:00:00.000000+00:00",
};

test("what was written is read back, and becomes the same agent", () => {
  const { source, problems } = readFile(fileOf(AGENT));
  expect(problems).toEqual([]);
  if (source === null) throw new Error("it was not read");
  const { created_at: _created, modified_at: _modified, ...created } = AGENT;
  expect(creationOf(draftOf(source), source.status ?? "active")).toEqual(created);
  expect(fileName("reviewer")).toBe("reviewer.agent.json");
});

test("a folder's agent.json is a part of it, and is read", () => {
  expect(readFile('{"name": "a", "description": "b", "skills": ["c"]}').source).toEqual({
    name: "a",
    description: "b",
    system_prompt: null,
    mcp_servers: null,
    skills: ["c"],
    tags: [],
    status: "active",
  });
});

test("what breaks a rule that the form can say is read", () => {
  expect(readFile('{"name": "not a name", "description": ""}').source?.name).toBe("not a name");
});

test.each([
  ["not JSON", "not JSON"],
  ["[]", "not an agent"],
  ["null", "not an agent"],
  ['{"description": "x"}', "name:"],
  ['{"name": 5}', "name:"],
  ['{"name": "a", "system_prompt": {}}', "system_prompt:"],
  ['{"name": "a", "tags": "ci"}', "tags:"],
  ['{"name": "a", "skills": [1]}', "skills:"],
  ['{"name": "a", "status": "on"}', "status:"],
  ['{"name": "a", "mcp_servers": []}', "mcp_servers:"],
  ['{"name": "a", "mcp_servers": {"x": {"command": 5}}}', "mcp_servers.x.command:"],
])("%s is refused in words", (text, word) => {
  const { source, problems } = readFile(text);
  expect(source).toBeNull();
  expect(problems.join("\n")).toContain(word);
});

test("an agent is known to hold values that may be secrets", () => {
  expect(holdsValues(AGENT)).toBe(true);
  expect(holdsValues({ ...AGENT, mcp_servers: null })).toBe(false);
  expect(holdsValues({ ...AGENT, mcp_servers: { a: { type: "http", url: "x" } } })).toBe(false);
});
