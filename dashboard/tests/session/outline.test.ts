import { describe, expect, it } from "vitest";

import { LANES } from "@/session/kinds";
import { Matches, says } from "@/session/matches";
import { stepped } from "@/session/ordered";
import { Outline, type OutlineEvent, outlined } from "@/session/outline";

import { event } from "./events";

const use = (id: number, type: string, tool_use_id: string | null, tool_name = "Bash"): OutlineEvent =>
  outlined(event(id, type, { tool_name, tool_use_id }));
const say = (id: number): OutlineEvent => outlined(event(id, "message"));

/** How long each event went on, in seconds. */
const lengths = (outline: Outline) =>
  outline.untils.map((until, index) => (until - (outline.times[index] ?? 0)) / 1000);

describe("the outline's columns", () => {
  const events = [
    use(1, "pre_tool", "a"),
    say(2),
    use(3, "pre_tool", "b", "Read"),
    use(4, "post_tool", "a"),
    use(7, "post_tool", "b", "Read"),
  ];

  it("are the same in whatever pieces they come", () => {
    const whole = new Outline();
    whole.append(events);
    expect(lengths(whole)).toEqual([3, 0, 4, 0, 0]);
    for (let cut = 0; cut <= events.length; cut += 1) {
      for (let other = cut; other <= events.length; other += 1) {
        const pieces = new Outline();
        pieces.append(events.slice(other));
        pieces.prepend(events.slice(cut, other));
        pieces.prepend(events.slice(0, cut));
        expect(pieces.ids).toEqual(whole.ids);
        expect(pieces.untils).toEqual(whole.untils);
        expect(pieces.lanes).toEqual(whole.lanes);
      }
    }
  });

  it("take each event once", () => {
    const outline = new Outline();
    outline.append(events.slice(2));
    outline.append(events);
    expect(outline.ids).toEqual([3, 4, 7]);
    outline.prepend(events);
    expect(outline.ids).toEqual([1, 2, 3, 4, 7]);
  });

  it("join calls without an id to the next result of the same tool", () => {
    const outline = new Outline();
    outline.append([use(5, "post_tool", null)]);
    outline.prepend([use(2, "pre_tool", null), use(3, "post_tool", null, "Read")]);
    expect(lengths(outline)).toEqual([3, 0, 0]);
  });

  it("have a lane for each kind of step", () => {
    const outline = new Outline();
    const tools = ["Bash", "Edit", "Grep", "mcp__a__b", "TodoWrite"];
    outline.append(tools.map((tool, index) => use(index + 1, "pre_tool", null, tool)));
    outline.append([say(9)]);
    expect(outline.lanes.map((lane) => LANES[lane])).toEqual(["shell", "edit", "read", "web", "other", "message"]);
  });

  it("know what failed: an error, or an end with an exit code other than 0", () => {
    const outline = new Outline();
    outline.append(
      [
        event(1, "post_tool", { error: "no" }),
        event(2, "session_stop", { exit_code: 0 }),
        event(3, "session_stop", { exit_code: 1 }),
        event(4, "session_stop"),
      ].map(outlined),
    );
    expect(outline.failures()).toEqual([1, 3]);
  });
});

describe("matches", () => {
  it("count a call and its result once, whichever is found first", () => {
    const matches = new Matches();
    matches.prepend([use(4, "post_tool", "a"), say(5)]);
    matches.prepend([say(1), use(2, "pre_tool", "a")]);
    expect(matches.ids).toEqual([1, 2, 5]);
    matches.append([use(8, "pre_tool", "c"), use(9, "post_tool", "c"), say(5)]);
    expect(matches.ids).toEqual([1, 2, 5, 8]);
    expect([...matches.marked].sort()).toEqual([1, 2, 4, 5, 8, 9]);
  });

  it("are what an event says, in any case and at any depth, not how it is written down", () => {
    const found = event(1, "post_tool", { tool_output: { lines: [{ text: 'He said "Grüße"\nand left' }] } });
    expect(["GRÜSSE", 'said "grüße"\nand', "post_tool"].map((q) => says(found, q))).toEqual([false, true, true]);
    expect(["lines", "tool_output", "\\n", "null"].some((q) => says(found, q))).toBe(false);
    expect(says(event(1, "message", { session_name: "findme", session_id: "findme" }), "findme")).toBe(false);
  });
});

describe("stepping through ids", () => {
  const ids = [10, 20, 30];
  const nowhere = { current: null, first: null, last: null };

  it("goes on from the one gone to last, and round at the ends", () => {
    expect(stepped(ids, 1, { ...nowhere, current: 10 })).toBe(20);
    expect(stepped(ids, -1, { ...nowhere, current: 10 })).toBe(30);
    expect(stepped(ids, 1, { ...nowhere, current: 30 })).toBe(10);
    expect(stepped(ids, 1, { current: 20, first: 1, last: 15 })).toBe(30);
    expect(stepped([], 1, nowhere)).toBeNull();
  });

  it("goes on from what is in view, where the reader has moved away", () => {
    expect(stepped(ids, 1, { current: null, first: 15, last: 25 })).toBe(20);
    expect(stepped(ids, -1, { current: null, first: 25, last: 28 })).toBe(20);
    expect(stepped(ids, -1, { current: null, first: 15, last: 30 })).toBe(30);
  });
});
