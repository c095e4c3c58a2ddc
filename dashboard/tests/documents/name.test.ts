import { describe, expect, it } from "vitest";

import { splitName, visibleName } from "@/documents/name";

describe("a visible name", () => {
  it.each([
    ["invoice\u202egpj.exe", "invoice⟨U+202E⟩gpj.exe"],
    ["a\u2066b\u2069c", "a⟨U+2066⟩b⟨U+2069⟩c"],
    ["\u200fa\u061cb", "⟨U+200F⟩a⟨U+061C⟩b"],
    ["tab\there\u0007\r\n", "tab⟨U+0009⟩here⟨U+0007⟩⟨U+000D⟩⟨U+000A⟩"],
    ["two\u2028lines", "two⟨U+2028⟩lines"],
    ["zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"],
    ["hidden\u{e0041}", "hidden⟨U+E0041⟩"],
  ])("writes out what is not seen: %j", (name, shown) => {
    expect(visibleName(name)).toBe(shown);
  });

  it.each(["report.md", "דוח.pdf", "レポート.txt", "می‌خواهم.txt", "👩‍💻.png", "<img src=x onerror=alert(1)>.html"])(
    "leaves alone what is: %s",
    (name) => {
      expect(visibleName(name)).toBe(name);
    },
  );
});

describe("a name in two parts", () => {
  it("is whole where it is short", () => {
    expect(splitName("report.md")).toEqual({ head: "report.md", tail: "" });
  });

  it("keeps the extension, and a little before it, at its end", () => {
    expect(splitName("quarterly-performance-review.final.md")).toEqual({
      head: "quarterly-performance-review.f",
      tail: "inal.md",
    });
  });

  it.each([
    "a".repeat(255),
    `${"a".repeat(10)}.${"b".repeat(200)}`,
    ".hidden-file-with-a-very-long-name",
    "👩‍💻".repeat(40),
    visibleName(`invoice-of-november\u202e${"x".repeat(20)}.exe`),
  ])("loses nothing of %s", (name) => {
    const { head, tail } = splitName(name);
    expect(head + tail).toBe(name);
    expect(Array.from(new Intl.Segmenter().segment(tail)).length).toBeLessThanOrEqual(24);
  });

  it("tears neither a character that is made of several nor one that is written out", () => {
    expect(splitName(`${"a".repeat(30)}👩‍💻👩‍💻👩‍💻👩‍💻.md`).tail).toBe("👩‍💻👩‍💻👩‍💻👩‍💻.md");
    expect(splitName(visibleName(`${"a".repeat(30)}\u202eabc.md`)).tail).toBe("⟨U+202E⟩abc.md");
  });
});
