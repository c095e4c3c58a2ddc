import { describe, expect, it } from "vitest";

import { KINDS, readTimelineSearch, shownKinds, switched } from "@/session/search";

describe("readTimelineSearch", () => {
  it("takes what it knows", () => {
    const raw = { event: 12, q: "red", kinds: "tools,prompts", errors: true };
    expect(readTimelineSearch(raw)).toEqual({ event: 12, q: "red", kinds: "prompts,tools", errors: true });
  });

  it("leaves out what is as usual", () => {
    expect(readTimelineSearch({ q: "", kinds: KINDS.join(","), errors: false })).toEqual({});
  });

  it("drops what it does not understand, and never throws", () => {
    const odd = [null, undefined, {}, [], "x", -1, 1.5, Number.NaN, true, () => 1];
    for (const value of odd) {
      const read = readTimelineSearch({ event: value, kinds: value, other: value });
      expect(read.kinds).toBeUndefined();
      expect(Object.keys(read).filter((name) => name !== "event")).toEqual([]);
      expect(read.event === undefined || read.event > 0).toBe(true);
    }
    expect(readTimelineSearch({ kinds: "tools,nonsense" })).toEqual({ kinds: "tools" });
  });

  it("searches for a number as for its digits, and for no more than the server takes", () => {
    expect(readTimelineSearch({ q: 404 })).toEqual({ q: "404" });
    expect(readTimelineSearch({ q: "a".repeat(999) }).q).toHaveLength(200);
    expect(readTimelineSearch({ q: "a\0b" })).toEqual({ q: "ab" });
  });
});

describe("the shown kinds", () => {
  it("are all of them until some were chosen", () => {
    expect(shownKinds({})).toEqual(KINDS);
    expect(shownKinds({ kinds: "tools" })).toEqual(["tools"]);
  });

  it("become the first one pressed, then more, then all again", () => {
    expect(switched({}, "tools")).toBe("tools");
    expect(switched({ kinds: "tools" }, "prompts")).toBe("prompts,tools");
    expect(switched({ kinds: "prompts,tools" }, "tools")).toBe("prompts");
    expect(switched({ kinds: "tools" }, "tools")).toBeUndefined();
    expect(switched({ kinds: "prompts,answers,tools" }, "other")).toBeUndefined();
  });
});
