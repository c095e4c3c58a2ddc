import { describe, expect, it } from "vitest";

import { LONGEST_QUERY, readDocumentsSearch, toggled } from "@/documents/search";

describe("what the address says", () => {
  it("is empty where everything is at its default", () => {
    expect(readDocumentsSearch({})).toEqual({});
    expect(readDocumentsSearch({ q: "  ", tags: [], view: "table" })).toEqual({});
  });

  it("is read as it was written", () => {
    const search = { q: "*.md", tags: ["a", "b-1"], view: "grid", doc: "0123456789abcdef0123456789abcdef" };
    expect(readDocumentsSearch(search)).toEqual(search);
  });

  it.each([
    { q: { $ne: 1 } },
    { q: null },
    { tags: [null, {}, "not a tag", "", "a".repeat(65), "ü"] },
    { tags: { a: 1 } },
    { view: "list" },
    { doc: "../../etc/passwd" },
    { doc: 12345 },
    { doc: "0123456789ABCDEF0123456789ABCDEF" },
    { other: "thing" },
  ])("is dropped where it can't be: %j", (raw) => {
    expect(readDocumentsSearch(raw)).toEqual({});
  });

  it("takes numbers, which is how the router reads digits", () => {
    expect(readDocumentsSearch({ q: 404, tags: [2026, "x"] })).toEqual({ q: "404", tags: ["2026", "x"] });
  });

  it("takes tags between commas, and each once", () => {
    expect(readDocumentsSearch({ tags: "a,b,a" })).toEqual({ tags: ["a", "b"] });
  });

  it("asks for no longer a name than the server takes", () => {
    expect(readDocumentsSearch({ q: "x".repeat(1000) }).q).toHaveLength(LONGEST_QUERY);
  });
});

describe("a tag that is pressed", () => {
  it("joins the others, or leaves them", () => {
    expect(toggled(["a"], "b")).toEqual(["a", "b"]);
    expect(toggled(["a", "b"], "a")).toEqual(["b"]);
  });
});
