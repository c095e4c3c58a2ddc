import { expect, test } from "vitest";

import { checkLength, checkName, checkServers, checkTag, lengthOf, MOST } from "@/agents/rules";

test.each(["a", "A1", "9lives", "a-b_c", "x".repeat(60)])("the name %s is taken", (name) => {
  expect(checkName(name)).toBeNull();
});

test.each([
  ["", "needed"],
  ["-a", "begin"],
  ["_a", "begin"],
  ["éa", "begin"],
  ["a b", "Only letters"],
  ["a/b", "Only letters"],
  ["aé", "Only letters"],
  ["x".repeat(61), "At most 60"],
])("the name %j is not, and the words say why", (name, word) => {
  expect(checkName(name)).toContain(word);
});

test("characters are counted as the server counts them", () => {
  expect(lengthOf("abc")).toBe(3);
  expect(lengthOf("😀😀")).toBe(2);
  expect(lengthOf("\ud83d")).toBe(1);
  expect(lengthOf("\ude00\ude00")).toBe(2);
  expect(lengthOf("\ud83d\ud83d\ude00")).toBe(2);
});

test("a text at the limit fits, and one over it does not", () => {
  expect(checkLength("😀".repeat(MOST.tag), MOST.tag)).toBeNull();
  expect(checkLength("x".repeat(MOST.tag + 1), MOST.tag)).toContain("1 characters over");
});

test("a tag has no comma and no space at its ends", () => {
  expect(checkTag("two words")).toBeNull();
  expect(checkTag("a,b")).toContain("comma");
  expect(checkTag(" a")).toContain("space");
});

const paths = (servers: Record<string, unknown>) => checkServers(servers).map((problem) => problem.path);

test("servers of both kinds fit, with fields that are not ours", () => {
  expect(
    checkServers({
      plain: { command: "npx" },
      full: { type: "stdio", command: "npx", args: ["-y"], env: { A: "b" }, cwd: "/tmp", url: 5 },
      null: { command: "x", env: null },
      http: { type: "http", url: "https://example.com", headers: { A: "b" }, timeout: 3 },
    }),
  ).toEqual([]);
});

test("what a server lacks or has wrong is said with its path", () => {
  expect(
    paths({
      a: {},
      b: { command: "" },
      c: { command: 5 },
      d: { command: "x", args: "y" },
      e: { command: "x", args: ["y", 2] },
      f: { command: "x", env: { K: 1 } },
      g: { type: "http" },
      h: { type: "http", url: "u", headers: [] },
      i: { type: "ftp", command: "x" },
      j: { type: null, command: "x" },
      k: 5,
      l: { command: "x", args: null },
    }),
  ).toEqual([
    ["a", "command"],
    ["b", "command"],
    ["c", "command"],
    ["d", "args"],
    ["e", "args", 1],
    ["f", "env", "K"],
    ["g", "url"],
    ["h", "headers"],
    ["i", "type"],
    ["j", "type"],
    ["k"],
    ["l", "args"],
  ]);
});

test("names, numbers of servers and depth have their limits", () => {
  expect(paths({ "": { command: "x" } })).toEqual([[""]]);
  expect(paths({ ["x".repeat(101)]: { command: "x" } })).toEqual([["x".repeat(101)]]);
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`s${index}`, { command: "x" }]));
  expect(checkServers(many)[0]?.message).toContain("101");
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  // The servers and the server are levels, too.
  expect(paths({ a: { command: "x", z: deep(MOST.nesting - 2) } })).toEqual([]);
  expect(paths({ a: { command: "x", z: deep(MOST.nesting - 1) } })).toEqual([[]]);
});

test("half a character is said", () => {
  expect(paths({ a: { command: "\ud83d" } })).toEqual([["a", "command"]]);
});
