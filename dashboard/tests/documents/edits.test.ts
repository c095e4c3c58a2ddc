import { describe, expect, it } from "vitest";

import { descriptionOf, problemWith, save } from "@/documents/edits";
import { ApiError } from "@/wire/client";

import { OneDocument } from "./documents";

describe("a change to a document", () => {
  it("is made where nobody else has changed it", async () => {
    const server = new OneDocument({ tags: ["a"] });
    const saved = await save(server, server.now, { tags: ["a", "b"] });
    expect(saved.kind).toBe("saved");
    expect(server.now.document.tags).toEqual(["a", "b"]);
    expect(server.patches).toBe(1);
  });

  it("stands beside another's change to something else", async () => {
    const server = new OneDocument({ tags: ["a"] });
    const base = server.now;
    server.change({ tags: ["theirs"] });
    const saved = await save(server, base, { description: "mine" });
    expect(saved.kind).toBe("saved");
    expect(server.now.document.tags).toEqual(["theirs"]);
    expect(descriptionOf(server.now.document)).toBe("mine");
  });

  it("is for a person to decide where another has changed the same", async () => {
    const server = new OneDocument({ metadata: { description: "before" } });
    const base = server.now;
    server.change({ description: "theirs" });
    const saved = await save(server, base, { description: "mine" });
    expect(saved).toEqual({ kind: "conflict", theirs: server.now });
    expect(descriptionOf(server.now.document)).toBe("theirs");
  });

  it("is kept over theirs when it is made to the version that was shown", async () => {
    const server = new OneDocument();
    const base = server.now;
    server.change({ tags: ["theirs"] });
    const first = await save(server, base, { tags: ["mine"] });
    if (first.kind !== "conflict") throw new Error("expected a conflict");
    expect((await save(server, first.theirs, { tags: ["mine"] })).kind).toBe("saved");
    expect(server.now.document.tags).toEqual(["mine"]);
  });

  it("asks again when theirs has changed once more before mine is kept", async () => {
    const server = new OneDocument();
    const base = server.now;
    server.change({ description: "theirs" });
    const first = await save(server, base, { description: "mine" });
    if (first.kind !== "conflict") throw new Error("expected a conflict");
    server.change({ description: "theirs again" });
    const second = await save(server, first.theirs, { description: "mine" });
    expect(second.kind).toBe("conflict");
    expect(descriptionOf(server.now.document)).toBe("theirs again");
  });

  it("is no conflict where both mean the same", async () => {
    const server = new OneDocument({ metadata: { description: "x" } });
    const base = server.now;
    server.change({ description: null });
    expect((await save(server, base, { description: null })).kind).toBe("saved");
    expect(server.patches).toBe(1);
  });

  it("gives up to a person when others never pause", async () => {
    const server = new OneDocument();
    server.before = () => server.change({ tags: [`t${server.patches}`] });
    expect((await save(server, server.now, { description: "mine" })).kind).toBe("conflict");
    expect(server.patches).toBe(5);
  });

  it("passes on what the server says against it", async () => {
    const server = new OneDocument();
    server.before = () => {
      throw new ApiError("There is no document", 404);
    };
    await expect(save(server, server.now, { tags: [] })).rejects.toThrow("There is no document");
  });
});

describe("a problem with a field", () => {
  const error = new ApiError("tags: …", 422, [
    { loc: ["body", "tags"], msg: "'a b' is not a tag" },
    { loc: ["body", "description"], msg: "String should have at most 16384 characters" },
  ]);

  it("is told at that field, in the server's words", () => {
    expect(problemWith("tags", error)).toBe("'a b' is not a tag");
    expect(problemWith("description", error)).toBe("String should have at most 16384 characters");
  });

  it("is none where the error speaks of something else", () => {
    expect(problemWith("tags", new ApiError("Redis is not reachable", 503))).toBeUndefined();
    expect(problemWith("tags", new TypeError("x"))).toBeUndefined();
    expect(problemWith("tags", null)).toBeUndefined();
  });
});
