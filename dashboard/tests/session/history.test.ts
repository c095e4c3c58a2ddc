import { describe, expect, it } from "vitest";

import { History } from "@/session/history";

import { range } from "./events";
import { FakeHistory } from "./fake-history";

function open(server: FakeHistory, around: number | null = null): History {
  const history = new History(server.coordinator, server.live, "s");
  history.open(around);
  return history;
}

const state = (history: History) => history.store.getState();
const ids = (history: History) => state(history).window?.events.map(({ id }) => id);
const shown = (history: History) => state(history).items.top.map(({ id }) => id);

describe("a session's history", () => {
  it("begins with the newest events", async () => {
    const server = new FakeHistory(...range(1, 1000));
    const history = open(server);
    await server.settle();
    expect(ids(history)?.at(-1)).toBe(1000);
    expect(state(history).window).toMatchObject({ older: true, newer: false });
    expect(shown(history)).toEqual(ids(history));
  });

  it("loses and repeats nothing that comes while the first page is read", async () => {
    const server = new FakeHistory(1, 2);
    const history = open(server);
    server.tell(3);
    server.tell(4);
    await server.settle();
    expect(ids(history)).toEqual([1, 2, 3, 4]);
    server.tell(5);
    expect(ids(history)).toEqual([1, 2, 3, 4, 5]);
    expect(shown(history)).toEqual([1, 2, 3, 4, 5]);
  });

  it("does not repeat what the first page has already and the flow tells afterwards", async () => {
    const server = new FakeHistory(1, 2, 3);
    const history = open(server);
    await server.settle();
    server.flow(...server.events.slice(1).map((data) => ({ type: "event", seq: data.id, data })));
    expect(ids(history)).toEqual([1, 2, 3]);
  });

  it("reads once more when the flow starts over while the first page is read", async () => {
    const server = new FakeHistory(1);
    const history = open(server);
    server.happen(2, 3);
    server.startOver();
    server.tell(4);
    await server.settle();
    expect(ids(history)).toEqual([1, 2, 3, 4]);
    expect(state(history).window?.newer).toBe(false);
  });

  it("reads what it missed when the flow starts over later", async () => {
    const server = new FakeHistory(1);
    const history = open(server);
    await server.settle();
    server.happen(2, 3);
    server.startOver();
    server.tell(4);
    expect(ids(history)).toEqual([1]);
    await server.settle();
    expect(ids(history)).toEqual([1, 2, 3, 4]);
    expect(server.asked.at(-1)).toMatchObject({ after: 1 });
  });

  it("reads once more when the flow starts over while it reads what it missed", async () => {
    const server = new FakeHistory(1);
    const history = open(server);
    await server.settle();
    server.startOver();
    server.happen(2);
    server.startOver();
    server.tell(3);
    await server.settle();
    expect(ids(history)).toEqual([1, 2, 3]);
  });

  it("reads what it missed also when the flow starts over while older events are read", async () => {
    const server = new FakeHistory(...range(1, 400));
    const history = open(server);
    await server.settle();
    void history.older();
    server.happen(401);
    server.startOver();
    await server.settle();
    expect(ids(history)).toEqual(range(1, 401));
  });

  it("grows at its top, page by page, to the beginning", async () => {
    const server = new FakeHistory(...range(1, 1500));
    const history = open(server);
    await server.settle();
    void history.older();
    void history.older();
    await server.settle();
    expect(server.asked.length).toBe(2);
    await Promise.all([history.older(), server.settle()]);
    expect(ids(history)).toEqual(range(1, 1500));
    expect(state(history).window?.older).toBe(false);
    await history.older();
    expect(server.asked.length).toBe(3);
  });

  it("opens around an event, and grows to the end, where it goes on live", async () => {
    const server = new FakeHistory(...range(1, 2000));
    const history = open(server, 1000);
    history.follow(false);
    await server.settle();
    expect(ids(history)).toContain(1000);
    expect(state(history).window).toMatchObject({ older: true, newer: true });
    server.tell(2001);
    expect(ids(history)?.at(-1)).toBe(1300);
    await Promise.all([history.newer(), server.settle()]);
    expect(ids(history)?.at(-1)).toBe(2001);
    server.tell(2002);
    expect(ids(history)?.slice(-2)).toEqual([2001, 2002]);
  });

  it("joins the last page with what came while it was read", async () => {
    const server = new FakeHistory(...range(1, 1000));
    const history = open(server, 500);
    history.follow(false);
    await server.settle();
    void history.newer();
    server.tell(1001, 1002);
    await server.settle();
    expect(ids(history)?.slice(-3)).toEqual([1000, 1001, 1002]);
  });

  it("reads nothing to go to an event that is loaded", async () => {
    const server = new FakeHistory(...range(1, 10));
    const history = open(server);
    await server.settle();
    await history.around(5);
    expect(server.asked.length).toBe(1);
  });

  it("goes back to the newest by reading them, not what lies between", async () => {
    const server = new FakeHistory(...range(1, 5000));
    const history = open(server, 1000);
    history.follow(false);
    await server.settle();
    history.follow(true);
    await Promise.all([history.newest(), server.settle()]);
    expect(ids(history)?.at(-1)).toBe(5000);
    expect(ids(history)?.[0]).toBeGreaterThan(1300);
  });

  it("goes to the last place that was asked for", async () => {
    const server = new FakeHistory(...range(1, 9000));
    const history = open(server);
    history.follow(false);
    await server.settle();
    void history.around(2000);
    void history.around(5000);
    await server.settle();
    expect(ids(history)).toContain(5000);
    expect(ids(history)).not.toContain(2000);
    expect(state(history)).toMatchObject({ reading: null, error: null });
  });

  it("counts what comes while the reader is elsewhere", async () => {
    const server = new FakeHistory(1);
    const history = open(server);
    await server.settle();
    server.tell(2);
    expect(state(history).unseen).toBe(0);
    history.follow(false);
    server.tell(3, 4);
    expect(state(history).unseen).toBe(2);
    history.follow(true);
    expect(state(history).unseen).toBe(0);
  });

  it("says why a read failed, and tries again", async () => {
    const server = new FakeHistory(1);
    server.failNext(503);
    const history = open(server);
    await server.settle();
    expect(state(history).error).toMatchObject({ status: 503 });
    expect(state(history).missing).toBe(false);
    void history.retry();
    await server.settle();
    expect(state(history).error).toBeNull();
    expect(ids(history)).toEqual([1]);
  });

  it("knows that the server does not know it, or no longer does", async () => {
    const server = new FakeHistory();
    server.known = false;
    const history = open(server);
    await server.settle();
    expect(state(history).missing).toBe(true);
    server.flow({ type: "session_deleted", seq: 9, session_id: "another" });
    expect(state(history).deleted).toBe(false);
    server.flow({ type: "session_deleted", seq: 10, session_id: "s" });
    expect(state(history).deleted).toBe(true);
  });

  it("hears and reads nothing any more when it is closed", async () => {
    const server = new FakeHistory(1);
    const history = open(server);
    history.close();
    await server.settle();
    expect(server.listened).toBe(false);
    expect(state(history)).toMatchObject({ window: null, error: null });
  });
});
