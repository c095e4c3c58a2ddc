import { expect, it } from "vitest";

import { columnsFor, templateOf } from "@/sessions/columns";

const keys = (width: number, grouped = false, mayChange = true) =>
  columnsFor(width, grouped, mayChange).map(({ key }) => key);

it("shows all columns where there is room", () => {
  expect(keys(1400)).toHaveLength(13);
});

it("never needs more room than there is, down to where rows become cards", () => {
  for (let width = 600; width < 1400; width += 1) {
    const needed = columnsFor(width, false, true).reduce((sum, column) => sum + column.width, 0);
    expect(needed).toBeLessThanOrEqual(width);
  }
});

it("never needs more room than there is for who may change nothing, either", () => {
  for (let width = 600; width < 1400; width += 1) {
    const needed = columnsFor(width, false, false).reduce((sum, column) => sum + column.width, 10);
    expect(needed).toBeLessThanOrEqual(width);
  }
});

it("gives up figures before the presence, and never the name, the status and Stop", () => {
  expect(keys(900)).not.toContain("tokens");
  expect(keys(900)).toContain("presence");
  expect(keys(0)).toEqual(["select", "name", "status", "stop", "more"]);
});

it("has no column for what the headings say", () => {
  expect(keys(1400, true)).not.toContain("project");
});

it("has no column for changes to who may not make them", () => {
  expect(keys(1400, false, false)).not.toContain("stop");
  expect(keys(0, false, false)).toEqual(["name", "status", "more"]);
});

it("gives what is left to the columns that grow", () => {
  expect(templateOf(columnsFor(600, false, true))).toMatch(/^40px minmax\(\d+px, 4fr\) /);
});
