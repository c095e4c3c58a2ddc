import { expect, test } from "vitest";

import { readChartsSearch } from "@/charts/search";

test("defaults are left out", () => {
  expect(readChartsSearch({})).toEqual({});
  expect(readChartsSearch({ hours: 24, by: "agent" })).toEqual({});
});

test("known periods are read, as numbers and as text", () => {
  expect(readChartsSearch({ hours: 168, by: "project" })).toEqual({ hours: 168, by: "project" });
  expect(readChartsSearch({ hours: "1" })).toEqual({ hours: 1 });
});

test.each([[2], [0], [-1], ["all"], [null], [[6, 1]], [{}]])("the period %j means nothing", (hours) => {
  expect(readChartsSearch({ hours, by: 5 })).toEqual({});
});
