import { afterEach, expect, test, vi } from "vitest";

import { tabKeeper } from "@/access/token-keeper";

afterEach(() => {
  vi.restoreAllMocks();
  sessionStorage.clear();
});

test("a token is kept for this tab, and nowhere else", () => {
  tabKeeper.write("aot_secret");
  expect(tabKeeper.read()).toBe("aot_secret");
  expect(Object.values({ ...localStorage })).toEqual([]);
  expect(document.cookie).toBe("");
  tabKeeper.forget();
  expect([tabKeeper.read(), sessionStorage.length]).toEqual([null, 0]);
});

test("a browser that keeps nothing is no reason not to go on", () => {
  vi.stubGlobal("sessionStorage", {
    getItem: () => {
      throw new DOMException("denied", "SecurityError");
    },
    setItem: () => {
      throw new DOMException("full", "QuotaExceededError");
    },
  });
  expect(tabKeeper.read()).toBeNull();
  expect(() => tabKeeper.write("x")).not.toThrow();
  vi.unstubAllGlobals();
});
