import { expect, it } from "vitest";

import { elapsed } from "@/stop/elapsed";

it.each([
  [-5, "0 s"],
  [999, "0 s"],
  [7400, "7 s"],
  [59_999, "59 s"],
  [61_500, "1 m 1 s"],
])("%d ms: %s", (ms, expected) => {
  expect(elapsed(ms)).toBe(expected);
});
