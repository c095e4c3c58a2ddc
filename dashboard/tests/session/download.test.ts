import { describe, expect, it, vi } from "vitest";

import type { Sink } from "@/files/sink";
import { download, fileNameOf } from "@/session/download";

import { range } from "./events";
import { FakeHistory } from "./fake-history";

function sink() {
  const written: string[] = [];
  const made: Sink = {
    write: async (piece) => void written.push(String(piece)),
    close: vi.fn(async () => {}),
    abort: vi.fn(async () => {}),
  };
  return { made, written };
}

describe("downloading a session", () => {
  it("writes each event on a line of its own, the oldest first, page by page", async () => {
    const server = new FakeHistory(...range(1, 2500));
    const { made, written } = sink();
    const counts: number[] = [];
    const running = download(
      server.coordinator,
      "s",
      made,
      (count) => counts.push(count),
      new AbortController().signal,
    );
    await server.settle();
    expect(await running).toBe(2500);
    expect(counts).toEqual([1000, 2000, 2500]);
    const lines = written.join("").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(range(1, 2500));
    expect(made.close).toHaveBeenCalledOnce();
  });

  it("leaves nothing behind when it is cancelled or fails", async () => {
    for (const end of ["cancel", "fail"] as const) {
      const server = new FakeHistory(1, 2);
      if (end === "fail") server.failNext(503);
      const { made } = sink();
      const controller = new AbortController();
      const running = download(server.coordinator, "s", made, () => {}, controller.signal);
      const failure = expect(running).rejects.toThrow();
      if (end === "cancel") controller.abort();
      await server.settle();
      await failure;
      expect(made.abort).toHaveBeenCalledOnce();
      expect(made.close).not.toHaveBeenCalled();
    }
  });

  it("is called after the session, in letters that every system takes", () => {
    expect(fileNameOf("Fix the / bug: now!")).toBe("Fix-the-bug-now.jsonl");
    expect(fileNameOf("../..")).toBe("session.jsonl");
    expect(fileNameOf("日本語")).toBe("日本語.jsonl");
    expect(fileNameOf("x".repeat(999)).length).toBeLessThan(100);
  });
});
