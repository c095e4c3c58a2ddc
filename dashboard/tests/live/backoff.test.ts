import { expect, test } from "vitest";

import { backoff } from "@/live/backoff";

test("the bound doubles with each failure, up to fifteen seconds", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 60].map((failures) => backoff(failures, 1))).toEqual([
    500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000,
  ]);
});

test("any wait up to the bound is possible, so that browsers do not come back in step", () => {
  expect(backoff(3, 0.5)).toBe(2000);
  expect(backoff(3, 0.25)).toBe(1000);
});

test("no wait is so short that a server which closes at once is asked in a tight loop", () => {
  expect(backoff(0, 0)).toBe(100);
});
