import { describe, expect, it } from "vitest";

import { changeAll, changeOne, tagsAfter } from "@/documents/bulk";
import { ApiError } from "@/wire/client";

import { OneDocument } from "./documents";

const ID = "0123456789abcdef0123456789abcdef";

describe("tags after a change to many documents", () => {
  it("have what was added, once and at the end", () => {
    expect(tagsAfter({ kind: "add-tags", tags: ["b", "c"] }, ["a", "b"])).toEqual(["a", "b", "c"]);
  });

  it("lack what was removed", () => {
    expect(tagsAfter({ kind: "remove-tags", tags: ["b", "z"] }, ["a", "b"])).toEqual(["a"]);
  });

  it("are no change where they are the same", () => {
    expect(tagsAfter({ kind: "add-tags", tags: ["a"] }, ["a", "b"])).toBeNull();
    expect(tagsAfter({ kind: "remove-tags", tags: ["z"] }, ["a"])).toBeNull();
  });
});

describe("one of many documents", () => {
  it("keeps the tags that somebody else adds at the same moment", async () => {
    const server = new OneDocument({ tags: ["a"] });
    server.before = () => {
      if (server.patches === 1) server.change({ tags: ["a", "theirs"] });
    };
    await changeOne(server, { kind: "add-tags", tags: ["mine"] }, ID);
    expect(server.now.document.tags).toEqual(["a", "theirs", "mine"]);
  });

  it("is not written where nothing changes", async () => {
    const server = new OneDocument({ tags: ["a"] });
    await changeOne(server, { kind: "add-tags", tags: ["a"] }, ID);
    expect(server.patches).toBe(0);
  });

  it("fails when others never pause", async () => {
    const server = new OneDocument();
    server.before = () => server.change({ tags: [`t${server.patches}`] });
    await expect(changeOne(server, { kind: "add-tags", tags: ["mine"] }, ID)).rejects.toThrow("changed meanwhile");
  });

  it("counts as deleted when somebody else was faster, and as failed for any other reason", async () => {
    const failing = (status: number) => ({
      ...new OneDocument(),
      remove: () => Promise.reject(new ApiError("no", status)),
    });
    await changeOne(failing(404), { kind: "delete" }, ID);
    await expect(changeOne(failing(503), { kind: "delete" }, ID)).rejects.toThrow("no");
  });
});

describe("many documents", () => {
  const chosen = Array.from({ length: 20 }, (_, index) => ({ id: `${index}`, filename: `${index}.txt` }));

  it("are changed a few at a time, each once", async () => {
    let [under, most] = [0, 0];
    const seen: string[] = [];
    const one = async ({ id }: { id: string }) => {
      under += 1;
      most = Math.max(most, under);
      await Promise.resolve();
      seen.push(id);
      under -= 1;
    };
    const outcomes = await changeAll(one, chosen, () => {}, new AbortController().signal, 3);
    expect(most).toBe(3);
    expect(seen.toSorted()).toEqual(chosen.map(({ id }) => id).toSorted());
    expect(outcomes).toHaveLength(20);
  });

  it("do not wait for one that fails, and each has its outcome", async () => {
    const one = ({ id }: { id: string }) => (id === "7" ? Promise.reject(new Error("seven")) : Promise.resolve());
    const outcomes = await changeAll(one, chosen, () => {}, new AbortController().signal);
    expect(outcomes.filter(({ error }) => error !== null)).toEqual([
      { id: "7", filename: "7.txt", error: new Error("seven") },
    ]);
    expect(outcomes).toHaveLength(20);
  });

  it("are left as they are when it is ended early", async () => {
    const controller = new AbortController();
    const one = async () => {};
    const done = () => controller.abort();
    const outcomes = await changeAll(one, chosen, done, controller.signal, 1);
    expect(outcomes.map(({ id }) => id)).toEqual(["0"]);
  });
});
