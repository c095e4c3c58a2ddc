import { afterEach, describe, expect, it, vi } from "vitest";

import { deleteMany, MOST_IDS, stopMany, summarise } from "@/sessions/bulk";
import { createCoordinator } from "@/wire/client";
import type { StopResult } from "@/wire/types";

const result = (session_id: string, success: boolean, status: string, message: string): StopResult => ({
  success,
  ok: success,
  session_id,
  status,
  message,
});
const confirmed = (id: string) => result(id, true, "stopped", "Session stopped successfully");

/** A server that answers each request with what the function says. */
function server(answer: (method: string, path: string, body: unknown) => Response) {
  vi.stubGlobal("fetch", async (request: Request) => {
    const text = await request.text();
    return answer(request.method, new URL(request.url).pathname, text ? JSON.parse(text) : null);
  });
  return createCoordinator("http://api");
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("stopMany", () => {
  it("names no more sessions in one request than the server takes", async () => {
    const asked: number[] = [];
    const coordinator = server((_method, path, body) => {
      const { session_ids } = body as { session_ids: string[] };
      expect(path).toBe("/sessions/stop");
      asked.push(session_ids.length);
      return Response.json({ sessions: session_ids.map(confirmed), requested: 0, stopped: 0 });
    });
    const ids = Array.from({ length: MOST_IDS * 2 + 1 }, (_, n) => `s${n}`);
    expect((await stopMany(coordinator, { session_ids: ids })).map((one) => one.session_id)).toEqual(ids);
    expect(asked).toEqual([MOST_IDS, MOST_IDS, 1]);
  });

  it.each([{ agent_name: "reviewer" }, { all: true as const }])("asks for %j at once", async (which) => {
    const coordinator = server((_method, _path, body) => {
      expect(body).toEqual({ all: false, ...which });
      return Response.json({ sessions: [], requested: 0, stopped: 0 });
    });
    expect(await stopMany(coordinator, which)).toEqual([]);
  });
});

describe("summarise", () => {
  it("is glad when all have confirmed", () => {
    expect(summarise([confirmed("a"), confirmed("b")])).toEqual({
      tone: "good",
      title: "2 stopped and confirmed",
      body: "",
      open: [],
    });
  });

  it("says what became of each, and names those that may still be at work", () => {
    const summary = summarise([
      confirmed("a"),
      result("b", true, "stopped", "Session marked as stopped; no agent was connected"),
      result("c", true, "finished", "Session was already finished; nothing was sent"),
      result("d", false, "running", "The agent has been told"),
      result("e", false, "running", "The agent has been told"),
    ]);
    expect(summary.tone).toBe("warn");
    expect(summary.title).toBe(
      "1 stopped and confirmed, 1 stopped, not confirmed by an agent, 1 had finished, 2 told, not confirmed yet",
    );
    expect(summary.body).toBe("");
    expect(summary.open).toEqual(["d", "e", "b"]);
  });

  it("counts what was stopped before as no open stop", () => {
    const summary = summarise([result("a", true, "stopped", "Session was already stopped; nothing was sent")]);
    expect(summary).toMatchObject({ tone: "good", title: "1 had been stopped before", open: [] });
  });

  it("is alarmed when one could not be stopped", () => {
    const away = (id: string) => result(id, false, "unknown", "Redis did not answer");
    const summary = summarise([confirmed("a"), away("b"), away("c"), result("d", false, "unknown", "No session 'd'")]);
    expect(summary.title).toBe("1 stopped and confirmed, 3 not stopped");
    expect(summary).toMatchObject({
      tone: "bad",
      body: "2 × Redis did not answer. No session 'd'.",
      open: ["b", "c", "d"],
    });
  });

  it("has a word for nothing", () => {
    expect(summarise([]).title).toBe("There was nothing to stop");
  });
});

describe("deleteMany", () => {
  it("deletes each once, and tells what went wrong with which", async () => {
    const asked: string[] = [];
    const coordinator = server((method, path) => {
      asked.push(`${method} ${path}`);
      if (path.endsWith("/s3")) return Response.json({ detail: "No session 's3'" }, { status: 404 });
      if (path.endsWith("/s5")) return Response.json({ detail: "Redis is away" }, { status: 503 });
      return Response.json({});
    });
    const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
    expect([...(await deleteMany(coordinator, ids))]).toEqual([["s5", "Redis is away"]]);
    expect(asked.toSorted()).toEqual(ids.map((id) => `DELETE /sessions/${id}`).toSorted());
  });
});
