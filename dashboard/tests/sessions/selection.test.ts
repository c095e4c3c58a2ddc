import { expect, it } from "vitest";

import { selectedAmong, toggled } from "@/sessions/selection";

const SHOWN = ["a", "b", "c", "d", "e"];
const from = (selected: string[], id: string, anchor: string | null) =>
  [...toggled(new Set(selected), SHOWN, id, anchor)].sort();

it("selects and unselects one", () => {
  expect(from([], "b", null)).toEqual(["b"]);
  expect(from(["a", "b"], "b", null)).toEqual(["a"]);
});

it("selects from the last one pressed to this, both ways", () => {
  expect(from(["b"], "d", "b")).toEqual(["b", "c", "d"]);
  expect(from(["d"], "b", "d")).toEqual(["b", "c", "d"]);
});

it("unselects a range whose end was selected", () => {
  expect(from(["a", "b", "c", "d"], "c", "a")).toEqual(["d"]);
});

it("selects one alone when the last one pressed is not shown any more", () => {
  expect(from([], "c", "gone")).toEqual(["c"]);
});

it("acts upon what is shown only, in its order", () => {
  expect(selectedAmong(new Set(["d", "hidden", "a"]), SHOWN)).toEqual(["a", "d"]);
});
