import { expect, test } from "vitest";

import { freeName, newRow, rowsOf, serversOf, unwrapped } from "@/agents/servers";
import { inWords, readServers } from "@/agents/servers-json";

test("servers are the same after the form", () => {
  const servers = {
    github: {
      type: "stdio",
      command: "npx",
      args: ["-y", "x"],
      env: { TOKEN: "a\nb", EMPTY: "" },
      cwd: "/tmp",
      n: { a: [1] },
    },
    plain: { type: "stdio", command: "x", args: [] },
    tickets: { type: "http", url: "https://example.com", headers: { Authorization: "Bearer x" }, timeout: 30 },
  };
  expect(serversOf(rowsOf(servers))).toEqual(servers);
  expect(JSON.stringify(serversOf(rowsOf(servers)))).toBe(JSON.stringify(servers));
});

test("names that JavaScript has ideas about are names like others", () => {
  const servers = JSON.parse('{"__proto__": {"type": "stdio", "command": "x", "args": [], "env": {"__proto__": "y"}}}');
  expect(JSON.stringify(serversOf(rowsOf(servers)))).toBe(JSON.stringify(servers));
});

test("what is left out is what the server fills in, and empty pairs go", () => {
  expect(serversOf(rowsOf({ a: { command: "x", env: {} } }))).toEqual({ a: { type: "stdio", command: "x", args: [] } });
  expect(rowsOf(null)).toEqual([]);
});

test("a field of the other kind's is kept, and becomes the form's own when the kind is changed", () => {
  const [row] = rowsOf({ a: { command: "x", url: "https://kept.example" } });
  if (row === undefined) throw new Error("there is no row");
  expect(serversOf([row])).toEqual({ a: { type: "stdio", command: "x", args: [], url: "https://kept.example" } });
  expect(serversOf([{ ...row, kind: "http", url: "https://typed.example" }])).toEqual({
    a: { type: "http", url: "https://typed.example" },
  });
});

test("other programs' settings are understood, and a server of that name is not taken for them", () => {
  expect(unwrapped({ mcpServers: { a: { command: "x" } } }).servers).toEqual({ a: { command: "x" } });
  expect(unwrapped({ mcpServers: { command: "x" } }).servers).toEqual({ mcpServers: { command: "x" } });
  expect(unwrapped({ mcpServers: { a: {} }, b: {} }).path).toEqual([]);
});

test("a new server gets a name that is free", () => {
  expect(freeName([])).toBe("server");
  expect(freeName([newRow("server"), newRow("server-2")])).toBe("server-3");
});

const words = (text: string) => readServers(text).problems.map(inWords);

test("nothing is no servers", () => {
  expect(readServers(" \n ")).toEqual({ servers: {}, problems: [] });
  expect(readServers("{}")).toEqual({ servers: {}, problems: [] });
});

test("what can't be read is placed", () => {
  expect(words('{\n  "a": {"command": "x"} x\n}')).toEqual(["Line 2, column 25: “x” is not expected here."]);
  expect(words('{"a": {"command": "x"}')).toEqual(["Line 1, column 23: The text ends too early."]);
  expect(words('{\n  "a": {"command": "x",}\n}')).toEqual(["Line 2, column 24: “}” is not expected here."]);
  expect(words("{'a': 1}")).toHaveLength(1);
  expect(words('{"a": "\t"}')).toHaveLength(1);
  expect(words("null")).toHaveLength(1);
  expect(words("[]")).toHaveLength(1);
});

test("what is not valid is placed at the value, or at the name that lacks one", () => {
  expect(words('{\n  "a": {\n    "command": 5\n  }\n}')).toEqual([
    "Line 3, column 16: This has to be a text, in quotes.",
  ]);
  expect(words('{\n  "a": {}\n}')).toEqual(["Line 2, column 3: A command is needed."]);
  expect(words('{"a": {"command": "x", "args": ["y", 1]}}')).toEqual([
    "Line 1, column 38: This has to be a text, in quotes.",
  ]);
  expect(words('{"mcpServers": {"a": {"type": "http"}}}')).toEqual(["Line 1, column 17: A URL is needed."]);
});

test("a name that is there twice is said, since one of the two would be lost", () => {
  expect(words('{"a": {"command": "x"},\n "a": {"command": "y"}}')).toEqual(["Line 2, column 2: “a” is there twice."]);
  expect(words('{"a": {"command": "x", "env": {"K": "1", "\\u004b": "2"}}}')).toEqual([
    "Line 1, column 42: “K” is there twice.",
  ]);
});

test("text that is nested too deep is refused without being lost in it", () => {
  const text = `{"a": {"command": "x", "z": ${"[".repeat(1000)}${"]".repeat(1000)}}}`;
  expect(readServers(text).problems.map((problem) => problem.message)).toEqual(["Nested deeper than 32 levels."]);
});
