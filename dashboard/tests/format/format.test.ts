import { describe, expect, test } from "vitest";

import { bytes, dollars, short } from "@/format/numbers";
import { ago, duration } from "@/format/time";

test.each([
  [-5, "0 s"],
  [0, "0 ms"],
  [999, "999 ms"],
  [1000, "1.0 s"],
  [9949, "9.9 s"],
  [10_000, "10 s"],
  [59_999, "59 s"],
  [60_000, "1 m"],
  [200_000, "3 m 20 s"],
  [3_600_000, "1 h"],
  [7_500_000, "2 h 5 m"],
  [86_400_000, "1 d"],
  [100 * 3_600_000, "4 d 4 h"],
])("%i ms are %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

describe("how long ago", () => {
  const now = Date.parse("2026-01-24T10:00:00Z");

  test.each([
    ["2026-01-24T09:59:58Z", "just now"],
    ["2026-01-24T10:05:00Z", "just now"],
    ["2026-01-24T09:59:30Z", "30 s ago"],
    ["2026-01-24T09:13:00Z", "47 m ago"],
    ["2026-01-23T11:00:00Z", "23 h ago"],
    ["2026-01-20T10:00:00Z", "4 d ago"],
  ])("%s is %s", (iso, text) => {
    expect(ago(iso, now)).toBe(text);
  });
});

test.each([
  [0, "$0"],
  [0.00042, "$0.00042"],
  [0.5, "$0.50"],
  [1234.5, "$1234.50"],
])("%f is %s", (value, text) => {
  expect(dollars(value)).toBe(text);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1500, "1.5 KB"],
  [52_000_000, "52 MB"],
  [5e15, "5000 TB"],
])("%i bytes are %s", (size, text) => {
  expect(bytes(size)).toBe(text);
});

test("large counts are short", () => {
  expect(short(1234)).toMatch(/^1\.2\s?[Kk]$/);
});
