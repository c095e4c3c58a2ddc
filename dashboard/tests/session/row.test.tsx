import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import { type Item, Items } from "@/session/items";
import { type RowProps, TimelineRow } from "@/session/row";

import { event } from "./events";

afterEach(cleanup);

function first(...events: Parameters<typeof event>[]): Item {
  const item = new Items(events.map((one) => event(...one))).top[0];
  if (item === undefined) throw new Error("no item");
  return item;
}

function show(item: Item, more: Partial<RowProps> = {}) {
  const props = {
    id: "row",
    item,
    depth: 0,
    open: false,
    folded: false,
    current: true,
    linked: false,
    matched: false,
    live: true,
    project: null,
    onToggle: vi.fn(),
    onFold: vi.fn(),
    onLink: vi.fn(),
    onFocus: vi.fn(),
    ...more,
  };
  return { ...props, ...render(<TimelineRow {...props} />) };
}

const bash = { tool_name: "Bash", tool_input: { command: "npm test" }, tool_use_id: "a" };

describe("a row", () => {
  it("says what was done, how it went and how long it took", () => {
    const { container } = show(first([1, "pre_tool", bash], [3, "post_tool", { ...bash, error: "exit code 1" }]));
    expect(container.textContent).toContain("Bash");
    expect(container.textContent).toContain("npm test");
    expect(container.textContent).toContain("failed");
    expect(container.textContent).toContain("2.0 s");
  });

  it("shows a tool as running only where its result would be known", () => {
    expect(show(first([1, "pre_tool", bash])).container.textContent).toContain("running");
    cleanup();
    expect(show(first([1, "pre_tool", bash]), { live: false }).container.textContent).toContain("no result");
  });

  it("opens by its button, which says whether it is open", async () => {
    const item = first([1, "pre_tool", bash], [2, "post_tool", { ...bash, tool_output: "12 passed" }]);
    const { onToggle } = show(item);
    const button = screen.getByRole("button", { expanded: false });
    await userEvent.click(button);
    expect(onToggle).toHaveBeenCalledWith(item);
    cleanup();
    const { container } = show(item, { open: true });
    expect(container.textContent).toContain("$ npm test");
    expect(container.textContent).toContain("12 passed");
  });

  it("folds what a subagent did by a button of its own", async () => {
    const item = first(
      [1, "post_tool", { ...bash, agent_id: "x" }],
      [2, "post_tool", { ...bash, agent_id: "x", error: "no" }],
    );
    const { onFold } = show(item);
    expect(screen.getByText(", 1 failed")).toBeTruthy();
    await userEvent.click(screen.getByTitle("Fold what the subagent did"));
    expect(onFold).toHaveBeenCalledWith("x");
  });

  it("copies a link to its event, and its events as JSON", async () => {
    const user = userEvent.setup();
    const { onLink } = show(first([7, "pre_tool", bash], [8, "post_tool", bash]));
    await user.click(screen.getByRole("button", { name: "Copy link" }));
    expect(await navigator.clipboard.readText()).toMatch(/\?event=7$/);
    expect(onLink).toHaveBeenCalledWith(7);
    await user.click(screen.getByRole("button", { name: "Copy as JSON" }));
    expect(JSON.parse(await navigator.clipboard.readText())).toMatchObject([{ id: 7 }, { id: 8 }]);
  });

  it("shows what is never heard of as JSON, and scripts as text", () => {
    const hostile = { message: "<img src=x onerror=alert(1)>", deep: { er: [1] } };
    const { container } = show(first([1, "never_heard_of", hostile]), { open: true });
    expect(container.querySelector("img")).toBeNull();
    expect(container.textContent).toContain("Never heard of");
    expect(container.textContent).toContain("onerror");
  });
});
