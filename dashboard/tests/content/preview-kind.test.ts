import { describe, expect, test } from "vitest";

import { decode } from "@/content/decode";
import { languageOf } from "@/content/language";
import { limitOf, previewOf } from "@/content/preview-kind";

describe("a preview is chosen", () => {
  test.each([
    ["text/markdown", "notes", "markdown"],
    ["text/plain; charset=utf-8", "README.md", "markdown"],
    ["text/plain", "notes", "text"],
    ["text/plain", "run.log", "text"],
    ["application/octet-stream", "main.py", "code"],
    ["", "data.csv", "table"],
    ["application/json", "x", "json"],
    ["application/ld+json", "x", "json"],
    ["application/x-ndjson", "x.jsonl", "code"],
    ["text/html", "picture.png", "html"],
    ["application/pdf", "x", "pdf"],
    ["application/octet-stream", "x.PDF", "pdf"],
    ["image/png", "page.html", "image"],
    ["image/svg+xml", "x.svg", "image"],
    ["image/tiff", "x.tiff", "none"],
    ["text/x-python", "x", "code"],
    ["application/xml", "x", "code"],
    ["text/javascript", "x", "code"],
    ["text/whatever", "x.toml", "code"],
    ["text/whatever", "x", "text"],
    ["application/zip", "x.txt", "none"],
    ["application/octet-stream", "x.bin", "none"],
    ["application/octet-stream", "constructor", "none"],
    ["constructor", "__proto__", "none"],
  ])("for %s called %s: %s", (type, name, kind) => {
    expect(previewOf(type, name).kind).toBe(kind);
  });

  test("with the browser told what it is, whatever the document says", () => {
    expect(previewOf("application/octet-stream", "x.svg")).toEqual({ kind: "image", type: "image/svg+xml" });
    expect(previewOf("IMAGE/PNG; x=text/html", "x")).toEqual({ kind: "image", type: "image/png" });
  });

  test("and large ones are asked about first", () => {
    expect(limitOf({ kind: "text" })).toBe(5_000_000);
    expect(limitOf({ kind: "pdf" })).toBe(50_000_000);
  });
});

test.each([
  ["python", "python"],
  ["ts", "ts"],
  ["src/a.test.tsx", "tsx"],
  ["C:\\src\\Main.java", "java"],
  ["Makefile", "makefile"],
  ["Dockerfile", "bash"],
  ["/root/.bashrc", "bash"],
  ["Cargo.toml", "toml"],
  ["x.unknown", null],
  ["__proto__", null],
  ["", null],
])("the language of %s is %s", (hint, language) => {
  expect(languageOf(hint)).toBe(language);
});

describe("bytes are decoded", () => {
  const utf8 = (text: string) => new TextEncoder().encode(text);

  test("as UTF-8, with or without a byte order mark", () => {
    expect(decode(utf8("grün"))).toEqual({ text: "grün", note: null });
    expect(decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))).toEqual({ text: "a", note: null });
    expect(decode(new Uint8Array())).toEqual({ text: "", note: null });
  });

  test("as UTF-16 where a byte order mark says so", () => {
    expect(decode(new Uint8Array([0xff, 0xfe, 0x61, 0]))).toEqual({
      text: "a",
      note: "This text is encoded in UTF-16LE.",
    });
    expect(decode(new Uint8Array([0xfe, 0xff, 0, 0x61]))?.text).toBe("a");
  });

  test("with what is no UTF-8 replaced, and said", () => {
    expect(decode(new Uint8Array([0x48, 0xe4, 0x62]))).toEqual({
      text: "H�b",
      note: "Some bytes are not UTF-8; they are shown as �.",
    });
  });

  test("not at all where there are NULs", () => {
    expect(decode(new Uint8Array([0x89, 0x50, 0, 0x47]))).toBeNull();
  });
});
