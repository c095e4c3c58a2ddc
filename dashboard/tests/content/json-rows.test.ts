import { describe, expect, test } from "vitest";

import { beginningOf, EMPTY_VIEW, gistOf, type JsonRow, type JsonView, rowsOf, toggled } from "@/content/json-rows";
import { jsonText } from "@/content/json-text";

const find = (rows: JsonRow[], id: string): JsonRow => {
  const row = rows.find((one) => one.id === id);
  if (row === undefined) throw new Error(`there is no row ${id} in ${rows.map((one) => one.id).join(" ")}`);
  return row;
};

function deep(levels: number): unknown {
  return JSON.parse(`${'{"a":['.repeat(levels / 2)}1${"]}".repeat(levels / 2)}`);
}

describe("rows", () => {
  test("are open for two levels", () => {
    const rows = rowsOf({ a: { b: { c: 1 } }, d: null }, "input", EMPTY_VIEW);
    expect(rows.map(({ id, depth, open }) => [id, depth, open])).toEqual([
      ["$", 0, true],
      ["$/a", 1, true],
      ["$/a/b", 2, false],
      ["$/d", 1, null],
    ]);
    expect(rows[0]?.label).toBe("input");
  });

  test("of a large container below the first are closed", () => {
    expect(rowsOf({ list: Array(50).fill(0) }, null, EMPTY_VIEW)).toHaveLength(2);
    expect(rowsOf(Array(50).fill(0), null, EMPTY_VIEW)).toHaveLength(51);
  });

  test("open and close", () => {
    let view: JsonView = EMPTY_VIEW;
    const value = { a: { b: { c: 1 } } };
    view = toggled(view, find(rowsOf(value, null, view), "$/a/b"));
    expect(rowsOf(value, null, view).map((row) => row.id)).toContain("$/a/b/c");
    view = toggled(view, find(rowsOf(value, null, view), "$"));
    expect(rowsOf(value, null, view)).toHaveLength(1);
  });

  test("of thousands come a hundred at a time", () => {
    const value = Array.from({ length: 5000 }, (_, index) => index);
    let rows = rowsOf(value, null, EMPTY_VIEW);
    expect(rows).toHaveLength(102);
    expect(rows.at(-1)).toMatchObject({ kind: "more", size: 4900, siblings: 101 });
    rows = rowsOf(value, null, toggled(EMPTY_VIEW, find(rows, "$//more")));
    expect(rows).toHaveLength(202);
    expect(rows.at(-1)).toMatchObject({ kind: "more", size: 4800 });
  });

  test("tell keys apart that look like paths", () => {
    const rows = rowsOf({ "a/b": 1, a: { b: 2 }, "": 3, "/more": 4, __proto__: 5 }, null, EMPTY_VIEW);
    expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
  });

  test("of long strings are folded, of short ones not", () => {
    const rows = rowsOf({ long: "x".repeat(1000), lines: "a\n".repeat(20), short: "a\nb" }, null, EMPTY_VIEW);
    expect(rows.map((row) => row.open)).toEqual([true, false, false, null]);
    expect(beginningOf("a\n".repeat(20)).split("\n")).toHaveLength(8);
  });

  test("know their place among their siblings", () => {
    expect(rowsOf([1, 2, 3], null, EMPTY_VIEW).map((row) => [row.position, row.siblings])).toEqual([
      [1, 1],
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
  });
});

describe("a value nested ten thousand levels deep", () => {
  test("is shown as far as it is opened", () => {
    const value = deep(10_000);
    expect(rowsOf(value, null, EMPTY_VIEW)).toHaveLength(3);
    const everything: JsonView = { ...EMPTY_VIEW, opened: { get: () => true } as unknown as Map<string, boolean> };
    expect(rowsOf(deep(1_000), null, everything)).toHaveLength(1_001);
  });

  test("can be copied", () => {
    expect(jsonText(deep(10_000))).toBe(`${'{"a":['.repeat(5_000)}1${"]}".repeat(5_000)}`);
    expect(jsonText({ deep: deep(200), list: [1, "x", null], empty: {} })).toMatch(
      /^\{"deep":\{"a":\[.*\],"empty":\{\}\}$/,
    );
  });
});

test("the gist of a closed container fits into a line", () => {
  expect(gistOf({ name: "Bash", input: { a: 1 }, list: [], n: null })).toBe(
    '{ name: "Bash", input: {…}, list: [], n: null }',
  );
  expect(gistOf(["a\nb", 2])).toBe('[ "a…", 2 ]');
  expect(gistOf([{ a: 1 }, { a: 2 }])).toBe("[ {…}, … ]");
  expect(
    gistOf(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`key${index}`, index]))).length,
  ).toBeLessThan(90);
  expect(gistOf({ ["k".repeat(10_000)]: "v".repeat(10_000) }).length).toBeLessThan(90);
});

test("JSON text is indented", () => {
  expect(jsonText({ a: [1] })).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(jsonText(undefined)).toBe("undefined");
});
