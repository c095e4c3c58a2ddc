import { expect, test } from "vitest";

import { changesOf, checkDraft, creationOf, differences, draftOf, EMPTY, otherView, rebase } from "@/agents/draft";
import { newPair, newRow, type Servers } from "@/agents/servers";

const STORED = {
  name: "reviewer",
  description: "Reads changes",
  system_prompt: "# Role",
  mcp_servers: { github: { type: "stdio", command: "npx", args: [], env: { T: "x" }, cwd: "/tmp" } },
  skills: ["diff"],
  tags: ["ci"],
};
const NOBODY: ReadonlySet<string> = new Set();

const inJson = (text: string): Servers => ({ view: "json", rows: [], text });

test("what is stored is created again from its draft", () => {
  expect(creationOf(draftOf(STORED), "inactive")).toEqual({ ...STORED, status: "inactive" });
});

test("what is empty is null where it can be", () => {
  expect(creationOf({ ...EMPTY, name: "a" }, "active")).toEqual({
    name: "a",
    description: "",
    system_prompt: null,
    mcp_servers: null,
    skills: null,
    tags: [],
    status: "active",
  });
});

test("only what was changed is sent, and null clears", () => {
  const base = draftOf(STORED);
  expect(changesOf(base, draftOf(STORED))).toEqual({});
  expect(changesOf(base, { ...base, prompt: "", tags: [], skills: [], description: "New" })).toEqual({
    description: "New",
    system_prompt: null,
    tags: [],
    skills: null,
  });
  expect(changesOf(base, { ...base, servers: inJson("") })).toEqual({ mcp_servers: null });
});

test("looking at the other view changes nothing, and finds the JSON as it was left", () => {
  const base = draftOf(STORED);
  const json = otherView(base.servers);
  if (json === null) throw new Error("the form has no JSON");
  expect(differences(base, { ...base, servers: json })).toEqual([]);
  const typed = { ...json, text: `\n${json.text}` };
  const form = otherView(typed);
  if (form === null) throw new Error("the JSON has no form");
  expect(otherView(form)?.text).toBe(typed.text);
  expect(differences(base, { ...base, servers: form })).toEqual([]);
});

test("JSON that can't be used keeps the form from showing, and counts as a change", () => {
  const base = draftOf(STORED);
  for (const text of ["{", '{"a": {}}', '{"a": {"command": "x"}, "a": {"command": "y"}}']) {
    expect(otherView(inJson(text))).toBeNull();
    const draft = { ...base, servers: inJson(text) };
    expect(differences(base, draft)).toEqual(["servers"]);
    expect(checkDraft(draft, false, NOBODY).map((problem) => problem.path)).toEqual([["mcp_servers"]]);
  }
});

test("what somebody else changed is taken over where nothing was changed here", () => {
  const base = draftOf(STORED);
  const mine = { ...base, description: "Mine", tags: ["same"] };
  const theirs = draftOf({ ...STORED, description: "Theirs", tags: ["same"], skills: null });
  const outcome = rebase(base, mine, theirs);
  expect(outcome.taken).toEqual(["skills"]);
  expect(outcome.clashes).toEqual(["description"]);
  expect(outcome.draft).toMatchObject({ description: "Mine", tags: ["same"], skills: [] });
  // What is sent then leaves the rest of theirs alone.
  expect(changesOf(theirs, outcome.draft)).toEqual({ description: "Mine" });
});

test("what is typed while a draft is being saved stays", () => {
  const sent = { ...draftOf(STORED), description: "Sent" };
  const saved = draftOf({ ...STORED, description: "Sent", tags: ["theirs"] });
  const now = { ...sent, prompt: "Typed on" };
  expect(rebase(sent, now, saved).draft).toMatchObject({ description: "Sent", prompt: "Typed on", tags: ["theirs"] });
});

test("a draft that fits has no problems", () => {
  expect(checkDraft(draftOf(STORED), true, NOBODY)).toEqual([]);
});

test("the name counts while it is new", () => {
  const paths = (draft: typeof EMPTY, isNew: boolean) =>
    checkDraft(draft, isNew, new Set(["taken"])).map((problem) => problem.path);
  expect(paths({ ...EMPTY, name: "taken" }, true)).toEqual([["name"]]);
  expect(paths({ ...EMPTY, name: "taken" }, false)).toEqual([]);
  expect(paths({ ...EMPTY, name: "" }, true)).toEqual([["name"]]);
});

test("limits of lengths and numbers are those of the contract", () => {
  const draft = {
    ...EMPTY,
    name: "a",
    description: "x".repeat(10_001),
    prompt: "x".repeat(256 * 1024 + 1),
    tags: [...Array.from({ length: 101 }, (_, index) => `t${index}`), "a,b"],
    skills: ["x".repeat(201)],
  };
  expect(checkDraft(draft, true, NOBODY).map((problem) => problem.path)).toEqual([
    ["description"],
    ["system_prompt"],
    ["tags", 101],
    ["skills", 0],
    ["tags"],
  ]);
});

test("problems of the form's rows are at the rows, whatever the servers are called", () => {
  const pair = newPair("K", "1");
  const again = newPair("K", "2");
  const nameless = newPair("", "3");
  const first = { ...newRow("a"), command: "x", env: [pair, again, nameless] };
  const second = { ...newRow("a"), kind: "http" as const };
  const third = { ...newRow(""), command: "x" };
  const draft = { ...EMPTY, name: "n", servers: { view: "form" as const, rows: [first, second, third], text: null } };
  expect(checkDraft(draft, true, NOBODY).map((problem) => problem.path)).toEqual([
    ["mcp_servers", first.id, again.id],
    ["mcp_servers", first.id, nameless.id],
    ["mcp_servers", second.id, "name"],
    ["mcp_servers", second.id, "url"],
    ["mcp_servers", third.id, "name"],
  ]);
});
