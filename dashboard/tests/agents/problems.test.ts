import { expect, test } from "vitest";

import { messageAt, messageUnder, problemsFrom, withoutPlace } from "@/agents/problems";
import { newRow, type Servers } from "@/agents/servers";
import { ApiError, errorFrom } from "@/wire/client";

const github = newRow("github");
const stdio = newRow("stdio");
const FORM: Servers = { view: "form", rows: [github, stdio], text: null };
const JSON_VIEW: Servers = { view: "json", rows: [], text: "{}" };

/** As the server answers it. */
const refusal = (...loc: (string | number)[]) =>
  errorFrom(422, { detail: [{ loc, msg: "Field required", type: "missing" }] }, null);
const pathOf = (servers: Servers, ...loc: (string | number)[]) => problemsFrom(refusal(...loc), servers)?.[0]?.path;

test("what the server says is put to the part that it is about", () => {
  expect(pathOf(FORM, "body", "name")).toEqual(["name"]);
  expect(pathOf(FORM, "body", "tags", 2)).toEqual(["tags", 2]);
  expect(pathOf(FORM, "body", "mcp_servers")).toEqual(["mcp_servers"]);
});

test("a server's problems are at its row, without the kind that stands in the path", () => {
  expect(pathOf(FORM, "body", "mcp_servers", "github", "stdio", "command")).toEqual([
    "mcp_servers",
    github.id,
    "command",
  ]);
  expect(pathOf(FORM, "body", "mcp_servers", "stdio", "stdio", "args", 0)).toEqual([
    "mcp_servers",
    stdio.id,
    "args",
    0,
  ]);
  expect(pathOf(FORM, "body", "mcp_servers", "github", "[key]")).toEqual(["mcp_servers", github.id, "name"]);
  expect(pathOf(FORM, "body", "mcp_servers", "github")).toEqual(["mcp_servers", github.id]);
});

test("without a row for it, a problem keeps its path in its words", () => {
  expect(problemsFrom(refusal("body", "mcp_servers", "github", "stdio", "command"), JSON_VIEW)).toEqual([
    { path: ["mcp_servers"], message: "github.command: Field required" },
  ]);
  expect(pathOf(FORM, "body", "mcp_servers", "gone", "stdio", "command")).toEqual(["mcp_servers"]);
});

test("the server's words are kept, as a sentence begins", () => {
  const error = errorFrom(422, { detail: [{ loc: ["body", "mcp_servers"], msg: "nested too deep" }] }, null);
  expect(problemsFrom(error, FORM)?.[0]?.message).toBe("Nested too deep");
});

test("a name that is taken is the name's problem", () => {
  expect(problemsFrom(new ApiError("an agent named 'a' exists already", 409), FORM)).toEqual([
    { path: ["name"], message: "An agent named 'a' exists already." },
  ]);
});

test("other errors are no problems of the form's", () => {
  expect(problemsFrom(new ApiError("Redis is away", 503), FORM)).toBeNull();
  expect(problemsFrom(new ApiError("name at least one", 422), FORM)).toBeNull();
  expect(problemsFrom(new Error("x"), FORM)).toBeNull();
});

test("messages are found at a path, and below it", () => {
  const problems = [
    { path: ["tags", 0], message: "One." },
    { path: ["tags", 1], message: "Two." },
    { path: ["tags", 2], message: "Two." },
    { path: ["status"], message: "Off." },
  ];
  expect(messageAt(problems, "tags")).toBeUndefined();
  expect(messageAt(problems, "tags", 0)).toBe("One.");
  expect(messageUnder(problems, "tags")).toBe("One. Two.");
  expect(withoutPlace(problems)).toEqual([{ path: ["status"], message: "Off." }]);
});
