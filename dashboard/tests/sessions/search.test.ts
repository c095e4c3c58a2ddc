import { describe, expect, it } from "vitest";

import { directionOf, readSessionsSearch, type SessionsSearch, sortedBy } from "@/sessions/search";

describe("readSessionsSearch", () => {
  it("takes what it knows", () => {
    const search = {
      q: "build",
      status: "running",
      agent: "a",
      project: "/p",
      sort: "events",
      dir: "asc",
      group: "project",
    };
    expect(readSessionsSearch(search)).toEqual(search);
  });

  it.each([
    { status: "asleep" },
    { status: 3 },
    { sort: "colour" },
    { sort: "toString" },
    { dir: "up" },
    { group: "agent" },
    { q: "" },
    { q: { nested: true } },
    { agent: null },
    { unknown: "x" },
  ])("drops %j", (raw) => {
    expect(readSessionsSearch(raw)).toEqual({});
  });

  it("leaves out what is so by default", () => {
    expect(readSessionsSearch({ sort: "created", dir: "desc" })).toEqual({});
    expect(readSessionsSearch({ sort: "name", dir: "asc" })).toEqual({ sort: "name" });
  });

  it("reads figures as the text that they were", () => {
    expect(readSessionsSearch({ q: 42, agent: true })).toEqual({ q: "42", agent: "true" });
  });

  it("keeps the empty agent and project: those are sessions that name none", () => {
    expect(readSessionsSearch({ agent: "", project: "" })).toEqual({ agent: "", project: "" });
  });
});

describe("sortedBy", () => {
  const pressed = (sort: "name" | "events" | "created", times: number) =>
    Array.from({ length: times }).reduce<SessionsSearch>((search) => sortedBy(search, sort), { q: "x" });

  it("goes from the first direction to the other, and back to the default", () => {
    expect(pressed("events", 1)).toEqual({ q: "x", sort: "events" });
    expect(pressed("events", 2)).toEqual({ q: "x", sort: "events", dir: "asc" });
    expect(pressed("events", 3)).toEqual({ q: "x" });
  });

  it("begins names at A and figures with the largest", () => {
    expect(directionOf(pressed("name", 1))).toBe("asc");
    expect(directionOf(pressed("events", 1))).toBe("desc");
  });

  it("starts anew with another column", () => {
    expect(sortedBy({ sort: "events", dir: "asc" }, "name")).toEqual({ sort: "name" });
    expect(sortedBy({ sort: "events", dir: "asc" }, "created")).toEqual({});
  });

  it("survives its own address", () => {
    for (const times of [1, 2, 3])
      expect(readSessionsSearch(pressed("created", times))).toEqual(pressed("created", times));
  });
});
