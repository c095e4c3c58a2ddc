import { expect, test } from "vitest";

import { visible } from "@/content/control-characters";
import { isDeeplyNested, sliceEnd } from "@/content/markdown-limits";

test("only what no person would write is nested too deeply", () => {
  expect(isDeeplyNested(">".repeat(10_000))).toBe(true);
  expect(isDeeplyNested(`text\n${"> ".repeat(100)}`)).toBe(true);
  expect(isDeeplyNested("- ".repeat(100))).toBe(true);
  expect(isDeeplyNested("1. ".repeat(100))).toBe(true);
  expect(isDeeplyNested("-".repeat(100))).toBe(false);
  expect(isDeeplyNested("> > > - a\n".repeat(100))).toBe(false);
  expect(isDeeplyNested("1".repeat(1_000_000))).toBe(false);
});

test("a long text is cut after a paragraph", () => {
  const text = "one\n\ntwo\n\nthree three three";
  const end = sliceEnd(text, 0, 15);
  expect(text.slice(0, end)).toBe("one\n\ntwo\n\n");
  expect(sliceEnd(text, end, 100)).toBe(text.length);
});

test("a fenced block is not cut", () => {
  const text = "one\n\n```\na\n\nb\n\nc\n```\n\nlast";
  expect(text.slice(0, sliceEnd(text, 0, 15))).toBe("one\n\n");
});

test("a text without paragraphs is cut where there is no more room", () => {
  expect(sliceEnd("x".repeat(1000), 0, 100)).toBe(100);
  expect(sliceEnd(`\`\`\`\n${"x\n\n".repeat(1000)}`, 0, 100)).toBe(100);
});

test("every part goes on where the one before it ended", () => {
  const text = "para\n\n".repeat(100);
  let from = 0;
  let parts = "";
  while (from < text.length) {
    const end = sliceEnd(text, from, 50);
    expect(end).toBeGreaterThan(from);
    parts += text.slice(from, end);
    from = end;
  }
  expect(parts).toBe(text);
});

test("characters that can't be seen are written out", () => {
  expect(visible("photo\u202egnp.exe")).toBe("photo⟨U+202E⟩gnp.exe");
  expect(visible("a\tb\r\nc\rd\u007f\u200b")).toBe("a\tb\nc␍d␡⟨U+200B⟩");
  expect(visible("hi\u{e0041}")).toBe("hi⟨U+E0041⟩");
  expect(visible("שלום 👨‍👩‍👧 naïve")).toBe("שלום 👨‍👩‍👧 naïve");
});
