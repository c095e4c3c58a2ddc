import { describe, expect, it } from "vitest";

import { fold } from "@/session/folded";
import { commandOf, editsOf, outputOf, readOf } from "@/session/tool-content";

describe("edits", () => {
  it("are an edit's, all of several, and what a file was and became", () => {
    const change = { old_string: "a", new_string: "b" };
    expect(editsOf("Edit", { file_path: "/x", ...change }, null)).toEqual([{ path: "/x", before: "a", after: "b" }]);
    expect(editsOf("MultiEdit", { file_path: "/x", edits: [change, change, 7] }, null)).toHaveLength(2);
    expect(editsOf("Write", { file_path: "/x", content: "b" }, { originalFile: "a" })).toEqual([
      { path: "/x", before: "a", after: "b" },
    ]);
    expect(editsOf("Write", { file_path: "/x", content: "b" }, { originalFile: null })[0]?.before).toBe("");
  });

  it("are none where the input is not as expected", () => {
    for (const input of [null, {}, { edits: 7 }, { old_string: 1, new_string: 2 }]) {
      for (const tool of ["Edit", "MultiEdit", "Write", "Bash"]) expect(editsOf(tool, input, "x")).toEqual([]);
    }
  });
});

describe("a tool's output as text", () => {
  it.each<[unknown, string | null]>([
    ["plain", "plain"],
    [{ stdout: "out", stderr: "err" }, "out\nerr"],
    [{ stdout: "out", stderr: "" }, "out"],
    [
      [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
      "a\nb",
    ],
    [{ content: [{ type: "text", text: "a" }] }, "a"],
    [[{ type: "image" }], null],
    [[], null],
    [{ truncated: true, original_bytes: 9, preview: "begin" }, "begin"],
    [{ other: 1 }, null],
    [null, null],
    [7, null],
  ])("%j", (output, text) => {
    expect(outputOf(output)).toBe(text);
  });

  it("is a file's content, where a file was read", () => {
    expect(readOf("Read", { file_path: "/a.ts" }, { type: "text", file: { content: "x" } })).toEqual({
      text: "x",
      path: "/a.ts",
    });
    expect(readOf("Read", { file_path: "/a.ts" }, "x")).toEqual({ text: "x", path: "/a.ts" });
    expect(readOf("Read", { file_path: "/a.png" }, { type: "image", file: { base64: "…" } })).toBeNull();
    expect(readOf("Bash", { file_path: "/a.ts" }, "x")).toBeNull();
  });

  it("follows a command that is a text or a list", () => {
    expect(commandOf({ command: "ls" })).toBe("ls");
    expect(commandOf({ command: ["ls", "-l"] })).toBe("ls -l");
    expect(commandOf({ other: "ls" })).toBeNull();
    expect(commandOf(null)).toBeNull();
  });
});

describe("folding a text", () => {
  const lines = (count: number) => Array.from({ length: count }, (_, at) => `line ${at}`).join("\n");

  it("shows its beginning and says how much there is", () => {
    expect(fold(lines(500))).toEqual({ beginning: lines(40), lines: 500 });
    expect(fold("x".repeat(100_000)).beginning.length).toBe(6000);
  });

  it("leaves alone what is short, or hardly too long", () => {
    for (const text of ["", "one", lines(40), lines(45)]) expect(fold(text).beginning).toBe(text);
  });
});
