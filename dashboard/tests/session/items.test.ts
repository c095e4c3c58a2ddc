import { describe, expect, it } from "vitest";

import { eventsOf, hasFailed, type Item, Items, type ToolItem } from "@/session/items";
import type { StoredEvent } from "@/wire/types";

import { event, messages } from "./events";

const pre = (id: number, tool: string, more: Record<string, unknown> = {}) =>
  event(id, "pre_tool", { tool_name: tool, tool_input: {}, ...more });
const post = (id: number, tool: string, more: Record<string, unknown> = {}) =>
  event(id, "post_tool", { tool_name: tool, tool_input: {}, tool_output: "done", ...more });
const use = (tool_use_id: string) => ({ tool_use_id });
const by = (agent_id: string) => ({ agent_id });

function top(...events: StoredEvent[]): readonly Item[] {
  return new Items(events).top;
}

function tool(item: Item | undefined): ToolItem {
  if (item?.kind !== "tool") throw new Error(`a tool was expected, not ${item?.kind}`);
  return item;
}

const shape = (items: readonly Item[]): unknown[] =>
  items.map((item) => {
    const agent = item.kind === "tool" || item.kind === "agent" ? item.agent : null;
    return agent === null ? item.id : [item.id, shape(agent.children)];
  });

describe("tools", () => {
  it("are joined to their results by id, in whatever order they end", () => {
    const [first, second, ...rest] = top(
      pre(1, "Bash", use("a")),
      pre(2, "Bash", use("b")),
      post(3, "Bash", use("b")),
      post(4, "Bash", use("a")),
    );
    expect(tool(first).result?.id).toBe(4);
    expect(tool(second).result?.id).toBe(3);
    expect(rest).toEqual([]);
  });

  it("are joined by name where there is no id, the oldest first", () => {
    const items = top(
      pre(1, "Bash"),
      pre(2, "Read"),
      pre(3, "Bash"),
      post(4, "Bash"),
      post(5, "Read"),
      post(6, "Bash"),
    );
    expect(items.map((item) => tool(item).result?.id)).toEqual([4, 5, 6]);
  });

  it("do not take the result of another agent's", () => {
    const items = new Items([pre(1, "Bash"), pre(2, "Bash", by("x")), post(3, "Bash", by("x"))]);
    expect(tool(items.top[0]).result).toBeNull();
    expect(tool(items.find(2)?.item).result?.id).toBe(3);
  });

  it("are shown by their result alone where their call is not loaded, under the same key as with it", () => {
    const alone = top(post(2, "Bash", use("a")))[0];
    const both = top(pre(1, "Bash", use("a")), post(2, "Bash", use("a")))[0];
    expect(tool(alone).use).toBeNull();
    expect(alone?.key).toBe(both?.key);
  });

  it("that are reported twice are both shown", () => {
    const items = top(pre(1, "Bash", use("a")), post(2, "Bash", use("a")), post(3, "Bash", use("a")));
    expect(items.map(({ id }) => id)).toEqual([1, 3]);
    expect(new Set(items.map(({ key }) => key)).size).toBe(2);
  });

  it("are abandoned when their run ends, unless their result comes late", () => {
    const items = new Items([pre(1, "Bash", use("a")), pre(2, "Bash"), event(3, "session_stop")]);
    expect([tool(items.top[0]).abandoned, tool(items.top[1]).abandoned]).toEqual([true, true]);
    items.add(post(4, "Bash", use("a")));
    expect(tool(items.top[0]).result?.id).toBe(4);
    items.add(post(5, "Bash"));
    expect(tool(items.top[3]).use).toBeNull();
  });

  it("that are not permitted have that for a result", () => {
    const items = top(pre(1, "Bash", use("a")), event(2, "permission_denied", { tool_name: "Bash", ...use("a") }));
    expect(tool(items[0]).result?.id).toBe(2);
  });

  it("have failed when their result says so", () => {
    const [good, bad] = top(post(1, "Bash"), post(2, "Bash", { error: "exit code 1" }));
    expect([good, bad].map((item) => item !== undefined && hasFailed(item))).toEqual([false, true]);
  });
});

describe("subagents", () => {
  const call = pre(1, "Agent", { ...use("t"), tool_input: { subagent_type: "Explore" } });
  const start = (id: number, agent: string, more: Record<string, unknown> = {}) =>
    event(id, "subagent_start", { agent_type: "Explore", ...by(agent), ...more });

  it("stand under the call that let them work", () => {
    const items = new Items([call, start(2, "x"), pre(3, "Bash", by("x")), post(4, "Agent", use("t"))]);
    expect(shape(items.top)).toEqual([[1, [3]]]);
    expect(items.find(3)).toMatchObject({ item: { id: 3 }, agents: ["x"] });
    expect(items.find(2)?.item.id).toBe(1);
    expect(eventsOf(items.top[0] as Item).map(({ id }) => id)).toEqual([1, 2, 4]);
  });

  it("stand under the call that they name, even if another waits", () => {
    const other = pre(2, "Agent", use("u"));
    const named = start(3, "x", { parent_tool_use_id: "u" });
    expect(shape(top(call, other, named, pre(4, "Bash", by("x"))))).toEqual([1, [2, [4]]]);
  });

  it("that are alike go to the calls in order, and change places when the results say otherwise", () => {
    const items = new Items([
      call,
      pre(2, "Agent", { ...use("u"), tool_input: { subagent_type: "Explore" } }),
      start(3, "x"),
      start(4, "y"),
      pre(5, "Bash", by("x")),
      pre(6, "Read", by("y")),
    ]);
    expect(shape(items.top)).toEqual([
      [1, [5]],
      [2, [6]],
    ]);
    items.add(post(7, "Agent", { ...use("t"), tool_output: { agentId: "y" } }));
    items.add(pre(8, "Bash", by("x")));
    expect(shape(items.top)).toEqual([
      [1, [6]],
      [2, [5, 8]],
    ]);
    expect(items.find(8)?.agents).toEqual(["x"]);
  });

  it("of another kind than a call asked for are not its own", () => {
    const items = top(call, start(2, "x", { agent_type: "Plan" }), pre(3, "Bash", by("x")));
    expect(shape(items)).toEqual([1, [2, [3]]]);
  });

  it("stand alone where nothing is known of how they began", () => {
    const items = new Items([pre(1, "Bash", by("x"))]);
    expect(items.top[0]).toMatchObject({ kind: "agent", key: "ax" });
    expect(items.find(1)).toMatchObject({ item: { kind: "tool" }, agents: ["x"] });
  });

  it("may let others work", () => {
    const items = new Items([
      call,
      start(2, "x"),
      pre(3, "Agent", { ...use("v"), ...by("x") }),
      start(4, "y"),
      pre(5, "Bash", by("y")),
    ]);
    expect(shape(items.top)).toEqual([[1, [[3, [5]]]]]);
    expect(items.find(5)?.agents).toEqual(["y", "x"]);
  });

  it("that go on in the background after their call has ended are found by what its result said", () => {
    const ended = post(2, "Agent", { ...use("t"), tool_output: { agentId: "x" } });
    expect(shape(top(call, ended, start(3, "x"), pre(4, "Bash", by("x"))))).toEqual([[1, [4]]]);
  });

  it("know their end, and what failed in them", () => {
    const failed = post(3, "Bash", { ...by("x"), error: "no" });
    const items = top(call, start(2, "x"), failed, event(4, "subagent_stop", by("x")));
    expect(tool(items[0]).agent).toMatchObject({ failures: 1, stop: { id: 4 } });
  });
});

describe("other events", () => {
  it("are prompts, answers, runs, usage, or themselves", () => {
    const items = top(
      event(1, "session_start"),
      event(2, "message", { role: "user" }),
      event(3, "message", { role: "assistant" }),
      event(4, "usage"),
      event(5, "never_heard_of"),
      event(6, "session_stop"),
    );
    expect(items.map(({ kind }) => kind)).toEqual(["begin", "prompt", "answer", "usage", "other", "end"]);
  });

  it("of output are one item, until something else comes in between", () => {
    const piece = (id: number) => event(id, "output", { text: "x" });
    const items = new Items([piece(1), piece(2), ...messages(3), piece(4)]);
    expect(items.top.map((item) => eventsOf(item).length)).toEqual([2, 1, 1]);
    expect(items.find(2)?.item.id).toBe(1);
    expect(new Set(items.top.map(({ key }) => key)).size).toBe(3);
  });

  it("of output stay in the same items when older ones are added at the top", () => {
    const pieces = (from: number) => Array.from({ length: 700 - from }, (_, at) => event(from + at, "output"));
    const before = top(...pieces(300)).map(({ key }) => key);
    expect(top(...pieces(10)).map(({ key }) => key)).toEqual(expect.arrayContaining(before));
  });
});

describe("adding an event", () => {
  it("leaves every other item as it is", () => {
    const items = new Items([...messages(1, 2), pre(3, "Bash", use("a")), pre(4, "Read", use("b"))]);
    const before = [...items.top];
    items.add(post(5, "Bash", use("a")));
    expect(items.top.map((item, index) => item === before[index])).toEqual([true, true, false, true]);
  });

  it("costs the same however many there are", () => {
    const items = new Items();
    for (let id = 1; id <= 40_000; id += 2) {
      items.add(pre(id, "Bash", use(`u${id}`)));
      items.add(post(id + 1, "Bash", use(`u${id}`)));
    }
    expect(items.top.length).toBe(20_000);
    expect(items.find(39_999)?.item).toBe(items.top[19_999]);
  });
});
