import { describe, expect, it } from "vitest";

import { Items } from "@/session/items";
import { fateOf, tookMs, usageWords } from "@/session/row-facts";
import { rowsOf, type Shown } from "@/session/rows";
import { KINDS } from "@/session/search";

import { event } from "./events";

const call = { tool_name: "Bash", tool_input: {} };
const items = new Items([
  event(1, "session_start"),
  event(2, "message", { role: "user" }),
  event(3, "pre_tool", { ...call, tool_use_id: "a" }),
  event(4, "post_tool", { ...call, tool_use_id: "a", error: "no" }),
  event(5, "pre_tool", { tool_name: "Agent", tool_input: {}, tool_use_id: "t" }),
  event(6, "subagent_start", { agent_id: "x" }),
  event(7, "post_tool", { ...call, agent_id: "x" }),
  event(8, "post_tool", { ...call, agent_id: "x", error: "no" }),
  event(9, "usage", { agent_id: "x", input_tokens: 1200, cost_usd: 0.5, cache_read_tokens: 3, cache_write_tokens: 4 }),
  event(10, "message", { role: "assistant" }),
]);

const rows = (shown: Partial<Shown> = {}) =>
  rowsOf(items.top, { kinds: KINDS, errors: false, folded: () => false, ...shown }).map(({ item, depth }) => [
    item.id,
    depth,
  ]);

describe("the rows", () => {
  it("have a subagent's items below the call that let it work", () => {
    expect(rows()).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
      [5, 0],
      [7, 1],
      [8, 1],
      [9, 1],
      [10, 0],
    ]);
  });

  it("leave out what is folded away", () => {
    expect(rows({ folded: (agent) => agent === "x" }).map(([id]) => id)).toEqual([1, 2, 3, 5, 10]);
  });

  it("are of the kinds that are asked for, and keep what these stand under", () => {
    expect(rows({ kinds: ["prompts"] })).toEqual([[2, 0]]);
    expect(rows({ kinds: ["answers"] })).toEqual([[10, 0]]);
    expect(rows({ kinds: ["other"] })).toEqual([
      [1, 0],
      [5, 0],
      [9, 1],
    ]);
    expect(rows({ kinds: ["other"], folded: () => true })).toEqual([
      [1, 0],
      [5, 0],
    ]);
  });

  it("are what failed, where that is asked for", () => {
    expect(rows({ errors: true })).toEqual([
      [3, 0],
      [5, 0],
      [8, 1],
    ]);
    expect(rows({ errors: true, kinds: ["answers"] })).toEqual([]);
  });
});

describe("what became of an item", () => {
  const tool = (...events: Parameters<typeof event>[]) => {
    const item = new Items(events.map((one) => event(...one))).top[0];
    if (item === undefined) throw new Error("no item");
    return item;
  };

  it("is known by its result, or is not", () => {
    const begun = tool([1, "pre_tool", call]);
    expect(fateOf(begun, true)).toBe("running");
    expect(fateOf(begun, false)).toBe("unfinished");
    expect(fateOf(tool([1, "pre_tool", call], [2, "session_stop"]), true)).toBe("unfinished");
    expect(fateOf(tool([1, "pre_tool", call], [2, "post_tool", call]), true)).toBe("done");
    expect(fateOf(tool([1, "pre_tool", call], [2, "permission_denied", call]), true)).toBe("denied");
    expect(fateOf(tool([1, "post_tool", { ...call, error: "no" }]), true)).toBe("failed");
    expect(fateOf(tool([1, "session_stop", { exit_code: 2 }]), true)).toBe("failed");
    expect(fateOf(tool([1, "message"]), true)).toBe("none");
  });

  it("took as long as is said, or as lay between", () => {
    expect(tookMs(tool([1, "pre_tool", call], [4, "post_tool", call]), null)).toBe(3000);
    expect(tookMs(tool([1, "pre_tool", call], [4, "post_tool", { ...call, duration_ms: 12 }]), null)).toBe(12);
    const begun = tool([1, "pre_tool", call]);
    expect(tookMs(begun, null)).toBeNull();
    expect(tookMs(begun, Date.parse(begun.at) + 5000)).toBe(5000);
    expect(tookMs(tool([1, "post_tool", call]), null)).toBeNull();
  });

  it("of usage is what it adds", () => {
    const usage = event(9, "usage", { input_tokens: 1200, output_tokens: 0, cache_read_tokens: 3, cost_usd: 0.5 });
    expect(usageWords(usage)).toBe("1.2K in · 3 cached · $0.50");
    expect(usageWords(event(9, "usage"))).toBe("");
  });
});
