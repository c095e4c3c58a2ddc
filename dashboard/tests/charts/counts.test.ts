import { expect, test } from "vitest";

import {
  busiest,
  errorShare,
  MOST_BARS,
  percent,
  type Statistics,
  stretches,
  toolUses,
  totalsOf,
} from "@/charts/counts";

type Bucket = Statistics["buckets"][number];

const MINUTE = 60_000;
/** A round time. */
const NOON = Date.parse("2026-01-24T12:00:00.000Z");

const bucket = (start: number, rest: Partial<Bucket> = {}): Bucket => ({
  start: new Date(start).toISOString(),
  events: 0,
  sessions: 0,
  tools: {},
  ...rest,
});

/** One event in each of so many buckets, of which the first begins at a moment. */
const evenly = (first: number, count: number, bucket_seconds: 300 | 3600 = 300): Statistics => ({
  bucket_seconds,
  buckets: Array.from({ length: count }, (_, index) =>
    bucket(first + index * bucket_seconds * 1000, { events: 1, sessions: 2 }),
  ),
});

test("few buckets are drawn as they are", () => {
  expect(stretches(evenly(NOON, 2))).toEqual([
    { start: NOON, end: NOON + 5 * MINUTE, events: 1, sessions: 2 },
    { start: NOON + 5 * MINUTE, end: NOON + 10 * MINUTE, events: 1, sessions: 2 },
  ]);
});

test("many are put together from round times on, without losing any", () => {
  const all = stretches(evenly(NOON + 5 * MINUTE, 288));
  expect(all.slice(0, 2)).toEqual([
    { start: NOON + 5 * MINUTE, end: NOON + 15 * MINUTE, events: 2, sessions: 4 },
    { start: NOON + 15 * MINUTE, end: NOON + 30 * MINUTE, events: 3, sessions: 6 },
  ]);
  expect(all.at(-1)?.events).toBe(1);
  expect(all.reduce((sum, one) => sum + one.events, 0)).toBe(288);
  // The first and the last may be parts of one.
  expect(all.length).toBeLessThanOrEqual(MOST_BARS + 1);
});

test("bars stay what they are while time goes on", () => {
  const before = stretches(evenly(NOON, 288));
  const after = stretches(evenly(NOON + 5 * MINUTE, 288));
  expect(after.slice(1, 90)).toEqual(before.slice(1, 90));
});

test("a week of hours becomes bars of two", () => {
  const week = stretches(evenly(NOON, 168, 3600));
  expect(week).toHaveLength(84);
  expect(week.every((one) => one.end - one.start === 120 * MINUTE)).toBe(true);
});

test("nothing is nothing", () => {
  expect(stretches({ bucket_seconds: 300, buckets: [] })).toEqual([]);
  expect(totalsOf([])).toEqual({ events: 0, sessions: 0 });
  expect(busiest([], "events")).toBeNull();
  expect(toolUses([])).toEqual([]);
});

test("the busiest stretch is the first of the largest, and none where nothing was counted", () => {
  const all = [0, 3, 1, 3].map((events, index) => ({ start: index, end: index + 1, events, sessions: 0 }));
  expect(busiest(all, "events")?.start).toBe(1);
  expect(busiest(all, "sessions")).toBeNull();
});

test("tools are summed up over time, the most used first", () => {
  const tools = toolUses([
    bucket(NOON, { tools: { Bash: { uses: 2, errors: 1 }, Read: { uses: 5, errors: 0 } } }),
    bucket(NOON, { tools: { Bash: { uses: 4, errors: 0 }, Edit: { uses: 5, errors: 5 } } }),
  ]);
  expect(tools).toEqual([
    { name: "Bash", uses: 6, errors: 1 },
    { name: "Edit", uses: 5, errors: 5 },
    { name: "Read", uses: 5, errors: 0 },
  ]);
});

test("a tool is called what JavaScript has ideas about", () => {
  const tools = JSON.parse('{"__proto__": {"uses": 1, "errors": 0}, "constructor": {"uses": 2, "errors": 0}}');
  expect(toolUses([bucket(NOON, { tools })]).map((tool) => tool.name)).toEqual(["constructor", "__proto__"]);
});

test("a share without uses is none", () => {
  expect(errorShare({ uses: 0, errors: 0 })).toBe(0);
  expect(errorShare({ uses: 8, errors: 2 })).toBe(0.25);
});

test.each([
  [0, "0 %"],
  [0.0001, "<0.1 %"],
  [0.004, "0.4 %"],
  [0.05, "5 %"],
  [0.0999, "10 %"],
  [0.126, "13 %"],
  [0.9999, ">99 %"],
  [1, "100 %"],
])("%d is written as %s", (share, text) => {
  expect(percent(share)).toBe(text);
});
