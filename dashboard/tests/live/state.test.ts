import { describe, expect, test } from "vitest";

import { apply, EMPTY, type LiveState, withPage } from "@/live/state";
import type { BrowserMessage, Session } from "@/wire/types";

import { event, session } from "../fixtures";

const init = (sessions: Session[], rest: { total?: number; next?: string } = {}): BrowserMessage => ({
  type: "init",
  seq: 1,
  epoch: "e",
  sessions,
  total: rest.total ?? sessions.length,
  next: rest.next ?? null,
});

const begun = (...sessions: Session[]): LiveState => apply(EMPTY, [init(sessions)]);
const names = (state: LiveState) => [...state.sessions.values()].map((one) => one.session_name);

describe("the live state", () => {
  test("is what init says, and nothing of before", () => {
    const state = apply(begun(session("old")), [init([session("new")], { total: 700, next: "c" })]);
    expect([names(state), state.total, state.next, state.generation]).toEqual([["new"], 700, "c", 2]);
  });

  test("knows sessions that come, change and go", () => {
    let state = apply(begun(session("a")), [{ type: "session_created", seq: 2, session: session("b") }]);
    expect([names(state), state.total]).toEqual([["a", "b"], 2]);
    state = apply(state, [{ type: "session_updated", seq: 3, session: session("b", { status: "finished" }) }]);
    expect([state.sessions.get("b")?.status, state.total]).toEqual(["finished", 2]);
    state = apply(state, [{ type: "session_deleted", seq: 4, session_id: "a" }]);
    expect([names(state), state.total]).toEqual([["b"], 1]);
  });

  test("takes a stop that was asked for anywhere", () => {
    const asked = session("a", { stop_confirmed: false });
    expect(apply(begun(session("a")), [{ type: "stop_requested", seq: 2, session: asked }]).sessions.get("a")).toEqual(
      asked,
    );
  });

  test("counts events, and knows when the last one was", () => {
    const at = "2026-01-24T11:00:00.000000+00:00";
    const state = apply(begun(session("s", { events: 4 })), [
      { type: "event", seq: 2, data: event(2, { timestamp: at }) },
      { type: "event", seq: 3, data: event(3, { timestamp: "2020-01-01T00:00:00.000000+00:00" }) },
    ]);
    expect(state.sessions.get("s")).toMatchObject({ events: 6, modified_at: at });
  });

  test("leaves events of sessions that are not known here alone", () => {
    const before = begun(session("a"));
    const after = apply(before, [{ type: "event", seq: 2, data: event(2) }]);
    expect(after.sessions).toBe(before.sessions);
  });

  test("is never changed in place", () => {
    const before = begun(session("s"));
    apply(before, [
      { type: "event", seq: 2, data: event(2) },
      { type: "session_deleted", seq: 3, session_id: "s" },
    ]);
    expect(before.sessions.get("s")?.events).toBe(0);
  });

  test("applies a batch as if each message came alone", () => {
    const batch: BrowserMessage[] = [
      { type: "session_created", seq: 2, session: session("s") },
      { type: "event", seq: 3, data: event(3) },
      { type: "session_updated", seq: 4, session: session("s", { events: 1, status: "stopped" }) },
      { type: "tags_updated", seq: 5, tags: [{ name: "a", count: 2 }] },
    ];
    const one = batch.reduce((state, message) => apply(state, [message]), begun());
    expect(apply(begun(), batch)).toEqual(one);
  });
});

describe("a further page of the list", () => {
  const page = { sessions: [session("a"), session("b"), session("c")], total: 3, next: null };

  test("adds sessions, but is no news of those that the flow has told of", () => {
    const state = withPage(begun(session("b", { status: "stopped" })), page, new Set());
    expect([...state.sessions.keys()].sort()).toEqual(["a", "b", "c"]);
    expect(state.sessions.get("b")?.status).toBe("stopped");
  });

  test("brings no session back that was deleted while it was on its way", () => {
    expect([...withPage(begun(), page, new Set(["b"])).sessions.keys()]).toEqual(["a", "c"]);
  });
});
