import { expect, test } from "vitest";

import { ticksAmong } from "@/charts/moments";
import { shortened } from "@/charts/ranked-bars";

const MINUTE = 60_000;

test("times on the axis are the first after each step of the reader's clock", () => {
  // Whole hours of the reader's, whatever the time zone; so the steps are found without knowing it.
  const noon = new Date(2026, 0, 24, 12).getTime();
  const starts = Array.from({ length: 26 }, (_, index) => noon - 10 * MINUTE + index * 5 * MINUTE);
  expect(ticksAmong(starts, 6)).toEqual([noon, noon + 60 * MINUTE]);
  expect(ticksAmong(starts, 24)).toEqual([noon]);
  expect(ticksAmong(starts, 1)).toHaveLength(12);
  expect(ticksAmong([], 1)).toEqual([]);
});

test("days begin at the reader's midnight", () => {
  const midnight = new Date(2026, 0, 24).getTime();
  const starts = Array.from({ length: 20 }, (_, index) => midnight - 6 * 120 * MINUTE + index * 120 * MINUTE);
  expect(ticksAmong(starts, 168)).toEqual(
    [midnight, midnight + 24 * 60 * MINUTE].filter((one) => starts.includes(one)),
  );
});

test("a long name keeps its beginning and its end", () => {
  expect(shortened("Bash")).toBe("Bash");
  expect(shortened("mcp__github__create_pull_request")).toBe("mcp__gith…l_request");
  expect([...shortened("😀".repeat(40))]).toHaveLength(19);
});
