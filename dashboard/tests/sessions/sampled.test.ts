import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createStore } from "zustand/vanilla";

import { sampled } from "@/sessions/sampled";

const MS = 250;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function start() {
  const store = createStore(() => ({ n: 0, other: 0 }));
  const source = sampled(store, ({ n }) => n, MS);
  const seen: number[] = [];
  const end = source.subscribe(() => seen.push(source.get()));
  return { store, source, seen, end };
}

it("takes the first change at once", () => {
  const { store, seen } = start();
  store.setState({ n: 1 });
  vi.advanceTimersByTime(0);
  expect(seen).toEqual([1]);
});

it("takes what follows at intervals, and the last in the end", () => {
  const { store, seen, source } = start();
  for (let n = 1; n <= 100; n += 1) {
    store.setState({ n });
    vi.advanceTimersByTime(10);
  }
  vi.advanceTimersByTime(MS);
  expect(seen.length).toBeLessThanOrEqual(1 + Math.ceil(1000 / MS));
  expect(source.get()).toBe(100);
});

it("heeds the selected part only", () => {
  const { store, seen } = start();
  store.setState({ other: 1 });
  vi.advanceTimersByTime(MS);
  expect(seen).toEqual([]);
});

it("has what came between the first look and the subscription", () => {
  const store = createStore(() => ({ n: 0 }));
  const source = sampled(store, ({ n }) => n, MS);
  store.setState({ n: 5 });
  source.subscribe(() => undefined);
  expect(source.get()).toBe(5);
});

it("is silent when nobody listens any more", () => {
  const { store, seen, end } = start();
  store.setState({ n: 1 });
  end();
  vi.advanceTimersByTime(MS);
  expect(seen).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
