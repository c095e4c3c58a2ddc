import { expect, test } from "vitest";

import { isQuicklyHighlighted } from "@/content/highlight-limits";

test("what people write is highlighted", () => {
  expect(isQuicklyHighlighted("")).toBe(true);
  expect(isQuicklyHighlighted("for (const one of all) {\n  run(one);\n}\n".repeat(1_000))).toBe(true);
});

test("what takes the highlighter long is not", () => {
  expect(isQuicklyHighlighted("a;".repeat(30_000))).toBe(false);
  expect(isQuicklyHighlighted(`x\n${"a;".repeat(1_500)}\n`)).toBe(false);
  expect(isQuicklyHighlighted("word\n".repeat(300))).toBe(false);
});
