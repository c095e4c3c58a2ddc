import { expect, test } from "vitest";

import { MOST_COLUMNS, MOST_ROWS, readTable } from "@/content/csv";

test("the first row is the head", () => {
  expect(readTable('a,b\n1,"x, ""y""\nz"\n\n2,3\n', ",")).toEqual({
    header: ["a", "b"],
    rows: [
      ["1", 'x, "y"\nz'],
      ["2", "3"],
    ],
    moreRows: 0,
    moreColumns: 0,
    problem: null,
  });
});

test("tabs and semicolons separate, too", () => {
  expect(readTable("a\tb,c\n1\t2", "\t").header).toEqual(["a", "b,c"]);
  expect(readTable("a;b\n1,5;2", ",").rows).toEqual([["1,5", "2"]]);
});

test("what is too much is counted", () => {
  const rows = Array.from({ length: MOST_ROWS + 500 }, (_, index) => `${index},x`);
  const table = readTable(["id,name", ...rows].join("\n"), ",");
  expect([table.rows.length, table.moreRows]).toEqual([MOST_ROWS, 500]);
  const wide = readTable(
    Array(MOST_COLUMNS + 7)
      .fill("x")
      .join(","),
    ",",
  );
  expect([wide.header.length, wide.moreColumns]).toEqual([MOST_COLUMNS, 7]);
});

test("rows that are longer or shorter are read", () => {
  expect(readTable("a,b\n1\n1,2,3", ",").rows).toEqual([["1"], ["1", "2", "3"]]);
});

test("a file without rows has none", () => {
  expect(readTable("", ",")).toMatchObject({ header: [], rows: [] });
  expect(readTable("\n \n", ",")).toMatchObject({ header: [], rows: [] });
});

test("what is wrong with the file is said, and the rest is read", () => {
  const table = readTable('a,b\n1,"never closed\n2,3', ",");
  expect(table.problem).toMatch(/^Row 2: /);
});

test("a line of a megabyte is a cell that is cut", () => {
  expect(readTable(`a\n${"x".repeat(1_000_000)}`, ",").rows[0]?.[0]).toHaveLength(501);
});
