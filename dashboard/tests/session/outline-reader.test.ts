import { describe, expect, it } from "vitest";

import { Finder } from "@/session/finder";
import { OutlineReader } from "@/session/outline-reader";

import { range } from "./events";
import { FakeHistory } from "./fake-history";

describe("the outline of a session", () => {
  const open = (server: FakeHistory) => {
    const reader = new OutlineReader(server.coordinator, server.live, "s");
    reader.open();
    return reader;
  };
  const ids = (reader: OutlineReader) => reader.store.getState().outline.ids;

  it("is read to the beginning, and goes on live", async () => {
    const server = new FakeHistory(...range(1, 25_000));
    const reader = open(server);
    server.tell(25_001);
    await server.settle();
    expect(ids(reader)).toEqual(range(1, 25_001));
    expect(reader.store.getState().complete).toBe(true);
    server.tell(25_002);
    expect(ids(reader).at(-1)).toBe(25_002);
    reader.close();
  });

  it("lacks nothing when the flow starts over, during a read and after it", async () => {
    const server = new FakeHistory(1);
    const reader = open(server);
    server.happen(2);
    server.startOver();
    server.tell(3);
    await server.settle();
    expect(ids(reader)).toEqual([1, 2, 3]);
    server.happen(4);
    server.startOver();
    server.tell(5);
    await server.settle();
    expect(ids(reader)).toEqual([1, 2, 3, 4, 5]);
    reader.close();
  });

  it("lacks nothing when it tries again what failed, whichever part it was", async () => {
    const server = new FakeHistory(1, 2);
    server.failNext(503);
    const reader = open(server);
    server.tell(3);
    await server.settle();
    void reader.retry();
    await server.settle();
    expect(ids(reader)).toEqual([1, 2, 3]);
    server.happen(4);
    server.failNext(503);
    server.startOver();
    server.tell(5);
    await server.settle();
    expect(ids(reader)).toEqual([1, 2, 3]);
    void reader.retry();
    server.tell(6);
    await server.settle();
    expect(ids(reader)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(reader.store.getState().error).toBeNull();
    reader.close();
  });

  it("goes on where it failed, when the flow starts over", async () => {
    const server = new FakeHistory(1, 2);
    server.failNext(503);
    const reader = open(server);
    await server.settle();
    expect(reader.store.getState().error).toMatchObject({ status: 503 });
    server.startOver();
    await server.settle();
    expect(reader.store.getState()).toMatchObject({ error: null, complete: true });
    expect(ids(reader)).toEqual([1, 2]);
    reader.close();
  });
});

describe("a search in a session", () => {
  const open = (server: FakeHistory) => {
    const finder = new Finder(server.coordinator, server.live, "s");
    finder.open();
    return finder;
  };
  const found = (finder: Finder) => finder.store.getState().matches.ids;

  it("looks through everything, and through what comes", async () => {
    const server = new FakeHistory(...range(1, 12_345));
    const finder = open(server);
    void finder.find("M12345");
    await server.settle();
    expect(found(finder)).toEqual([12_345]);
    expect(finder.store.getState().done).toBe(true);
    expect(server.asked.length).toBe(2);
    server.tell(123_456);
    expect(found(finder)).toEqual([12_345, 123_456]);
  });

  it("forgets what was looked for before", async () => {
    const server = new FakeHistory(1, 2);
    const finder = open(server);
    void finder.find("m1");
    void finder.find("m2");
    await server.settle();
    expect(found(finder)).toEqual([2]);
    await finder.find("");
    expect(finder.store.getState()).toMatchObject({ q: "", done: true });
    server.tell(3);
    expect(found(finder)).toEqual([]);
  });
});
