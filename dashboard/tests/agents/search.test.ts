import { expect, test } from "vitest";

import { readAgentsSearch } from "@/agents/search";

test("an address without anything asks for nothing", () => {
  expect(readAgentsSearch({})).toEqual({});
});

test("what is known is read, and tags are a list", () => {
  expect(readAgentsSearch({ q: "build", tag: "ci", status: "inactive", open: "nightly" })).toEqual({
    q: "build",
    tag: ["ci"],
    status: "inactive",
    open: "nightly",
  });
  expect(readAgentsSearch({ tag: ["ci", "ci", "infra"] })).toEqual({ tag: ["ci", "infra"] });
});

test("words that the router takes for numbers and booleans are words", () => {
  expect(readAgentsSearch({ q: 12, tag: [true, 7], open: 42 })).toEqual({ q: "12", tag: ["true", "7"], open: "42" });
});

test("what means nothing is dropped", () => {
  expect(
    readAgentsSearch({ q: {}, tag: [null, {}], status: "on", open: ["a"], new: "yes", from: "x", other: 1 }),
  ).toEqual({});
});

test("a new agent is not also an open one, and only a new one is a copy", () => {
  expect(readAgentsSearch({ new: true, open: "a", from: "b" })).toEqual({ new: true, from: "b" });
  expect(readAgentsSearch({ open: "a", from: "b" })).toEqual({ open: "a" });
});
