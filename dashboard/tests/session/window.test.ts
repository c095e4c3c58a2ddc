import { describe, expect, it } from "vitest";

import { covers, opened, type TimelineWindow, withLive, withNewer, withOlder } from "@/session/window";

import { event, messages, range } from "./events";

const ids = (window: TimelineWindow) => window.events.map(({ id }) => id);
const whole = { older: false, newer: false };
const few = { events: 10, weight: Number.POSITIVE_INFINITY };

describe("a window over a history", () => {
  it("grows at its top, and knows whether there is more", () => {
    const window = opened(messages(5, 6), { older: true, newer: false });
    const grown = withOlder(window, messages(3, 4), true);
    expect(ids(grown)).toEqual([3, 4, 5, 6]);
    expect(grown.older).toBe(true);
    expect(withOlder(grown, messages(1, 2), false).older).toBe(false);
  });

  it("repeats nothing that a page has again", () => {
    const window = opened(messages(3, 4), { older: true, newer: true });
    expect(ids(withOlder(window, messages(2, 3), false))).toEqual([2, 3, 4]);
    expect(ids(withNewer(window, messages(4, 5), false))).toEqual([3, 4, 5]);
  });

  it("takes live events at the history's end, each once", () => {
    const window = opened(messages(1, 2), whole);
    const grown = withLive(window, messages(2, 3, 4), true);
    expect(ids(grown)).toEqual([1, 2, 3, 4]);
    expect(withLive(grown, messages(3, 4), true)).toBe(grown);
  });

  it("takes no live event while it ends before the history does, since that would leave a gap", () => {
    const window = opened(messages(1, 2), { older: false, newer: true });
    expect(withLive(window, messages(9), true)).toBe(window);
  });

  it("begins empty and takes what comes", () => {
    expect(ids(withLive(opened([], whole), messages(7), true))).toEqual([7]);
  });

  it("lets go of the newest where the reader goes up, and then has newer ones", () => {
    const window = opened(messages(...range(11, 20)), { older: true, newer: false });
    const grown = withOlder(window, messages(...range(6, 10)), true, few);
    expect(ids(grown)[0]).toBe(6);
    expect(grown.events.length).toBeLessThanOrEqual(10);
    expect(grown.newer).toBe(true);
    expect(ids(grown)).toEqual(range(6, 5 + grown.events.length));
  });

  it("lets go of the oldest for who follows, and then has older ones", () => {
    const window = opened(messages(...range(1, 10)), whole);
    const grown = withLive(window, messages(11), true, few);
    expect(ids(grown).at(-1)).toBe(11);
    expect(grown.events.length).toBeLessThanOrEqual(10);
    expect(grown.older).toBe(true);
    expect(grown.newer).toBe(false);
  });

  it("when full, takes nothing away from who reads further up", () => {
    const window = opened(messages(...range(1, 10)), whole);
    const grown = withLive(window, messages(11), false, few);
    expect(ids(grown)).toEqual(range(1, 10));
    expect(grown.newer).toBe(true);
  });

  it("is bounded by what the events hold, too", () => {
    const large = (id: number) => event(id, "post_tool", { tool_output: "x".repeat(1000) });
    const bounds = { events: 100, weight: 3500 };
    const grown = withNewer(opened([large(1), large(2)], whole), [large(3), large(4)], false, bounds);
    expect(grown.weight).toBeLessThanOrEqual(3500);
    expect(ids(grown).at(-1)).toBe(4);
    expect(grown.older).toBe(true);
    expect(grown.weight).toBe(opened(grown.events, whole).weight);
  });

  it("knows which places it holds", () => {
    const window = opened(messages(10, 20, 30), { older: true, newer: true });
    expect([5, 10, 25, 30, 35].map((id) => covers(window, id))).toEqual([false, true, true, true, false]);
    expect(covers({ ...window, older: false, newer: false }, 5)).toBe(true);
    expect(covers(opened([], whole), 5)).toBe(false);
  });
});
