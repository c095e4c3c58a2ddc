import { describe, expect, test } from "vitest";

import { type DiffModel, diffOf } from "@/content/diff-model";

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`);
const shape = (model: DiffModel | null) =>
  model?.blocks.flatMap((block) =>
    block.folded
      ? [`… ${block.lines.length}`]
      : block.lines.map((line) => {
          const sign = { same: " ", added: "+", removed: "-" }[line.kind];
          return `${sign}${line.parts.map((part) => (part.changed ? `[${part.text}]` : part.text)).join("")}`;
        }),
  );

describe("a difference", () => {
  test("has the numbers of both texts", () => {
    const lines = diffOf("a\nb\nc\n", "a\nx\nb\nc\n")?.blocks.flatMap((block) => block.lines);
    expect(lines?.map(({ kind, before, after }) => [kind, before, after])).toEqual([
      ["same", 1, 1],
      ["added", null, 2],
      ["same", 2, 3],
      ["same", 3, 4],
    ]);
  });

  test("marks the words that differ in a line that was replaced", () => {
    expect(shape(diffOf("const a = one;\n", "const a = two;\n"))).toEqual(["-const a = [one];", "+const a = [two];"]);
  });

  test("marks no words in lines that have little in common, or are not paired", () => {
    expect(shape(diffOf("something else entirely\n", "import { x } from 'y'\n"))).toEqual([
      "-something else entirely",
      "+import { x } from 'y'",
    ]);
    expect(shape(diffOf("one a\n", "one b\none c\n"))).toEqual(["-one a", "+one b", "+one c"]);
  });

  test("folds what is unchanged and far away", () => {
    const before = numbered(40);
    const after = before.with(20, "another line");
    expect(shape(diffOf(before.join("\n"), after.join("\n")))?.filter((line) => line.startsWith("…"))).toEqual([
      "… 17",
      "… 16",
    ]);
  });

  test("does not fold a line or two", () => {
    const before = numbered(6);
    expect(shape(diffOf(before.join("\n"), before.with(5, "z").join("\n")))).not.toContain("… 2");
  });

  test("counts, and says how the end differs", () => {
    expect(diffOf("a", "a\nb\n")).toMatchObject({ added: 1, removed: 0, endNote: "A newline was added at the end." });
    expect(diffOf("a\n", "a")).toMatchObject({ added: 0, removed: 0, endNote: "The newline at the end was removed." });
    expect(diffOf("", "a\n")).toMatchObject({ added: 1, removed: 0, endNote: null });
    expect(diffOf("a\n", "")).toMatchObject({ added: 0, removed: 1, endNote: null });
  });

  test("of the same text is empty", () => {
    expect(diffOf("", "")).toMatchObject({ added: 0, removed: 0, blocks: [] });
    expect(diffOf("a\nb", "a\nb")).toMatchObject({ added: 0, removed: 0 });
  });
});

describe("what would take too long is not compared", () => {
  test("because it is too long", () => {
    expect(diffOf("a".repeat(600_000), "b".repeat(600_000))).toBeNull();
    expect(diffOf("a\n".repeat(15_000), "b\n".repeat(15_000))).toBeNull();
  });

  test("because it differs too much", () => {
    const one = Array.from({ length: 4000 }, (_, index) => `a${index}`).join("\n");
    const other = Array.from({ length: 4000 }, (_, index) => `b${index}`).join("\n");
    expect(diffOf(one, other)).toBeNull();
  });

  test("word by word, because the lines are long", () => {
    const model = diffOf(`${"word ".repeat(1000)}a`, `${"word ".repeat(1000)}b`);
    expect(model?.blocks.flatMap((block) => block.lines).every((line) => line.parts.length === 1)).toBe(true);
  });
});
