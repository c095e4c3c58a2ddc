import { describe, expect, it } from "vitest";

import { hasThumbnail, kindOf } from "@/documents/kind";

describe("what kind of file it is", () => {
  it.each([
    ["text/markdown", "a.md", "text"],
    ["application/octet-stream", "a.MD", "text"],
    ["application/octet-stream", "build.tar.gz", "archive"],
    ["text/plain", "main.py", "code"],
    ["application/json; charset=utf-8", "data", "data"],
    ["image/svg+xml", "a.svg", "image"],
    ["text/csv", "export", "table"],
    ["application/octet-stream", "noextension", "other"],
    ["", "a.constructor", "other"],
  ])("is told by type and name: %s %s", (type, name, kind) => {
    expect(kindOf(type, name)).toBe(kind);
  });
});

describe("a thumbnail", () => {
  it("is made of small pictures that the browser draws, and of nothing that may have scripts in it", () => {
    expect(hasThumbnail({ content_type: "image/png", size_bytes: 1000 })).toBe(true);
    expect(hasThumbnail({ content_type: "image/png", size_bytes: 50_000_000 })).toBe(false);
    expect(hasThumbnail({ content_type: "image/svg+xml", size_bytes: 1000 })).toBe(false);
  });
});
