import { expect, test } from "vitest";

import { inWords } from "@/charts/stop-chart";
import { histogram, percentile, stopsSince } from "@/charts/stops";
import type { Session } from "@/wire/types";

import { session } from "../fixtures";

const NOON = Date.parse("2026-01-24T12:00:00.000Z");
const at = (ms: number) => new Date(NOON + ms).toISOString();
const stopped = (after: number | null, rest: Partial<Session> = {}): Session =>
  session("s", {
    status: "stopped",
    stop_requested_at: at(0),
    stop_confirmed_at: after === null ? null : at(after),
    ...rest,
  });

test("stops of the time are told by how they ended", () => {
  const stops = stopsSince(
    [
      stopped(500),
      stopped(20),
      stopped(null),
      stopped(null, { status: "finished" }),
      stopped(null, { status: "running" }),
      stopped(10, { stop_requested_at: at(-1) }),
      session("s"),
    ],
    NOON,
  );
  expect(stops).toEqual({ latencies: [20, 500], waiting: 1, unconfirmed: 2 });
});

test("no stop took less than no time", () => {
  expect(stopsSince([stopped(-5)], NOON).latencies).toEqual([0]);
});

test("percentiles lie between the values next to them", () => {
  expect(percentile([], 0.5)).toBeNull();
  expect(percentile([7], 0.95)).toBe(7);
  expect(percentile([1, 3], 0.5)).toBe(2);
  expect(percentile([1, 2, 3], 0.5)).toBe(2);
  expect(percentile([0, 10], 0.95)).toBeCloseTo(9.5);
  expect(percentile([1, 2, 3, 4], 0)).toBe(1);
  expect(percentile([1, 2, 3, 4], 1)).toBe(4);
});

test("each latency is in one bin, at its upper bound too", () => {
  const bins = histogram([0, 50, 51, 1000, 60_000, 60_001, 1e9]);
  expect(bins.filter((bin) => bin.count > 0)).toEqual([
    { label: "≤ 50 ms", tick: "0.05", count: 2 },
    { label: "≤ 100 ms", tick: "0.1", count: 1 },
    { label: "≤ 1 s", tick: "1", count: 1 },
    { label: "≤ 1 m", tick: "60", count: 1 },
    { label: "> 1 m", tick: ">60", count: 2 },
  ]);
});

test("the words tell what is known, and what is not", () => {
  expect(inWords({ latencies: [], waiting: 0, unconfirmed: 0 }, 1)).toBe("No run was asked to stop in the last hour.");
  expect(inWords({ latencies: [], waiting: 1, unconfirmed: 0 }, 6)).toBe(
    "No stop was confirmed in the last 6 hours; 1 not confirmed yet.",
  );
  expect(inWords({ latencies: [100, 300], waiting: 0, unconfirmed: 2 }, 24)).toContain("median 200 ms");
});
