import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";

import { FindBar, found } from "@/session/find-bar";
import type { FinderState } from "@/session/finder";
import { Matches } from "@/session/matches";
import { outlined } from "@/session/outline";

import { event } from "./events";

afterEach(cleanup);

function state(q: string, ids: number[], more: Partial<FinderState> = {}): FinderState {
  const matches = new Matches();
  matches.prepend(ids.map((id) => outlined(event(id, "message"))));
  return { q, matches, version: 1, done: true, error: null, ...more };
}

type Told = { onAsk: (q: string) => void; onStep: (by: 1 | -1) => void };

function Page({ onAsk, onStep }: Told) {
  const [q, setQ] = useState("");
  const ask = (next: string) => {
    onAsk(next);
    setQ(next);
  };
  return (
    <FindBar input={{ current: null }} q={q} state={state(q, [1, 2])} current={null} onAsk={ask} onStep={onStep} />
  );
}

function setUp() {
  const onAsk = vi.fn();
  const onStep = vi.fn();
  render(<Page onAsk={onAsk} onStep={onStep} />);
  return { onAsk, onStep, input: screen.getByRole("searchbox"), user: userEvent.setup() };
}

describe("the search field", () => {
  it("asks once for what was typed in one go", async () => {
    const { onAsk, input, user } = setUp();
    await user.type(input, "red");
    await vi.waitFor(() => expect(onAsk).toHaveBeenCalled());
    expect(onAsk.mock.calls).toEqual([["red"]]);
    expect(screen.getByRole("status").textContent).toBe("2 matches");
  });

  it("goes on by Enter, and back by Shift+Enter and its buttons", async () => {
    const { onStep, input, user } = setUp();
    await user.type(input, "red{Enter}{Shift>}{Enter}{/Shift}");
    await user.click(screen.getByRole("button", { name: "Next match (n)" }));
    expect(onStep.mock.calls).toEqual([[1], [-1], [1]]);
  });

  it("is emptied and left by Escape", async () => {
    const { onAsk, input, user } = setUp();
    await user.type(input, "red{Escape}");
    expect(input).toHaveProperty("value", "");
    expect(document.activeElement).not.toBe(input);
    expect(onAsk.mock.calls.at(-1)).toEqual([""]);
  });
});

describe("how far a search is", () => {
  it.each<[FinderState, number | null, string]>([
    [state("", []), null, ""],
    [state("x", []), null, "no match"],
    [state("x", [1]), null, "1 match"],
    [state("x", [1, 5, 9]), null, "3 matches"],
    [state("x", [1, 5, 9]), 5, "2 of 3"],
    [state("x", [1, 5, 9]), 6, "3 matches"],
    [state("x", [1, 5], { done: false }), null, "2 matches, still looking …"],
    [state("x", [], { done: false }), null, "0 matches, still looking …"],
    [state("x", [1], { error: new Error("It is away") }), null, "It is away"],
  ])("%#", (finder, current, words) => {
    expect(found(finder, current)).toBe(words);
  });
});
